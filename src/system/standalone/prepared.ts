// SPDX-License-Identifier: Apache-2.0
// Implements ../prepared.ts in the binary without Node: a value is made when its module is loaded, which for common modules is at the build.

/** Returns a function that returns the value of `make`. */
export function prepared<T>(make: () => T): () => T {
  const value = make()
  return () => value
}
