// SPDX-License-Identifier: Apache-2.0
// Converts FILE=VALUE words, and the limit options that create shares with run, to kernel files and values.
import { fail } from '../../errors/errors.ts'
import { limitRows } from '../../options/limits.ts'
import { isRepeated } from '../../options/table.ts'
import type { FlagTable } from '../flags.ts'

/** A setting: a kernel file, its new value, and the option or word on the command line that requested it. */
interface Assignment {
  file: string
  value: string | string[]
  origin: string
}

/** Parses a word such as `memory.max=50M`. @throws OPTION_INVALID */
export function parseSetting(word: string, origin: string): Assignment {
  const at = word.indexOf('=')
  if (at < 1)
    throw fail('OPTION_INVALID', {
      name: origin,
      value: word,
      why: 'there is no = in it',
      accepted: 'FILE=VALUE, such as memory.max=50M',
    })
  return { file: word.slice(0, at), value: word.slice(at + 1), origin: word.slice(0, at) }
}

/** The options of `hutch run` that set limits, which other commands accept too. */
export const limitFlags: FlagTable = Object.fromEntries(
  limitRows.map((row) => [row.flag, { ...row, repeat: isRepeated(row) }]),
)

/** Returns the files and values that limit options request. @throws OPTION_INVALID */
export function readLimitFlags(values: { [flag: string]: string[] }): Assignment[] {
  return limitRows.flatMap(({ flag, file, kind, parse, accepted }): Assignment[] => {
    const typed = values[flag]
    if (typed === undefined) return []
    const texts = (kind === 'texts' ? typed : typed.slice(-1)).map((text) => {
      const value = parse(kind === 'switch' ? true : text)
      if (value !== undefined) return value
      throw fail('OPTION_INVALID', { name: `--${flag}`, value: text, accepted })
    })
    return [{ file, value: kind === 'texts' ? texts : texts[0]!, origin: `--${flag}` }]
  })
}
