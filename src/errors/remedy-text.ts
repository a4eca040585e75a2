// SPDX-License-Identifier: Apache-2.0
// Texts that refer to options by key. Errors carry them; each front end puts in the names of its own options. Pure, except `asRoot`.

/**
 * Functions that return the names of options as users of one front end type them. Each front end has its own; that of the library is in
 * this file.
 */
export interface OptionNames {
  /** Returns the name of an option of a run, with its value. Returns undefined if this front end has no such option. */
  option(key: string, value?: string): string | undefined
  /** Returns the name of an option of a run, with its value. If this front end has no such option, returns the name in `hutch run`. */
  runOption(key: string, value?: string): string
  /** Names of options that only a drop-in command has, by key. */
  toolOptions?: { readonly [key: string]: string }
}

/** A text in which options are references, so that each front end can insert its own names. */
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

/** One way to solve a problem: its words, with `%` in place of an option. A front end without this option omits it. */
interface ConditionalWay extends OptionReference {
  words: string
  /** True if the option belongs to a drop-in command, and not to a run. */
  ofTool?: true
}

export type Way = string | undefined | ConditionalWay

const libraryOption = (key: string, value?: string) => (value === undefined ? key : `${key}: '${value}'`)

/** Names of options in the library, in which an option's name is its key. */
export const libraryNames: OptionNames = { option: libraryOption, runOption: libraryOption }

/** Returns a reference to an option of a run, for use in a text. */
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

/** Returns a way to solve a problem that only front ends with this option of a run offer. */
export function withOption(words: string, option: string, value?: string): Way {
  return { words, option, value }
}

/** Returns a way to solve a problem that only drop-in commands with this option offer. */
export function withToolOption(words: string, option: string): Way {
  return { words, option, ofTool: true }
}

/** Returns the words of a solution that requires root, or undefined if this process is already root. */
export function asRoot(words = 'run as root'): string | undefined {
  return process.geteuid?.() === 0 ? undefined : words
}

/** Joins the ways to solve a problem that a front end offers. If it offers none of them, only the last text is used. */
export function oneOf(ways: readonly Way[], otherwise: string): RemedyText {
  return [{ ways, otherwise }]
}

/** Returns the text, with the option names of a front end inserted. */
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
