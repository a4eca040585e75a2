// SPDX-License-Identifier: Apache-2.0
// Node's host of ../clock.ts. `performance` would load node:perf_hooks, which takes a tenth of a start of the CLI.

/** Returns milliseconds since a moment in the past, the same for the whole process. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

export { setTimeout as pause } from 'node:timers/promises'
