// SPDX-License-Identifier: Apache-2.0
// Parses options before a command's own words, from a table, with node:util. Pure.

import { fail } from '../errors/errors.ts'
import type { OptionRow, Section } from '../options/row.ts'
import { parseArgs } from '../system/command-line.ts'
import { prepared } from '../system/prepared.ts'
import { nearest } from '../text/nearest.ts'

/** One option of a command. */
export interface Flag {
  /** Word for the option's value in the help, such as SIZE; absent for an option without a value. */
  value?: string
  short?: string
  /** True if the option can be repeated and all values count. Otherwise only the last value counts. */
  repeat?: boolean
  /** Help text of the option: one or two sentences. */
  help: string
  /** What applies without the option, unless that is "off" or "no limit". */
  default?: string
  /** True if the option is common, so that the short help shows it too. */
  common?: true
  section?: Section
  complete?: OptionRow['complete']
}

export type FlagTable = { [name: string]: Flag }

/** A parsed command line: the values of each option in the given order, and the operands. */
export interface Parsed {
  values: { [name: string]: string[] }
  /** Options with a value, in the order of the command line. */
  order: [name: string, value: string][]
  rest: string[]
}

type ArgumentKinds = { [name: string]: { type: 'string' | 'boolean'; short?: string } }

/** What node:util needs to know of the options of tables that are declared with `prepareFlags`. */
const preparedKinds = new WeakMap<FlagTable, () => ArgumentKinds>()

/** Declares a table that does not change. Returns it. */
export function prepareFlags(table: FlagTable): FlagTable {
  preparedKinds.set(
    table,
    prepared(() => argumentKinds(table)),
  )
  return table
}

function argumentKinds(table: FlagTable): ArgumentKinds {
  return Object.fromEntries(
    Object.entries({ ...table, help: { short: 'h', help: '' } }).map(([name, flag]: [string, Flag]) => [
      name,
      { type: flag.value ? ('string' as const) : ('boolean' as const), ...(flag.short && { short: flag.short }) },
    ]),
  )
}

/**
 * Parses options up to `--` or the first operand. With `mixed`, options may also follow operands, up to `--`. @throws OPTION_UNKNOWN,
 * OPTION_INVALID
 */
export function parseFlags(args: string[], table: FlagTable, mixed = false): Parsed {
  const options = preparedKinds.get(table)?.() ?? argumentKinds(table)
  const values: Parsed['values'] = {}
  const order: Parsed['order'] = []
  const words: string[] = []
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'option-terminator') return { values, order, rest: [...words, ...args.slice(token.index + 1)] }
    if (token.kind === 'positional' && !mixed) return { values, order, rest: args.slice(token.index) }
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind === 'positional') continue
    const flag = options[token.name]
    if (!flag || !Object.hasOwn(options, token.name))
      throw fail('OPTION_UNKNOWN', {
        name: token.rawName,
        nearest: nearest(
          token.rawName,
          Object.keys(options).map((name) => `--${name}`),
        ),
        known: 'the help lists the options: add --help',
      })
    const accepted = flag.type === 'string' ? `${token.rawName} ${table[token.name]!.value}` : `${token.rawName} alone`
    if (flag.type === 'string' && (token.value === undefined || token.value === '--'))
      throw fail('OPTION_INVALID', {
        name: token.rawName,
        value: token.value ?? '',
        why: 'the value is missing',
        accepted,
      })
    const isHelp = token.name === 'help' && !Object.hasOwn(table, 'help')
    if (flag.type === 'boolean' && token.value !== undefined && !(isHelp && token.value === 'all'))
      throw fail('OPTION_INVALID', { name: token.rawName, value: token.value, why: 'it takes no value', accepted })
    if (token.value !== undefined) order.push([token.name, token.value])
    values[token.name] = [...(table[token.name]?.repeat ? (values[token.name] ?? []) : []), token.value ?? '']
  }
  return { values, order, rest: words }
}
