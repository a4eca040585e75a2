// SPDX-License-Identifier: Apache-2.0
// hutch cgroup apply: creates the groups of a saved file that this host lacks, sets values that differ, and prints each change.

import { applySnapshot, parseSnapshot, type SnapshotChange } from '../../cgroup/snapshot.ts'
import { fail, quote } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { print } from '../../system/stdout.ts'
import { readTextFile } from '../../system/text-file.ts'
import { encodePath } from '../../text/non-utf8.ts'
import { formatJson } from '../../text/quote.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: {
    'dry-run': { short: 'n', help: 'Print what would be done, and change nothing.' },
    json: { help: 'Print the changes as JSON.' },
    quiet: { short: 'q', help: 'Print nothing.' },
  },
  words: 'FILE',
  minWords: 1,
  main({ values, rest: [path] }) {
    const snapshot = parseSnapshot(readInput(path!), path!)
    const changes = applySnapshot(readHost(), snapshot, values['dry-run'] !== undefined)
    if (values.json) print(`${formatJson(changes, 2)}\n`)
    else if (!values.quiet) print(changes.map(formatChange).join(''))
    return 0
  },
}

/** Maximum size of a saved file in bytes. */
const maxSnapshotBytes = 4 << 20

function readInput(path: string): string {
  try {
    return readTextFile(path === '-' ? 0 : encodePath(path), maxSnapshotBytes)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fail('FILE_REFUSED', {
      what: 'read',
      path,
      errno: code,
      remedy: 'name a file that hutch cgroup save wrote, or -',
    })
  }
}

function formatChange(change: SnapshotChange): string {
  if ('make' in change) return `make    ${quote(change.make)}\n`
  if ('enable' in change) return `enable  ${change.controllers.join(' ')} below ${quote(change.enable)}\n`
  if ('set' in change) return `set     ${quote(change.set)} to ${quote(change.value)}\n`
  return `give    ${quote(change.owner)} to ${change.uid}:${change.gid}\n`
}
