// SPDX-License-Identifier: Apache-2.0
// Implements ../errors.ts on Node.

/** Returns an error of a system call in the form that Node's streams emit. */
export function systemError(syscall: string, code: string, errno: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall })
}
