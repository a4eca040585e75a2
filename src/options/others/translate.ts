// SPDX-License-Identifier: Apache-2.0
// Rewrites a command line that contains options of other tools to options of `hutch run`. Loaded only for such a
// command line. Pure, except for calls of `Reads`.
import { fail } from '../../errors/errors.ts'
import { nearest } from '../../text/nearest.ts'
import type { OptionRow } from '../row.ts'
import { optionRows } from '../table.ts'
import { type Accepted, accepted, type Reads } from './accepted.ts'
import { findOther } from './table.ts'

const ownRows = new Map<string, OptionRow>()
for (const row of optionRows) {
  ownRows.set(`--${row.flag}`, row)
  if (row.short) ownRows.set(`-${row.short}`, row)
}

/** Returns true if a word can be the value of Docker's -v: a path, a colon and another path. */
const isVolume = (word: string | undefined) => word !== undefined && /^(\/|\.\/|\.:|~)/.test(word) && word.includes(':')

/**
 * Returns the arguments with other tools' options replaced by those of `hutch run`. `own` are options that the hutch
 * command has besides those in the table. Their names include the dashes.
 *
 * @throws OPTION_UNKNOWN for an option of no known tool, or without equivalent; OPTION_INVALID
 */
export function translateOptions(
  args: readonly string[],
  reads: Omit<Reads, 'lastValue'>,
  own: ReadonlyMap<string, { value?: string }>,
): string[] {
  const context: Reads = { ...reads, lastValue: (name) => lastValue(args, name) }
  const words: string[] = []
  let entrypoint: string | undefined
  let i = 0
  const next = (name: string) => {
    i++
    if (i < args.length) return args[i]!
    throw fail('OPTION_INVALID', { name, value: '', why: 'the value is missing', accepted: `${name} VALUE` })
  }
  for (; i < args.length; i++) {
    const word = args[i]!
    if (word === '--' || !word.startsWith('-') || word === '-') break
    const at = word.startsWith('--') ? word.indexOf('=') : -1
    const name = at < 0 ? word : word.slice(0, at)
    const inline = at < 0 ? undefined : word.slice(at + 1)
    if (word === '-v' && isVolume(args[i + 1])) words.push('--volume', next(word))
    else if (word === '-h' && args[i + 1] !== undefined && !args[i + 1]!.startsWith('-')) throw hostName(args[i + 1]!)
    else if (name === '--help' || name === '-h') words.push(word)
    else if (name === '--entrypoint') entrypoint = inline ?? next(name)
    else if (ownRows.has(name) || own.has(name)) {
      words.push(word)
      if ((ownRows.get(name) ?? own.get(name))!.value !== undefined && inline === undefined) words.push(next(name))
    } else if (Object.hasOwn(accepted, name)) {
      // not words.push(...): a file can have more words than a function can have arguments
      for (const other of translate(name, inline, next, context)) words.push(other)
    } else if (/^-[a-zA-Z]{2,}$/.test(word)) words.push(...splitCluster(word, next, context))
    else throw unknown(name)
  }
  return [
    ...words,
    ...(entrypoint === undefined ? args.slice(i) : ['--', entrypoint, ...args.slice(args[i] === '--' ? i + 1 : i)]),
  ]
}

function translate(name: string, inline: string | undefined, next: (name: string) => string, reads: Reads): string[] {
  const { values, words }: Accepted = accepted[name]!
  if (values === 0 && inline === 'false') throw unknown(`${name}=false`)
  if (values === 0) return words([], reads)
  // some options of bubblewrap take two values; written with `=`, these are separated by a comma
  if (inline !== undefined) {
    const [first, ...rest] = values === 2 ? inline.split(',') : [inline]
    return words([first!, ...rest], reads)
  }
  return words(
    Array.from({ length: values }, () => next(name)),
    reads,
  )
}

/** Splits a word of combined short options, such as `-it`: switches, of which only the last option can take a value. */
function splitCluster(word: string, next: (name: string) => string, reads: Reads): string[] {
  const words: string[] = []
  for (let at = 1; at < word.length; at++) {
    const name = `-${word[at]}`
    const rest = word.slice(at + 1)
    const row = ownRows.get(name)
    if (row?.value !== undefined) return [...words, name, rest === '' ? next(name) : rest]
    if (row) words.push(name)
    else if (!Object.hasOwn(accepted, name)) throw unknown(name)
    else if (accepted[name]!.values === 0) words.push(...accepted[name]!.words([], reads))
    else return [...words, ...accepted[name]!.words([rest === '' ? next(name) : rest], reads)]
  }
  return words
}

function lastValue(args: readonly string[], name: string): string | undefined {
  for (let i = args.length - 1; i >= 0; i--) {
    const word = args[i]!
    if (word === name) return args[i + 1]
    if (name.startsWith('--') ? word.startsWith(`${name}=`) : word.startsWith(name) && !word.startsWith('--'))
      return word.slice(name.startsWith('--') ? name.length + 1 : name.length)
  }
  return undefined
}

function hostName(name: string) {
  return fail('OPTION_INVALID', {
    name: '-h',
    value: name,
    why: '-h prints the help here',
    accepted: `--hostname ${name}`,
  })
}

/** Long names of those short options of docker run that hutch has no equivalent for. */
const longNames: { [short: string]: string } = { '-d': '--detach', '-P': '--publish-all', '-l': '--label' }

function unknown(name: string) {
  const found = findOther(longNames[name] ?? name.replace(/=.*$/, ''))
  if (!found) {
    const near = nearest(name, [...ownRows.keys()])
    return fail('OPTION_UNKNOWN', { name, nearest: near, known: 'hutch run --help=all lists the options' })
  }
  const { tool, row } = found
  const [, hutch, note] = row
  const plain = (text: string) => text.replaceAll('`', '')
  const use =
    hutch === '–' ? '' : hutch === 'default' ? 'leave it out: hutch does this by default' : `use ${plain(hutch)}`
  const known = [use, note === undefined ? '' : plain(note)].filter(Boolean).join('; ')
  return fail('OPTION_UNKNOWN', { name, known: `${known} (${tool} has ${name})` })
}
