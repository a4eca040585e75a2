// SPDX-License-Identifier: Apache-2.0
// Implements ../errors.ts without Node.

import { getSystemErrorName } from './constants.ts'

/** Messages of libuv, which Node's errors begin with. */
const messages: { [code: string]: string } = {
  EACCES: 'permission denied',
  EBADF: 'bad file descriptor',
  EBUSY: 'resource busy or locked',
  EEXIST: 'file already exists',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  ELOOP: 'too many symbolic links encountered',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'name too long',
  ENOENT: 'no such file or directory',
  ENOMEM: 'not enough memory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EPERM: 'operation not permitted',
  EPIPE: 'broken pipe',
  EROFS: 'read-only file system',
}

/** Returns an error of a system call in the form that streams emit. */
export function systemError(syscall: string, code: string, errno: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall })
}

/** Returns an error of a system call as Node's functions of files throw it. */
export function fileError(negative: number, syscall: string, path?: unknown, dest?: unknown): NodeJS.ErrnoException {
  if (negative === nulInPath) {
    const message = "The argument 'path' must be a string, Uint8Array, or URL without null bytes."
    return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
  }
  const code = getSystemErrorName(negative)
  const files = [path, dest].flatMap((file) => (file === undefined ? [] : [`'${file}'`])).join(' -> ')
  const message = `${code}: ${messages[code] ?? 'unknown error'}, ${syscall}${files && ` ${files}`}`
  return Object.assign(new Error(message), {
    errno: negative,
    code,
    syscall,
    ...(path !== undefined && { path: String(path) }),
  })
}

/** NUL_IN_PATH of native/standalone/files.c. */
const nulInPath = -100_000
