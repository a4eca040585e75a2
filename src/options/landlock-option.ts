// SPDX-License-Identifier: Apache-2.0
// Parses the option `landlock` into rules. A rule is a path as the command sees it, and the access to everything below
// it. Called by options.ts; pure.
import { fail } from '../errors/errors.ts'

/** The access that a Landlock rule allows to a path and everything below it. */
export interface LandlockRule {
  /** The file or directory, as the command sees it. */
  path: string
  /** Letters of rwx: `r` reads files and lists directories; `w` writes, creates, renames and removes; `x` executes. */
  access: string
}

/** A Landlock rule in the form used by operations. */
export interface PathRule {
  path: string
  access: number
}

/** Bits for the letters of the access, as native/wire/program.h defines them. */
const letters: { [letter: string]: number } = { r: 1, w: 2, x: 4 }
const accepted = 'PATH:ACCESS with letters of rwx, such as /usr:rx or /tmp:rw'

/**
 * Parses the value of the option `landlock`. Returns undefined if the option is not given.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
export function parseLandlock(
  { landlock: value, newPrivileges }: { landlock?: unknown; newPrivileges?: unknown },
  nameOf: (key: 'landlock' | 'newPrivileges') => string,
): PathRule[] {
  if (value === undefined) return []
  const name = nameOf('landlock')
  const invalid = (what: unknown, why?: string) => fail('OPTION_INVALID', { name, value: what, why, accepted })
  if (newPrivileges)
    throw fail('OPTION_CONFLICT', {
      name,
      why: `${nameOf('newPrivileges')} would apply Landlock to set-user-ID programs, which the kernel refuses`,
      remedy: 'give one of them',
    })
  if (!Array.isArray(value)) throw invalid(value)
  return value.map((rule: unknown) => {
    const { path, access } = typeof rule === 'string' ? split(rule) : ((rule ?? {}) as Partial<LandlockRule>)
    const typed = typeof rule === 'string' ? rule : `${path}:${access}`
    if (typeof path !== 'string' || path === '' || path.includes('\0')) throw invalid(typed, 'it has no path')
    if (typeof access !== 'string' || !/^[rwx]+$/.test(access) || new Set(access).size !== access.length)
      throw invalid(typed, 'the access is not given by letters of rwx')
    return { path, access: [...access].reduce((all, letter) => all | letters[letter]!, 0) }
  })
}

/** Splits a rule into path and access, at the last colon. */
function split(text: string): Partial<LandlockRule> {
  const at = text.lastIndexOf(':')
  return at < 0 ? { path: text } : { path: text.slice(0, at), access: text.slice(at + 1) }
}
