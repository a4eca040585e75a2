// SPDX-License-Identifier: Apache-2.0
// hutch cgroup controllers: lists each controller with its hierarchy, and whether groups have it.

import { readWords } from '../../cgroup/files.ts'
import { fail } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { readFileSync } from '../../system/files.ts'
import { print } from '../../system/stdout.ts'
import { formatJson } from '../../text/quote.ts'
import type { Command } from '../command.ts'

interface Row {
  controller: string
  version: 'v2' | 'v1' | 'none'
  mount: string
  /** True if the controller is enabled for the children of the v2 root. Always true for a v1 controller. */
  enabled: boolean
  groups: number | undefined
}

export const command: Command = {
  flags: { json: { help: 'Print the controllers as JSON.' } },
  words: '',
  main({ values }) {
    const rows = readControllers()
    const table = [
      ['CONTROLLER', 'VERSION', 'GROUPS', 'WHERE'],
      ...rows.map((row) => [
        row.controller,
        row.version,
        row.groups === undefined ? '' : String(row.groups),
        row.version === 'v2' && !row.enabled
          ? `${row.mount}, not enabled for the root's children`
          : row.mount || 'in no hierarchy',
      ]),
    ]
    const widths = [0, 1, 2].map((i) => Math.max(...table.map((cells) => cells[i]!.length)))
    print(
      values.json
        ? `${formatJson(rows, 2)}\n`
        : table.map((cells) => `${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}\n`).join(''),
    )
    return 0
  },
}

/**
 * Reads the controllers from the cgroup mounts. Adds the number of groups, and controllers that are not mounted, from /proc/cgroups
 * (cgroups(7)).
 */
function readControllers(): Row[] {
  const host = readHost()
  if (host.layout === 'none') throw fail('CGROUP_MISSING', { need: 'list controllers' })
  const counts = new Map<string, number>()
  for (const line of readProc().split('\n')) {
    const [name = '', , groups] = line.split(/\s+/)
    if (name && !name.startsWith('#')) counts.set(name === 'blkio' && !host.v1.blkio ? 'io' : name, Number(groups))
  }
  const unified = host.unified?.mount
  const available = unified === undefined ? [] : readWords(unified, 'cgroup.controllers')
  const enabled = unified === undefined ? [] : readWords(unified, 'cgroup.subtree_control')
  const names = new Set([...available, ...Object.keys(host.v1), ...counts.keys()])
  return [...names].sort().map((controller): Row => {
    const groups = counts.get(controller)
    const legacy = host.v1[controller]
    if (available.includes(controller))
      return { controller, version: 'v2', mount: unified!, enabled: enabled.includes(controller), groups }
    if (legacy) return { controller, version: 'v1', mount: legacy.mount, enabled: true, groups }
    return { controller, version: 'none', mount: '', enabled: false, groups }
  })
}

function readProc(): string {
  try {
    return readFileSync('/proc/cgroups', 'utf8')
  } catch {
    return ''
  }
}
