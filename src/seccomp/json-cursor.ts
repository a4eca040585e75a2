// SPDX-License-Identifier: Apache-2.0
// Reads values of untrusted JSON. Errors tell the position of the wrong value. Pure.
import { fail, type HutchError } from '../errors/errors.ts'
import { nearest } from '../text/nearest.ts'

/** The option that the JSON comes from, and a position in it, such as `syscalls[3].action`. */
export interface JsonCursor {
  origin: string
  at: string
}

export function refuse(cursor: JsonCursor, value: unknown, why: string, accepted: string): HutchError {
  return fail('SECCOMP_PROFILE_INVALID', { ...cursor, value, why, accepted })
}

export function inside(cursor: JsonCursor, key: string | number): JsonCursor {
  const at = typeof key === 'number' ? `[${key}]` : cursor.at === '' ? key : `.${key}`
  return { ...cursor, at: `${cursor.at}${at}` }
}

/** Checks that a value is an object that has only these keys. */
export function readObject<K extends string>(
  value: unknown,
  cursor: JsonCursor,
  keys: readonly K[],
): { [key in K]?: unknown } {
  const named = cursor.at === '' ? { ...cursor, at: 'it' } : cursor
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(named, value, 'not an object', 'an object')
  for (const key of Object.keys(value)) {
    if ((keys as readonly string[]).includes(key)) continue
    const near = nearest(key, keys)
    throw refuse(named, key, 'there is no such key', near ? `${near}?` : `one of ${keys.join(', ')}`)
  }
  return value
}

/** Reads a list. A missing or null value is an empty list. */
export function readList(value: unknown, cursor: JsonCursor): unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw refuse(cursor, value, 'not a list', 'a list')
  return value
}

/** Checks that a value is one of these words. */
export function readWord(value: unknown, cursor: JsonCursor, words: readonly string[]): string {
  if (typeof value === 'string' && words.includes(value)) return value
  const near = typeof value === 'string' ? nearest(value, words) : undefined
  throw refuse(cursor, value ?? null, 'this word is unknown', near ? `${near}?` : `one of ${words.join(', ')}`)
}

export function readString(value: unknown, cursor: JsonCursor): string {
  if (typeof value !== 'string' || value === '') throw refuse(cursor, value ?? null, 'not a string', 'a text')
  return value
}

/** Reads a number from 0 to `most`. A string of digits is also accepted. */
export function readNumber(value: unknown, cursor: JsonCursor, max: bigint): bigint {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  const safe = typeof value !== 'number' || Number.isSafeInteger(value)
  const number = safe && /^(\d{1,20}|0x[0-9a-fA-F]{1,16})$/.test(text) ? BigInt(text) : -1n
  if (number < 0n || number > max)
    throw refuse(cursor, value ?? null, 'out of range', `a whole number from 0 to ${max}`)
  return number
}
