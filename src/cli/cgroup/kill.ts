// SPDX-License-Identifier: Apache-2.0
// hutch cgroup kill: kills all processes of groups and their descendants, and waits until they have ended.
import { killGroup } from '../../cgroup/freeze-kill.ts'
import { openGroup } from '../../cgroup/group.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: {},
  words: 'GROUP…',
  minWords: 1,
  async main({ rest: names }) {
    for (const group of names.map(openGroup)) await killGroup(group)
    return 0
  },
}
