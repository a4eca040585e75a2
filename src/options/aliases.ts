// SPDX-License-Identifier: Apache-2.0
// Resolves second names of library options to the first names, and paths that are given as URLs to text. Pure.
import { fail } from '../errors/errors.ts'
import { fileURLToPath } from '../system/paths.ts'
import { parseSignalWord } from '../system/signals.ts'

/** The second names of options. `key` is the first name. */
const aliases: { [name: string]: { key: string; isValid: (value: unknown) => boolean; accepted: string } } = {
  cwd: {
    key: 'workdir',
    isValid: (value) => typeof value === 'string' && /^[^\0]+$/.test(value),
    accepted: 'a directory',
  },
  killSignal: {
    key: 'stopSignal',
    isValid: (value) => parseSignalWord(value) !== undefined,
    accepted: 'a signal such as INT, SIGQUIT or 10',
  },
}

/**
 * Returns a copy of the options with only the first name of each, and with paths as text. `prefix` names the object in
 * errors.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
export function resolveAliases<O extends object>(options: O, prefix = ''): O {
  const input = options as { [key: string]: unknown }
  if (input.cwd === undefined && input.killSignal === undefined && typeof input.workdir !== 'object') return options
  const out = { ...input }
  for (const [name, { key, isValid, accepted }] of Object.entries(aliases)) {
    for (const word of [name, key]) if (isUrl(out[word])) out[word] = toPath(out[word], prefix + word)
    const value = out[name]
    delete out[name]
    if (value === undefined) continue
    if (!isValid(value)) throw fail('OPTION_INVALID', { name: prefix + name, value, accepted })
    if (input[key] !== undefined)
      throw fail('OPTION_CONFLICT', {
        name: prefix + name,
        why: `${key} is the same option`,
        remedy: 'give one of them',
      })
    out[key] = value
  }
  return out as O
}

function isUrl(value: unknown): value is URL {
  return value instanceof URL
}

function toPath(url: URL, name: string): string {
  if (url.protocol === 'file:') return fileURLToPath(url)
  throw fail('OPTION_INVALID', { name, value: url.href, accepted: 'a path or a file URL' })
}
