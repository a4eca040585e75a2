// SPDX-License-Identifier: Apache-2.0
// Names of groups and of their files, as users type them: checked, so that nothing outside the tree is ever reached.
import { fail } from '../errors/errors.ts'
import { asDecoded } from '../text/non-utf8.ts'

/** Longest name of one level (NAME_MAX), and of a path (PATH_MAX, less a mount's and a file's name). */
const longestPart = 255
const longestPath = 3072

/**
 * A group's path, relative to a hierarchy's mount: `/a/b`, `a/b` and `a//b/` are `a/b`, the root group is ''.
 * `origin` is what the error names: a flag, an option, or a file with its line.
 * @throws CGROUP_PATH_INVALID
 */
export function parseGroupPath(text: string, origin: string): string {
  const refuse = (why: string) => fail('CGROUP_PATH_INVALID', { value: text, why, origin })
  const parts = text.split('/').filter((part) => part !== '')
  if (/[\0-\x1f\x7f]/.test(text)) throw refuse('it contains a control character')
  if (parts.some((part) => part === '..' || part === '.')) throw refuse('"." and ".." are not names of groups')
  if (parts.some((part) => Buffer.byteLength(part) > longestPart) || Buffer.byteLength(text) > longestPath)
    throw refuse('it is too long')
  return asDecoded(parts.join('/'))
}

/** A kernel file of a group by its name: `memory.max`, `tasks`. @throws CGROUP_FILE_INVALID */
export function parseFileName(text: string, origin: string): string {
  if (/^[A-Za-z0-9][\w.@-]{0,127}$/.test(text) && !text.includes('..')) return text
  throw fail('CGROUP_FILE_INVALID', { value: text, origin })
}
