// SPDX-License-Identifier: Apache-2.0
// hutch cgroup reclaim: reclaims memory from a group. Exit status 1 if the kernel reclaimed less than requested.
import { openGroup, reclaimMemory } from '../../cgroup/group.ts'
import { readStats } from '../../cgroup/group-stats.ts'
import { print } from '../../system/stdout.ts'
import { formatSize } from '../../text/units.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: {},
  words: 'GROUP SIZE',
  minWords: 2,
  async main({ rest: [name, size] }) {
    const group = openGroup(name!)
    const current = () => readStats([group])[0]?.memory?.current ?? 0
    const before = current()
    const enough = await reclaimMemory(group, size!)
    print(`memory.current: ${formatSize(before)} → ${formatSize(current())}\n`)
    return enough ? 0 : 1
  },
}
