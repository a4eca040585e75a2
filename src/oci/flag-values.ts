// SPDX-License-Identifier: Apache-2.0
// Parses the values of options by their types, as Go's flag package does. Integers stay exact. Pure.

import { fail } from '../errors/errors.ts'
import { nearest } from '../text/nearest.ts'
import type { FlagType, OciFlag } from './flag-table.ts'

/** What is accepted for each type, for errors. */
const accepted: { [type in FlagType]: string } = {
  yes: 'true or false',
  text: 'a value',
  list: 'a value',
  numbers: 'a whole number of at least 0',
  count: 'a whole number of at least 0',
  integer: 'a whole number',
  bytes: 'a number of bytes, a size such as 512m, or -1',
  duration: 'a time such as 5s or 1m30s',
}

const booleans: { [word: string]: boolean } = Object.fromEntries(
  ([true, false] as const).flatMap((value) =>
    (value ? ['1', 't', 'T', 'true', 'TRUE', 'True'] : ['0', 'f', 'F', 'false', 'FALSE', 'False']).map((word) => [
      word,
      value,
    ]),
  ),
)

/** Returns the value of an option. `text` is undefined if it is missing. @throws OPTION_INVALID */
export function parseFlagValue(name: string, { type, words }: OciFlag, text: string | undefined): unknown {
  if (text === undefined)
    throw fail('OPTION_INVALID', { name, value: '', why: 'its value is missing', accepted: accepted[type] })
  const value = words ? (words.includes(text) ? text : undefined) : readers[type](text)
  if (value !== undefined) return value
  const near = words && nearest(text, words)
  throw fail('OPTION_INVALID', {
    name,
    value: text,
    accepted: near ? `${near}?` : words ? `one of ${words.join(', ')}` : accepted[type],
  })
}

const readers: { [type in FlagType]: (text: string) => unknown } = {
  yes: (text) => (Object.hasOwn(booleans, text) ? booleans[text] : undefined),
  text: (text) => text,
  list: (text) => text,
  numbers: readCount,
  count: readCount,
  integer: readInteger,
  bytes: readBytes,
  duration: readDuration,
}

function readCount(text: string): number | undefined {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : -1
  return count >= 0 && count <= 0xffff_ffff ? count : undefined
}

/** From the least number of 64 bits with a sign to the largest without. */
function readInteger(text: string): bigint | undefined {
  const number = /^[+-]?\d{1,20}$/.test(text) ? BigInt(text.replace('+', '')) : undefined
  return number !== undefined && number >= -(1n << 63n) && number < 1n << 64n ? number : undefined
}

const shifts: { [unit: string]: bigint } = { '': 0n, b: 0n, k: 10n, m: 20n, g: 30n, t: 40n, p: 50n }

function readBytes(text: string): bigint | undefined {
  const [, whole, fraction = '', unit = ''] =
    /^(\d{1,20})(?:\.(\d{1,9}))? ?([bkmgtp]?)(?:(?<=[kmgtp])i?b)?$/i.exec(text) ?? []
  if (whole === undefined) return readInteger(text)
  const shift = shifts[unit.toLowerCase()]!
  const bytes = (BigInt(whole) << shift) + (BigInt(fraction || '0') << shift) / 10n ** BigInt(fraction.length)
  return bytes < 1n << 63n ? bytes : undefined
}

const units: { [unit: string]: number } = {
  ns: 1e-6,
  us: 1e-3,
  '\u00b5s': 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Returns milliseconds, at least 1. */
function readDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|\u00b5s|ms|s|m|h))+$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|\u00b5s|ms|s|m|h)/g)]
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit!]!, 0)
  return ms > 0 && ms <= 0x7fff_ffff ? Math.max(1, Math.round(ms)) : undefined
}
