// SPDX-License-Identifier: Apache-2.0
// Implements ../clock.ts on Node. It does not use `performance`, which loads node:perf_hooks and takes a tenth of a start of the CLI.

/** Returns milliseconds since a fixed moment in the past. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

export { setTimeout as pause } from 'node:timers/promises'
