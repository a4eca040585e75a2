// SPDX-License-Identifier: Apache-2.0
// The type of a command of the CLI. Help, man pages, completion and the dispatcher read it. Pure.
import type { FlagTable, Parsed } from './flags.ts'

/** One command or verb: its options and words, what its help says, and the function that runs it. */
export interface Command {
  /** Words after the options, as in the usage line: `GROUP FILE=VALUE…`. */
  words: string
  /** Other forms of the usage line, each after `hutch NAME`. */
  otherUsages?: readonly string[]
  /** Paragraphs below the usage line. The caller wraps the lines. */
  details?: string
  flags: FlagTable
  /** Minimum and maximum number of words; by default 0 and unlimited. */
  minWords?: number
  maxWords?: number
  /** True if options end at the first word, because the words are another command line. */
  runsCommand?: true
  examples?: readonly (readonly [line: string, meaning: string])[]
  /** Exit statuses; by default 0 for success and 125 for a failure of hutch. */
  statuses?: readonly (readonly [status: string, meaning: string])[]
  /** Splits the arguments; `parseFlags` with the flags above by default. */
  parse?(args: string[]): Parsed | Promise<Parsed>
  /** Returns the exit status. */
  main(parsed: Parsed): number | Promise<number>
}

/** Commands by name. The summary is an imperative sentence for lists. */
export type CommandTable = { readonly [name: string]: CommandEntry }

/** Entry of a table: the summary for lists, and how to load the command. */
export interface CommandEntry {
  summary: string
  load(): Promise<{ command: Command | CommandGroup }> | { command: Command | CommandGroup }
}

/** A command that has verbs, such as `hutch cgroup create`. */
export interface CommandGroup {
  verbs: CommandTable
  details?: string
}
