// SPDX-License-Identifier: Apache-2.0
// Implements ../clock.ts without Node.
import { host } from './host.ts'

/** Returns milliseconds since a fixed moment in the past. */
export function monotonicMs(): number {
  return host.now()
}

/** Blocks the process for this many milliseconds. */
export function pauseSync(ms: number): void {
  host.sleep(ms)
}

/** Resolves after this many milliseconds. */
export function pause<T>(ms: number, value?: T): Promise<T | undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms))
}
