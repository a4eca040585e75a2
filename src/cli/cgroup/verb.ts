// SPDX-License-Identifier: Apache-2.0
// What a verb of hutch cgroup is: cgroup.ts calls it.
import type { FlagTable } from '../flags.ts'

/** One verb: its flags, its words as usage shows them, and what it does. */
export interface Verb {
  flags: FlagTable
  /** What stands behind the flags, such as `GROUP FILE=VALUE…`. */
  words: string
  /** How many words at least. */
  least: number
  /** Flags end at the first word: what follows is a command's. */
  command?: true
  main(values: { [flag: string]: string[] }, words: string[]): Promise<number> | number
}
