// SPDX-License-Identifier: Apache-2.0
// Node's host of ../errors.ts.

/** Returns an error as Node's streams emit it. */
export function systemError(syscall: string, code: string, errno: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall })
}
