// SPDX-License-Identifier: Apache-2.0
// The type of a row of the option table. Pure.

/** Sections of the help, the man page and the reference, in this order. */
export const sections = {
  limits: 'Limits',
  isolation: 'Isolation',
  files: 'Files',
  network: 'Network',
  rights: 'Rights',
  time: 'Time and output',
  report: 'Reporting',
} as const

export type Section = keyof typeof sections

/**
 * How the words of the command line become the library's value:
 *
 * - `switch`: true; a value that it has besides is read by `hutch run` itself. `off`: false.
 * - `text`: the last value. `texts`: all values, as a list.
 * - `words`: all values, split at commas. `list`: the last value, split at commas; `none` is an empty list.
 * - `kinds`: as `list`, but `all` and `none` stay words.
 * - `pairs`: NAME=VALUE of all values, as an object; a name that is repeated is an error.
 * - `environment`: as `pairs`, but NAME alone takes the caller's value, and the last one wins.
 * - `mount`: an entry of `mounts`; all options of this kind share one list, in the order of the command line.
 * - `files`: FILE=VALUE of all values, as further keys of `limits`.
 * - `command`: not an option of the library: `hutch run` itself reads it.
 */
type OptionKind =
  | 'switch'
  | 'off'
  | 'text'
  | 'texts'
  | 'words'
  | 'list'
  | 'kinds'
  | 'pairs'
  | 'environment'
  | 'mount'
  | 'files'
  | 'command'

/** One option: everything that help, parsers, errors, man pages, completion and docs state about it. */
export interface OptionRow {
  /** Name on the command line, without dashes. */
  flag: string
  /** Path in the library's options, such as `limits.memory`. Absent if only the command line has the option. */
  key?: string
  kind: OptionKind
  /** Another name of `key` in the library. */
  alias?: string
  /** Short name: one letter. */
  short?: string
  /** Word for the value in the help; absent for a switch. */
  value?: string
  section: Section
  help: string
  /** Behaviour without the option, unless that is "off" or "no limit". */
  default?: string
  /** True if the short help also shows the option. */
  common?: true
  /** Name in `hutch bwrap`, without dashes. */
  bwrap?: string
  /** What completion offers as the value. */
  complete?: 'file' | 'directory' | 'user' | 'group' | readonly string[]
}

/** An option that sets a kernel file of a control group. */
export interface LimitRow extends OptionRow {
  key: `limits.${string}`
  file: string
  /**
   * Returns the value in the kernel's format, or undefined if it is invalid. A limit of the kind `texts` is parsed text by text, as
   * `--limit FILE=` accepts it.
   */
  parse: (value: unknown) => string | undefined
  /** Description of accepted values, for errors. */
  accepted: string
}
