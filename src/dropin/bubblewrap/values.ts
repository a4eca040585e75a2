// SPDX-License-Identifier: Apache-2.0
// Parses single values of bubblewrap's options. Each function returns the value or throws OPTION_INVALID. Pure.

import { nearestCapability, parseCapability } from '../../credentials/capability.ts'
import { fail } from '../../errors/errors.ts'

export function parsePermissions(name: string, value: string): number {
  if (/^[0-7]{1,8}$/.test(value) && Number.parseInt(value, 8) <= 0o7777) return Number.parseInt(value, 8)
  throw fail('OPTION_INVALID', { name, value, why: 'not a mode', accepted: 'octal digits, at most 7777' })
}

export function parseBytes(name: string, value: string): string {
  if (/^\d{1,19}$/.test(value) && BigInt(value) > 0n && BigInt(value) < 2n ** 63n) return value
  throw fail('OPTION_INVALID', { name, value, why: 'not a size', accepted: 'bytes, such as 1048576' })
}

export function parsePath(name: string, value: string): string {
  if (value !== '') return value
  throw fail('OPTION_INVALID', { name, value, why: 'empty', accepted: 'a path' })
}

/** Returns the target of a step as an absolute path inside the root. */
export function toTarget(name: string, value: string): string {
  return parsePath(name, value).startsWith('/') ? value : `/${value}`
}

export function parseVariable(name: string, value: string): string {
  if (value !== '' && !value.includes('=')) return value
  throw fail('OPTION_INVALID', {
    name,
    value,
    why: 'this cannot be the name of a variable',
    accepted: 'a name without =',
  })
}

export function parseCap(name: string, value: string) {
  const word = parseCapability(value)
  if (word !== undefined) return word
  const like = nearestCapability(value)
  throw fail('OPTION_INVALID', {
    name,
    value,
    why: 'not a capability',
    accepted: like ? `CAP_${like}, for example` : 'a name such as CAP_NET_RAW, or ALL',
  })
}
