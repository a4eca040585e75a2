// SPDX-License-Identifier: Apache-2.0
// Texts that refer to options by key. Errors carry them; each front end puts in the names of its own options. Pure, except `asRoot`.

/** Names of options as the users of one front end type them. Each front end has its own value; the library's is in this file. */
export interface OptionNames {
  /** Returns an option of a run with its value; undefined if this front end has no such option. */
  option(key: string, value?: string): string | undefined
  /** Returns the same. If this front end has no such option, names the option of `hutch run`. */
  runOption(key: string, value?: string): string
  /** Options that only a drop-in command has, by key. */
  toolOptions?: { readonly [key: string]: string }
}

/** A text, with references to options as data. */
export type RemedyText = string | readonly Part[]
type Part = string | OptionReference | Choice

interface OptionReference {
  option: string
  value?: string | undefined
}

interface Choice {
  ways: readonly Way[]
  otherwise: string
}

/** One way out of a problem: its words, with `%` in place of an option. It does not exist where the option does not. */
interface ConditionalWay extends OptionReference {
  words: string
  /** The option of a drop-in command, not of a run. */
  ofTool?: true
}

export type Way = string | undefined | ConditionalWay

const libraryOption = (key: string, value?: string) => (value === undefined ? key : `${key}: '${value}'`)

/** The library, whose options are the keys. */
export const libraryNames: OptionNames = { option: libraryOption, runOption: libraryOption }

/** Refers to an option of a run. */
export function optionOfRun(key: string, value?: string): RemedyText {
  return [{ option: key, value }]
}

/** Makes a text from a template: `` text`give ${optionOfRun('parent')}` ``. */
export function text(strings: TemplateStringsArray, ...inner: readonly RemedyText[]): RemedyText {
  return strings.flatMap((part, i) => {
    const reference = inner[i] ?? ''
    return typeof reference === 'string' ? [part + reference] : [part, ...reference]
  })
}

/** Returns a way that exists in front ends with this option of a run. */
export function withOption(words: string, option: string, value?: string): Way {
  return { words, option, value }
}

/** Returns a way that exists in drop-in commands with this option. */
export function withToolOption(words: string, option: string): Way {
  return { words, option, ofTool: true }
}

/** Returns the words, or undefined for a process that is root already. */
export function asRoot(words = 'run as root'): string | undefined {
  return process.geteuid?.() === 0 ? undefined : words
}

/** Joins the ways that exist; the last text stands alone if no way does. */
export function oneOf(ways: readonly Way[], otherwise: string): RemedyText {
  return [{ ways, otherwise }]
}

/** Returns the text with the option names of a front end. */
export function inWords(words: RemedyText, names: OptionNames): string {
  if (typeof words === 'string') return words
  return words
    .map((part) => {
      if (typeof part === 'string') return part
      if ('option' in part) return names.runOption(part.option, part.value)
      const ways = part.ways.flatMap((way) => wayInWords(way, names) ?? [])
      return ways.join(', or ') || part.otherwise
    })
    .join('')
}

function wayInWords(way: Way, names: OptionNames): string | undefined {
  if (way === undefined || typeof way === 'string') return way
  const name = way.ofTool ? names.toolOptions?.[way.option] : names.option(way.option, way.value)
  return name === undefined ? undefined : way.words.replace('%', () => name)
}
