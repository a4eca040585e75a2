// SPDX-License-Identifier: Apache-2.0
// Loads every command with its verbs, for man pages, completion and the docs.
import type { CommandGroup } from '../command.ts'
import type { Described } from './man.ts'

/** A command of hutch. A command with verbs also has the list of its verbs. */
interface DescribedCommand {
  name: string
  summary: string
  parts: Described[]
}

/** Returns the descriptions of all commands, in the order of the table. */
export async function describeAll({ verbs }: CommandGroup): Promise<DescribedCommand[]> {
  const all: DescribedCommand[] = []
  for (const [name, { summary, load }] of Object.entries(verbs)) {
    const { command } = await load()
    if (!('verbs' in command)) {
      all.push({ name, summary, parts: [{ name, summary, command }] })
      continue
    }
    const parts = (await describeAll(command)).flatMap((verb) =>
      verb.parts.map((part) => ({ ...part, name: `${name} ${part.name}` })),
    )
    all.push({ name, summary, parts })
  }
  return all
}
