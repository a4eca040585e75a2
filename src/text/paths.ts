// SPDX-License-Identifier: Apache-2.0
// Compares paths as text. Pure.

/** Returns true if a path is `top` or below it. Both are absolute, without a slash at the end. */
export function isBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(top === '/' ? '/' : `${top}/`)
}
