// SPDX-License-Identifier: Apache-2.0
// hutch cgroup ls: prints the paths of the groups below a group (by default the root), one per line.
import { listIds, openGroup } from '../../cgroup/group.ts'
import { childGroupPaths, type GroupPaths } from '../../cgroup/group-paths.ts'
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
    const groups = list(openGroup(name), values.recursive !== undefined)
    if (values.json) {
      const rows = groups.map((group) => ({
        path: group.path,
        directories: group.directories,
        processes: listIds(group, 'cgroup.procs'),
      }))
      print(`${formatJson(rows, 2)}\n`)
    } else print(groups.map((group) => `${escapeUnsafe(group.path)}\n`).join(''))
    return 0
  },
}

function list(group: GroupPaths, deep: boolean): GroupPaths[] {
  return childGroupPaths(group).flatMap((child) => [child, ...(deep ? list(child, true) : [])])
}
