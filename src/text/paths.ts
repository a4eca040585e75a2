// SPDX-License-Identifier: Apache-2.0
// Paths as text. Pure.

/** Returns whether a path is `top` or below it. Both are absolute and have no slash at the end. */
export function isBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(top === '/' ? '/' : `${top}/`)
}
