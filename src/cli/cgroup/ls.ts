// SPDX-License-Identifier: Apache-2.0
// hutch cgroup ls: prints the paths of the groups below a group (by default the root), one per line.
import { Cgroup } from '../../cgroup/cgroup.ts'
import { print } from '../../system/stdout.ts'
import { escapeUnsafe, formatJson } from '../../text/quote.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: {
    recursive: { short: 'r', help: 'List all levels.' },
    json: { help: 'Print the groups with directories and processes as JSON.' },
  },
  words: '[GROUP]',
  main({ values, rest: [name = '/'] }) {
    const groups = list(Cgroup.open(name), values.recursive !== undefined)
    if (values.json) {
      const rows = groups.map((group) => ({
        path: group.path,
        directories: group.directories,
        processes: group.processes(),
      }))
      print(`${formatJson(rows, 2)}\n`)
    } else print(groups.map((group) => `${escapeUnsafe(group.path)}\n`).join(''))
    return 0
  },
}

function list(group: Cgroup, deep: boolean): Cgroup[] {
  return group.children().flatMap((child) => [child, ...(deep ? list(child, true) : [])])
}
