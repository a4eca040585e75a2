// SPDX-License-Identifier: Apache-2.0
// Implements ../clock.ts on Node. Does not use `performance`: it would load node:perf_hooks, which takes a tenth of the
// start time of the command line.

/** Returns milliseconds since a fixed moment in the past. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

/** Blocks the thread for this many milliseconds. */
export function pauseSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

export { setTimeout as pause } from 'node:timers/promises'
