// SPDX-License-Identifier: Apache-2.0
// hutch links: creates links to this program under the names of the drop-ins. It never replaces a file that is not such a link.

import { dropins } from '../dropin/table.ts'
import { fail } from '../errors/errors.ts'
import { lstatSync, readlinkSync, realpathSync, symlinkSync, unlinkSync } from '../system/files.ts'
import { resolve } from '../system/paths.ts'
import { print } from '../system/stdout.ts'
import { formatJson } from '../text/quote.ts'
import type { Command } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'

const flags: FlagTable = {
  dir: { value: 'DIR', help: 'Directory for the links, such as /usr/local/bin.' },
  remove: { help: 'Remove the links.' },
  json: { help: 'Print the paths that were created or removed as JSON.' },
}

export const command: Command = {
  words: '[NAME…]',
  otherUsages: ['--dir DIR --remove [NAME…]'],
  details: `Links that it installs without NAME: ${Object.keys(dropins).join(', ')}.`,
  flags,
  examples: [
    ['hutch links --dir /usr/local/bin hutch-oci', 'Install only the OCI runtime for podman and others.'],
    ['hutch links --dir ~/hutch-bin', 'Install all, in a directory that only some shells have in PATH.'],
  ],
  main,
}

function main({ values, rest }: Parsed): number {
  const directory = values.dir?.[0]
  if (directory === undefined) throw fail('WORDS_MISSING', { usage: 'hutch links --dir DIR [--remove] [NAME…]' })
  const program = realpathSync(process.argv[1]!)
  const known = Object.keys(dropins)
  const unknown = rest.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw fail('OPTION_INVALID', { name: 'NAME', value: unknown, accepted: `one of ${known.join(', ')}` })
  const paths = (rest.length > 0 ? rest : known).map((name) => resolve(directory, name))
  const states = paths.map((path) => [path, stateOf(path, program)] as const)
  const only = (wanted: string) => states.filter(([, state]) => state === wanted).map(([path]) => path)
  // check all names before creating the first link, so that all or none are created
  const foreign = values.remove ? undefined : only('foreign')[0]
  if (foreign !== undefined)
    throw fail('LINK_FOREIGN', { path: foreign, what: 'a file with this name exists that hutch did not create' })
  const changed = values.remove ? only('ours') : only('free')
  for (const path of changed)
    if (values.remove) attempt('remove', path, () => unlinkSync(path))
    else attempt('make the link', path, () => symlinkSync(program, path))
  if (values.json) print(`${formatJson(changed, 2)}\n`)
  return 0
}

function stateOf(path: string, program: string): 'free' | 'ours' | 'foreign' {
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
