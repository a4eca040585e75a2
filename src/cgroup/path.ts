// SPDX-License-Identifier: Apache-2.0
// Parses names of groups and of their files as users type them. Refuses names that would lead outside the tree. Pure.
import { fail } from '../errors/errors.ts'
import { asDecoded } from '../text/non-utf8.ts'

/** Maximum length of one component (NAME_MAX) and of a whole path (PATH_MAX minus room for a mount and a file name). */
const longestPart = 255
const longestPath = 3072

/**
 * Returns a group's path relative to a hierarchy's mount. `/a/b`, `a/b` and `a//b/` give `a/b`; the root group gives ''. `origin` says in
 * errors where the path comes from: a flag, an option, or a file with its line.
 *
 * @throws CGROUP_PATH_INVALID
 */
export function parseGroupPath(text: string, origin: string): string {
  const refuse = (why: string) => fail('CGROUP_PATH_INVALID', { value: text, why, origin })
  const parts = text.split('/').filter((part) => part !== '')
  if (/[\0-\x1f\x7f]/.test(text)) throw refuse('it contains a control character')
  if (parts.some((part) => part === '..' || part === '.')) throw refuse('"." and ".." are not names of groups')
  if (parts.some((part) => Buffer.byteLength(part) > longestPart) || Buffer.byteLength(text) > longestPath)
    throw refuse('too long')
  return asDecoded(parts.join('/'))
}

/** Checks the name of a group's kernel file, such as `memory.max` or `tasks`, and returns it. @throws CGROUP_FILE_INVALID */
export function parseFileName(text: string, origin: string): string {
  if (/^[A-Za-z0-9][\w.@-]{0,127}$/.test(text) && !text.includes('..')) return text
  throw fail('CGROUP_FILE_INVALID', { value: text, origin })
}
