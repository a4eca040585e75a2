// SPDX-License-Identifier: Apache-2.0
// hutch cgroup freeze: stops all tasks of groups until they are thawed.
import { Cgroup } from '../../cgroup/cgroup.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: {},
  words: 'GROUP…',
  minWords: 1,
  async main({ rest: names }) {
    for (const group of names.map((name) => Cgroup.open(name))) await group.freeze()
    return 0
  },
}
