// SPDX-License-Identifier: Apache-2.0
// hutch links: creates links to this program under the names of the drop-ins. It never replaces a file that is not such a link.

import { dropins } from '../dropin/table.ts'
import { fail } from '../errors/errors.ts'
import { lstatSync, readlinkSync, realpathSync, symlinkSync, unlinkSync } from '../system/files.ts'
import { resolve } from '../system/paths.ts'
import type { Command } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'

const flags: FlagTable = {
  dir: { value: 'DIR', help: 'Directory for the links, such as /usr/local/bin.' },
  remove: { help: 'Remove the links.' },
}

export const command: Command = {
  words: '',
  otherUsages: ['--dir DIR --remove'],
  details: `Links that it installs: ${Object.keys(dropins).join(', ')}.`,
  flags,
  maxWords: 0,
  main,
}

function main({ values }: Parsed): number {
  const directory = values.dir?.[0]
  if (directory === undefined) throw fail('WORDS_MISSING', { usage: 'hutch links --dir DIR [--remove]' })
  const program = realpathSync(process.argv[1]!)
  const paths = Object.keys(dropins).map((name) => resolve(directory, name))
  const states = paths.map((path) => [path, look(path, program)] as const)
  if (values.remove) {
    for (const [path, state] of states) if (state === 'ours') attempt('remove', path, () => unlinkSync(path))
    return 0
  }
  // looked at first: all or none
  for (const [path, state] of states)
    if (state === 'foreign')
      throw fail('LINK_FOREIGN', { path, what: 'there is a file of this name that hutch did not make' })
  for (const [path, state] of states)
    if (state === 'free') attempt('make the link', path, () => symlinkSync(program, path))
  return 0
}

function look(path: string, program: string): 'free' | 'ours' | 'foreign' {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return 'free'
  return stat.isSymbolicLink() && readlinkSync(path) === program ? 'ours' : 'foreign'
}

function attempt(what: string, path: string, change: () => void): void {
  try {
    change()
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
    throw fail('FILE_REFUSED', { what, path, errno, remedy: 'name an existing directory that you can write' }, error)
  }
}
