// SPDX-License-Identifier: Apache-2.0
// Defines the type of a row of the option table. Pure.

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
 * How values on the command line become the option's value in the library:
 *
 * - `switch`: true. If the flag can also have a value, `hutch run` reads it itself. `off`: false.
 * - `text`: the last value. `texts`: all values, as a list.
 * - `words`: all values, split at commas. `list`: the last value, split at commas; `none` is an empty list.
 * - `kinds`: as `list`, but `all` and `none` are passed as text.
 * - `pairs`: NAME=VALUE of all values, as an object; a repeated name is an error.
 * - `environment`: as `pairs`, but NAME alone takes the caller's value, and the last of equal names is used.
 * - `mount`: an entry of `mounts`; all options of this kind share one list, in the order of the command line.
 * - `files`: FILE=VALUE of all values, added to `limits` under the key FILE.
 * - `command`: only on the command line: `hutch run` reads it itself.
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

/** An option, with everything that help, parsers, errors, man pages, completion and docs need to know about it. */
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
  /** Name of the value in the help, such as FILE; absent for a switch. */
  value?: string
  section: Section
  help: string
  /** Behaviour without the option, unless that is "off" or "no limit". */
  default?: string
  /** True if the option is also in the short help, without `--help=all`. */
  common?: true
  /** Name in `hutch bwrap`, without dashes. */
  bwrap?: string
  /** What shell completion offers as the option's value. */
  complete?: 'file' | 'directory' | 'user' | 'group' | readonly string[]
}

/** An option that sets a kernel file of a control group. */
export interface LimitRow extends OptionRow {
  key: `limits.${string}`
  file: string
  /**
   * Returns the value in the kernel's format, or undefined if the value is invalid. If the kind is `texts`, parses each
   * text separately, because `--limit FILE=` also gives single texts.
   */
  parse: (value: unknown) => string | undefined
  /** Describes valid values, for errors. */
  accepted: string
}
