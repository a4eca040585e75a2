// SPDX-License-Identifier: Apache-2.0
// The type of a command of the CLI. Help, man pages, completion and the dispatcher read it. Pure.
import type { FlagTable, Parsed } from './flags.ts'

/** A command, or a verb of a command such as `hutch cgroup set`: its options, its operands, its help, and the function that runs it. */
export interface Command {
  /** Operands after the options, as the usage line shows them: `GROUP FILE=VALUE…`. */
  words: string
  /** Other usage lines of the command, without `hutch NAME` at the start. */
  otherUsages?: readonly string[]
  /** Paragraphs of the help below the usage line. They are wrapped when printed. */
  details?: string
  flags: FlagTable
  /** Minimum and maximum number of operands; by default 0 and unlimited. */
  minWords?: number
  maxWords?: number
  /** True if options end at the first operand, because the operands are the command line of another program. */
  runsCommand?: true
  examples?: readonly (readonly [line: string, meaning: string])[]
  /** Exit statuses; by default 0 for success and 125 for a failure of hutch. */
  statuses?: readonly (readonly [status: string, meaning: string])[]
  /** Splits the command's arguments into options and operands. By default, `parseFlags` with `flags`. */
  parse?(args: string[]): Parsed | Promise<Parsed>
  /** Runs the command and returns its exit status. */
  main(parsed: Parsed): number | Promise<number>
}

/** A table of commands by name. The summary of a command is an imperative sentence. */
export type CommandTable = { readonly [name: string]: CommandEntry }

/** An entry of the table: the summary, and the function that loads the command. */
export interface CommandEntry {
  summary: string
  load(): Promise<{ command: Command | CommandGroup }> | { command: Command | CommandGroup }
}

/** A command that has verbs, such as `hutch cgroup create`. */
export interface CommandGroup {
  verbs: CommandTable
  details?: string
}
