// SPDX-License-Identifier: Apache-2.0
// Parses options as getopt_long(3) does, because scripts that call the drop-ins rely on it: combined letters, joined values, shortened
// names, permutation. Pure.
import { fail } from '../errors/errors.ts'
import { nearest } from '../text/nearest.ts'

/** One option. Its key in the table is its letter, or its long name if it has no letter. */
interface Option {
  long?: readonly string[]
  /** Name of the value; absent for a switch. */
  value?: string
  /**
   * True if the value is optional. It must then be joined to the letter or follow "=". 'long': only the long name accepts a value, after
   * "=".
   */
  optional?: boolean | 'long'
  help: string
}

export type OptionTable = { readonly [key: string]: Option }

/** A parsed command line: options by key in the given order, and the operands. */
export interface ParsedOptions {
  options: [key: string, value: string][]
  words: string[]
}

/**
 * Parses options as getopt_long(3) does. Without `permute`, the first operand ends them, as for commands that execute another command.
 * @throws OPTION_UNKNOWN, OPTION_INVALID
 */
export function getopt(args: readonly string[], table: OptionTable, permute = true): ParsedOptions {
  const parsed: ParsedOptions = { options: [], words: [] }
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg === '--') {
      parsed.words.push(...args.slice(i + 1))
      break
    }
    if (arg === '-' || !arg.startsWith('-')) {
      parsed.words.push(...(permute ? [arg] : args.slice(i)))
      if (permute) continue
      break
    }
    const next = () => args[++i]
    if (arg.startsWith('--')) parsed.options.push(readLong(arg, table, next))
    else readCluster(arg, table, next, parsed.options)
  }
  return parsed
}

function readLong(arg: string, table: OptionTable, next: () => string | undefined): [string, string] {
  const equals = arg.indexOf('=')
  const name = arg.slice(2, equals < 0 ? undefined : equals)
  const known = Object.entries(table).flatMap(([key, option]) =>
    [...(key.length > 1 ? [key] : []), ...(option.long ?? [])].map((long) => [long, key] as const),
  )
  const matches = known.filter(([long]) => long === name)
  if (matches.length === 0 && name !== '') matches.push(...known.filter(([long]) => long.startsWith(name)))
  const keys = new Set(matches.map(([, key]) => key))
  if (keys.size !== 1)
    throw fail('OPTION_UNKNOWN', {
      name: `--${name}`,
      nearest:
        keys.size === 0
          ? nearest(
              `--${name}`,
              known.map(([long]) => `--${long}`),
            )
          : undefined,
      known: keys.size > 1 ? `it may mean ${matches.map(([long]) => `--${long}`).join(' or ')}` : 'see --help',
    })
  const [long, key] = matches[0]!
  const { value, optional } = table[key]!
  if (value === undefined && equals >= 0)
    throw fail('OPTION_INVALID', {
      name: `--${long}`,
      value: arg.slice(equals + 1),
      why: 'it takes no value',
      accepted: `--${long} alone`,
    })
  if (value === undefined || (optional && equals < 0)) return [key, '']
  return [key, equals >= 0 ? arg.slice(equals + 1) : demand(`--${long}`, value, next())]
}

function readCluster(
  arg: string,
  table: OptionTable,
  next: () => string | undefined,
  options: [string, string][],
): void {
  const letters = [...arg.slice(1)]
  for (const [at, letter] of letters.entries()) {
    const option = Object.hasOwn(table, letter) ? table[letter] : undefined
    if (!option) throw fail('OPTION_UNKNOWN', { name: `-${letter}`, known: 'see --help' })
    if (option.value === undefined || option.optional === 'long') {
      options.push([letter, ''])
      continue
    }
    const joined = letters.slice(at + 1).join('')
    options.push([letter, joined === '' && !option.optional ? demand(`-${letter}`, option.value, next()) : joined])
    return
  }
}

function demand(name: string, accepted: string, value: string | undefined): string {
  if (value !== undefined) return value
  throw fail('OPTION_INVALID', { name, value: '', why: 'the value is missing', accepted: `${name} ${accepted}` })
}

/** Formats the table of options as help text. */
export function formatOptions(table: OptionTable): string {
  const rows = Object.entries(table).map(([key, { long = [], value, optional, help }]) => {
    const names = [...(key.length > 1 ? [`--${key}`] : [`-${key}`]), ...long.slice(0, 1).map((name) => `--${name}`)]
    const shown = value ? (optional ? `[=${value}]` : ` ${value}`) : ''
    return [`${names.join(', ')}${shown}`, help] as const
  })
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}\n`).join('')
}
