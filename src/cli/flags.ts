// SPDX-License-Identifier: Apache-2.0
// Flags before a command's own words: a table says which there are, node:util splits them.
import { parseArgs } from 'node:util'
import { fail } from '../errors.ts'
import { nearest } from '../nearest.ts'

/** One flag: `value` names what follows it; without, it is a switch. */
export interface Flag {
  value?: string
  short?: string
  repeat?: true
  help: string
}

export type FlagTable = { [name: string]: Flag }

/** Values by flag, in the order given; the rest is the command's. */
export interface Parsed {
  values: { [name: string]: string[] }
  /** All that have a value, in the order in which they stand. */
  order: [name: string, value: string][]
  rest: string[]
}

/**
 * Reads flags up to `--` or the first word that is none; `mixed`: up to `--`, words that are none may stand between them.
 * @throws OPTION_UNKNOWN, OPTION_INVALID
 */
export function parseFlags(args: string[], table: FlagTable, mixed = false): Parsed {
  const options = Object.fromEntries(
    Object.entries({ ...table, help: { short: 'h', help: '' } as Flag }).map(([name, flag]) => [
      name,
      { type: flag.value ? ('string' as const) : ('boolean' as const), ...(flag.short && { short: flag.short }) },
    ]),
  )
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
    const known = Object.keys(options).map((name) => `--${name}`)
    if (!flag || !Object.hasOwn(options, token.name))
      throw fail('OPTION_UNKNOWN', {
        name: token.rawName,
        nearest: nearest(token.rawName, known),
        known: 'hutch help lists the options',
      })
    const accepted = flag.type === 'string' ? `${token.rawName} ${table[token.name]!.value}` : `${token.rawName} alone`
    if (flag.type === 'string' && (token.value === undefined || token.value === '--'))
      throw fail('OPTION_INVALID', {
        name: token.rawName,
        value: token.value ?? '',
        why: 'its value is missing',
        accepted,
      })
    if (flag.type === 'boolean' && token.value !== undefined)
      throw fail('OPTION_INVALID', { name: token.rawName, value: token.value, why: 'it takes no value', accepted })
    if (token.value !== undefined) order.push([token.name, token.value])
    values[token.name] = [...(table[token.name]?.repeat ? (values[token.name] ?? []) : []), token.value ?? '']
  }
  return { values, order, rest: words }
}

/** The table as help text. */
export function formatFlags(table: FlagTable): string {
  const rows = Object.entries(table).map(
    ([name, flag]) =>
      [`${flag.short ? `-${flag.short}, ` : ''}--${name}${flag.value ? ` ${flag.value}` : ''}`, flag.help] as const,
  )
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`).join('\n')
}
