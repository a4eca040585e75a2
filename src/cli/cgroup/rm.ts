// SPDX-License-Identifier: Apache-2.0
// hutch cgroup rm: removes groups. It kills processes and removes descendants only if requested.
import { dropGroup, openGroup } from '../../cgroup/group.ts'
import { readHost } from '../../host/host.ts'
import { releaseScope } from '../../systemd/lasting-scope.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: {
    recursive: { short: 'r', help: 'Remove the groups below, too.' },
    kill: { short: 'k', help: 'Kill the processes of the group first.' },
  },
  words: 'GROUP…',
  minWords: 1,
  async main({ values, rest: names }) {
    const groups = names.map(openGroup)
    for (const group of groups)
      await dropGroup(group, { recursive: values.recursive !== undefined, kill: values.kill !== undefined })
    releaseScope(readHost())
    return 0
  },
}
