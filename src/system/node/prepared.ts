// SPDX-License-Identifier: Apache-2.0
// Node's host of ../prepared.ts: a value is made at its first use.

/** Returns a function that returns the value of `make`. Node calls `make` at the first use, the build of the binary when it loads the module. */
export function prepared<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
