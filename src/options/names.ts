// SPDX-License-Identifier: Apache-2.0
// Returns the name of an option in each front end, alone or with a value, from the option table. Pure.
import type { OptionNames } from '../errors/remedy-text.ts'
import { escapeText, shellWord } from '../text/quote.ts'
import { optionRow } from './table.ts'

/** Front ends whose options are in the table. */
export type Frontend = 'library' | 'cli' | 'bwrap'

/** Returns an option's name as its user types it: `--memory` on the command line, `limits.memory` in the library. */
export function optionName(key: string, frontend: 'cli' | 'library'): string
/** Also accepts `bwrap`; returns undefined if `hutch bwrap` has no such option. */
export function optionName(key: string, frontend: Frontend): string | undefined
export function optionName(key: string, frontend: Frontend): string | undefined {
  if (frontend === 'library') return key
  const row = optionRow(key)
  if (frontend === 'bwrap') return row?.bwrap && `--${row.bwrap}`
  if (row) return `--${row.flag}`
  const [object, ...rest] = key.split('.')
  // a key of an object: a resource of --ulimit or a kernel file of --limit
  if ((object === 'ulimits' || object === 'limits') && rest.length > 0)
    return `${optionName(object, 'cli')} ${rest.join('.')}`
  return key
}

/**
 * Returns an option with its value as the user types it: `--memory 88M`, `limits: { memory: '88M' }`. Returns undefined if the front end
 * has no such option.
 */
export function optionWithValue(key: string, value: string | undefined, frontend: Frontend): string | undefined {
  const name = optionName(key, frontend)
  if (name === undefined || value === undefined) return name
  if (key === 'env') return environment(value, frontend)
  if (frontend === 'cli' && name.startsWith('--limit ')) return `--limit ${shellWord(`${name.slice(8)}=${value}`)}`
  if (frontend !== 'library') return key.startsWith('ulimits.') ? `${name}=${value}` : `${name} ${shellWord(value)}`
  const [object, ...rest] = key.split('.')
  const inner = rest.length > 1 ? `'${rest.join('.')}'` : rest[0]
  if (inner === undefined) return `${object}: ${quoted(value)}`
  return object === 'mounts' ? `mounts: [{ ${inner}: ${quoted(value)} }]` : `${object}: { ${inner}: ${quoted(value)} }`
}

/** Returns the option that sets a variable, from `NAME=VALUE`. */
function environment(pair: string, frontend: Frontend): string {
  const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
  if (frontend === 'library') return `env: { ${name}: ${quoted(value)} }`
  return frontend === 'bwrap' ? `--setenv ${name} ${shellWord(value)}` : `--env ${shellWord(pair)}`
}

function quoted(value: string): string {
  return /^\d+(\.\d+)?$/.test(value) ? value : `'${escapeText(value).replaceAll("'", "\\'")}'`
}

const commandLineOption = (key: string, value?: string) => optionWithValue(key, value, 'cli')!

/** `hutch run`, for texts that refer to options by key. */
export const commandLineNames: OptionNames = { option: commandLineOption, runOption: commandLineOption }

/** Makes the names for a drop-in command. Where it has no option, remedies name the option of `hutch run`. */
export function dropinNames(
  toolOptions: { readonly [key: string]: string },
  option: (key: string, value?: string) => string | undefined = () => undefined,
): OptionNames {
  return {
    option,
    runOption: (key, value) => option(key, value) ?? `hutch run ${commandLineOption(key, value)}`,
    toolOptions,
  }
}
