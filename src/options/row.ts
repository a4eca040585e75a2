// SPDX-License-Identifier: Apache-2.0
// The type of one row of the option table. Pure.

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

/** One option: everything that help, parsers, errors, man pages, completion and docs say of it. */
export interface OptionRow {
  /** Its name on the command line, without dashes. */
  flag: string
  /** Its path in the library's options, such as `limits.memory`. Absent: the command line alone has it. */
  key?: string
  kind: OptionKind
  /** One letter. */
  short?: string
  /** The word for its value in the help. Absent: a switch. */
  value?: string
  section: Section
  help: string
  /** What holds without it, if that is not "off" or "no limit". */
  default?: string
  /** Shown by the short help, too. */
  common?: true
  /** Its name in `hutch bwrap`, without dashes. */
  bwrap?: string
  /** What completion offers for the value. */
  complete?: 'file' | 'directory' | 'user' | 'group' | readonly string[]
}

/** An option that sets a kernel file of a control group. */
export interface LimitRow extends OptionRow {
  key: `limits.${string}`
  file: string
  /**
   * The value as the kernel reads it; undefined if it is invalid. For a limit of the kind `texts`: of each text, as `--limit FILE=`
   * takes it.
   */
  parse: (value: unknown) => string | undefined
  /** What `parse` accepts, for errors. */
  accepted: string
}
