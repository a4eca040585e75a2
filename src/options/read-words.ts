// SPDX-License-Identifier: Apache-2.0
// Converts the options of the command line into options of the library, row by row of the table. Called by `hutch run`
// and `hutch compile`; pure.
import { fail } from '../errors/errors.ts'
import type { OptionRow } from './row.ts'
import { limitRowOf, optionRows } from './table.ts'

/** The values on the command line by flag, and the flags with a value in the order typed. */
export interface FlagWords {
  values: { [flag: string]: string[] }
  order: [flag: string, value: string][]
}

type Variables = { [name: string]: string | undefined }
type Nested = { [key: string]: unknown }

/**
 * Returns the given options in the library's form. `environment` returns the caller's variables. It is called only if
 * an option needs a variable's value, because reading the environment is slow.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
export function readFlagWords({ values, order }: FlagWords, environment: () => Variables): Nested {
  const options: Nested = { limits: readLimits(values) }
  const mounts: Nested[] = []
  for (const row of optionRows) {
    const texts = values[row.flag]
    if (texts === undefined || row.key === undefined || (row.section === 'limits' && row.key.startsWith('limits')))
      continue
    if (row.kind !== 'mount') options[row.key] = readValue(row, texts, environment)
  }
  const mountFlags = new Set(optionRows.flatMap(({ kind, flag }) => (kind === 'mount' ? [flag] : [])))
  for (const [flag, value] of order) if (mountFlags.has(flag)) mounts.push({ [flag]: value })
  if (mounts.length > 0) options.mounts = mounts
  return options
}

function readValue(row: OptionRow, texts: string[], environment: () => Variables): unknown {
  const last = texts.at(-1)!
  switch (row.kind) {
    case 'switch':
      return true
    case 'off':
      return false
    case 'texts':
      return texts
    case 'words':
      return texts.flatMap((value) => value.split(','))
    case 'list':
      return last === 'none' ? [] : last.split(',')
    case 'kinds':
      return last === 'all' || last === 'none' ? last : last.split(',')
    case 'pairs':
      return readPairs(row, texts)
    case 'environment':
      return readEnvironment(texts, environment)
    default:
      return last
  }
}

function readLimits(values: FlagWords['values']): Nested | 'none' {
  const limits: Nested = {}
  for (const [key, { flag, kind }] of Object.entries(limitRowOf)) {
    const value = values[flag]?.at(-1)
    if (value !== undefined) limits[key] = kind === 'switch' ? true : kind === 'texts' ? values[flag] : value
  }
  const files = values.limit ?? []
  if (!files.includes('none')) return readFiles(files, limits)
  if (files.length === 1 && Object.keys(limits).length === 0) return 'none'
  throw fail('OPTION_CONFLICT', {
    name: '--limit none',
    why: 'another limit is given, too',
    remedy: 'name the limits to leave out: --memory max, --swap max, --pids max, --cpus max',
  })
}

function readFiles(pairs: readonly string[], limits: Nested): Nested {
  const refuse = (value: string, why: string) =>
    fail('OPTION_INVALID', { name: '--limit', value, why, accepted: 'FILE=VALUE, such as memory.high=40M' })
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const file = pair.slice(0, at)
    if (at < 1) throw refuse(pair, 'there is no = in it')
    if (!file.includes('.')) throw refuse(file, 'not the name of a controller file')
    const [value, before] = [pair.slice(at + 1), limits[file]]
    // an option that is repeated for the same file writes several lines, such as one for each device
    limits[file] = before === undefined ? value : [before, value].flat()
  }
  return limits
}

function readPairs({ flag, value: accepted }: OptionRow, pairs: string[]): { [name: string]: string } {
  const out: { [name: string]: string } = Object.create(null)
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, at)
    const why = at < 1 ? 'there is no = in it' : name in out ? 'given twice' : ''
    if (why) throw fail('OPTION_INVALID', { name: `--${flag}`, value: pair, why, accepted: accepted! })
    out[name] = pair.slice(at + 1)
  }
  return out
}

function readEnvironment(pairs: string[], environment: () => Variables): Variables {
  const passed = pairs.some((pair) => !pair.includes('=')) ? environment() : {}
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      return at < 0 ? [pair, passed[pair]] : [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}
