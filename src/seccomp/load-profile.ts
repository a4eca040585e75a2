// SPDX-License-Identifier: Apache-2.0
// Reads a profile before planning and compiles it when the plan tells which capabilities the command keeps. Loaded only by runs
// with a filter.

import { fail } from '../errors/errors.ts'
import type { SeccompWish } from '../options/seccomp-option.ts'
import { seccompOrigin } from '../options/seccomp-option.ts'
import type { Door } from '../options/spec.ts'
import { closeSync, fileConstants, fstatSync, openSync, readSync } from '../system/files.ts'
import { encodePath } from '../text/non-utf8.ts'
import { machineOfNode } from './builtin.ts'
import { type FilterMaker, makeForeign, makeOwn } from './make-filter.ts'
import { mostBytes } from './parse.ts'

/** Returns a function that makes the filter. @throws SECCOMP_PROFILE_INVALID, FILE_REFUSED, HOST_UNSUPPORTED */
export function loadProfileFilter(wish: SeccompWish, door: Door): FilterMaker {
  const machine = machineOfNode[process.arch]
  if (machine === undefined)
    throw fail('HOST_UNSUPPORTED', { why: `hutch has no system call table for ${process.arch}` })
  const origin = seccompOrigin(wish, door)
  if ('own' in wish) return makeOwn(wish.own, origin, machine)
  const profile = 'file' in wish ? { text: readProfile(wish.file, origin) } : { value: wish.profile }
  return makeForeign(profile, origin, machine)
}

/** Returns the profile as a value. Called after `loadProfileFilter` has checked it. */
export function readDocument(wish: Exclude<SeccompWish, { own: unknown }>, door: Door): unknown {
  return 'profile' in wish ? wish.profile : JSON.parse(readProfile(wish.file, seccompOrigin(wish, door)))
}

/** Reads a regular file. Reading a pipe could block. */
function readProfile(path: string, origin: string): string {
  let fd = -1
  try {
    fd = openSync(encodePath(path), fileConstants.O_RDONLY | fileConstants.O_NONBLOCK)
    const found = fstatSync(fd)
    if (!found.isFile() || found.size > mostBytes)
      throw fail('SECCOMP_PROFILE_INVALID', {
        origin,
        at: 'it',
        value: undefined,
        why: found.isFile()
          ? `it has ${found.size} bytes, and no profile has more than ${mostBytes}`
          : 'it is not a regular file',
        accepted: 'default, strict, none, or a file with a profile in JSON',
      })
    const bytes = Buffer.alloc(found.size)
    return bytes.toString('utf8', 0, readSync(fd, bytes))
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error
    throw fail(
      'FILE_REFUSED',
      {
        what: `read the profile of ${origin.split(' ', 1)[0]}`,
        path,
        errno: String((error as NodeJS.ErrnoException).code),
        remedy: 'give default, strict, none, or a file with a profile in JSON',
      },
      error,
    )
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}
