// SPDX-License-Identifier: Apache-2.0
// Returns how the user of a front end writes an option, alone or with a value. Pure; derived from the option table.
import type { OptionNames } from '../errors/remedy-text.ts'
import { escapeText, shellWord } from '../text/quote.ts'
import { limitRowOf, optionRow } from './table.ts'

/** Front ends whose names for options are in the option table. */
export type Frontend = 'library' | 'cli' | 'bwrap'

/** Returns an option's name as the user types it: `--memory` on the command line, `limits.memory` in the library. */
export function optionName(key: string, frontend: 'cli' | 'library'): string
/** Returns an option's name in any front end. Returns undefined if `hutch bwrap` lacks the option. */
export function optionName(key: string, frontend: Frontend): string | undefined
export function optionName(key: string, frontend: Frontend): string | undefined {
  if (frontend === 'library') return key
  const row = optionRow(key)
  if (frontend === 'bwrap') return row?.bwrap && `--${row.bwrap}`
  if (row) return `--${row.flag}`
  const [object, ...rest] = key.split('.')
  // `rest` is a key in an object: a resource of --ulimit or a kernel file of --limit
  if ((object === 'ulimits' || object === 'limits') && rest.length > 0)
    return `${optionName(object, 'cli')} ${rest.join('.')}`
  return key
}

/**
 * Returns an option with its value as the user types them: `--memory 88M`, `limits: { memory: '88M' }`. Returns
 * undefined if the front end lacks the option.
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

/** Returns how a front end sets the environment variable of `NAME=VALUE`. */
function environment(pair: string, frontend: Frontend): string {
  const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
  if (frontend === 'library') return `env: { ${name}: ${quoted(value)} }`
  return frontend === 'bwrap' ? `--setenv ${name} ${shellWord(value)}` : `--env ${shellWord(pair)}`
}

function quoted(value: string): string {
  return /^\d+(\.\d+)?$/.test(value) ? value : `'${escapeText(value).replaceAll("'", "\\'")}'`
}

const commandLineOption = (key: string, value?: string) => optionWithValue(key, value, 'cli')!

/** Names of options as `hutch run` has them, for texts that refer to an option by its key. */
export const commandLineNames: OptionNames = { option: commandLineOption, runOption: commandLineOption }

/** Returns the names of options for a drop-in command. If the command lacks an option, remedies name the option of `hutch run`. */
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

/**
 * Returns the names of options for a command or tool that has these flags. A limit without a flag is named by its
 * kernel file. Any other option is named with `hutch run` before it.
 */
export function commandNames(flags: { readonly [flag: string]: unknown }): OptionNames {
  return dropinNames({}, (key, value) => {
    const row = optionRow(key) ?? optionRow(key.split('.')[0]!)
    if (row && Object.hasOwn(flags, row.flag)) return commandLineOption(key, value)
    const file = Object.values(limitRowOf).find((limit) => limit.key === key)?.file
    return file === undefined || value === undefined ? file : `${file}=${shellWord(value)}`
  })
}
