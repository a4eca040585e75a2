// SPDX-License-Identifier: Apache-2.0
// Reads a seccomp profile before planning. Compiles it when the planner knows which capabilities the command keeps.
// Loaded only by runs with such a filter.

import { fail } from '../errors/errors.ts'
import { closeSync, fileConstants, fstatSync, openSync, readSync } from '../system/files.ts'
import { parseJson } from '../text/json.ts'
import { encodePath } from '../text/non-utf8.ts'
import { machineOfNode } from './builtin.ts'
import { type FilterMaker, makeForeign, makeOwn } from './make-filter.ts'
import { maxProfileBytes } from './parse.ts'

/** Where a command's system call filter comes from: hutch's own profile, a file, or an object. */
export type FilterSource =
  | { own: 'default' | 'strict'; comesWith?: 'rootfs' }
  | { file: string }
  | { profile: object; listens?: true }

/**
 * Returns a function that compiles the profile. `origin` is the option as the user typed it.
 *
 * @throws SECCOMP_PROFILE_INVALID, FILE_REFUSED, HOST_UNSUPPORTED
 */
export function loadProfileFilter(source: FilterSource, origin: string): FilterMaker {
  const machine = machineOfNode[process.arch]
  if (machine === undefined)
    throw fail('HOST_UNSUPPORTED', { why: `hutch has no system call table for ${process.arch}` })
  if ('own' in source) return makeOwn(source.own, origin, machine)
  const profile =
    'file' in source
      ? { text: readProfile(source.file, origin) }
      : { value: source.profile, ...(source.listens && { listens: source.listens }) }
  return makeForeign(profile, origin, machine)
}

/** Reads the profile again, as an object, to explain which rule refused a call. `loadProfileFilter` has already checked it. */
export function readDocument(source: Exclude<FilterSource, { own: unknown }>, origin: string): unknown {
  return 'profile' in source ? source.profile : parseJson(readProfile(source.file, origin), { exact: true })
}

/** Reads a regular file. Other kinds of files are refused, because reading a pipe could block. */
function readProfile(path: string, origin: string): string {
  let fd = -1
  try {
    fd = openSync(encodePath(path), fileConstants.O_RDONLY | fileConstants.O_NONBLOCK)
    const found = fstatSync(fd)
    if (!found.isFile() || found.size > maxProfileBytes)
      throw fail('SECCOMP_PROFILE_INVALID', {
        origin,
        at: 'it',
        value: undefined,
        why: found.isFile()
          ? `the file has ${found.size} bytes, and a profile has at most ${maxProfileBytes}`
          : 'not a regular file',
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
