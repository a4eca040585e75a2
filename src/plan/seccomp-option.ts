// SPDX-License-Identifier: Apache-2.0
// The option `seccomp` → what is asked for: a profile by name, a file, or a profile itself.
import { fail, quote } from '../errors.ts'
import { nearest } from '../nearest.ts'

/** What a command's system calls are filtered by. */
export type SeccompWish = { own: 'default' | 'strict'; comesWith?: 'rootfs' } | { file: string } | { profile: object }

const words = ['default', 'strict', 'none']
const accepted = 'default, strict, none, or a file with a profile in JSON'

/** What a root of its own gets if nothing is named, as Docker has it: root inside is else root of the machine to what takes no capability. */
export const containedSeccomp: SeccompWish = { own: 'default', comesWith: 'rootfs' }

/** Undefined: no filter. @throws OPTION_INVALID */
export function parseSeccomp(value: unknown, name: string): SeccompWish | undefined {
  if (value === undefined || value === 'none') return undefined
  if (value === 'default' || value === 'strict') return { own: value }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { profile: value }
  if (typeof value !== 'string' || value === '' || value.includes('\0'))
    throw fail('OPTION_INVALID', { name, value, why: 'it is not understood', accepted })
  const near = /[./]/.test(value) ? undefined : nearest(value, words)
  if (near !== undefined)
    throw fail('OPTION_INVALID', {
      name,
      value,
      why: 'there is no such profile',
      accepted: `${near}? (a file of that name is ./${value})`,
    })
  return { file: value }
}

/** As errors name it. */
export function seccompOrigin(wish: SeccompWish, door: 'cli' | 'library'): string {
  const name = door === 'cli' ? '--seccomp' : 'seccomp'
  if ('own' in wish && wish.comesWith) return `${name} ${wish.own} (${door === 'cli' ? '--rootfs' : 'rootfs'})`
  return 'profile' in wish ? name : `${name} ${'own' in wish ? wish.own : quote(wish.file)}`
}
