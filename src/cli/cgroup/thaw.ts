// SPDX-License-Identifier: Apache-2.0
// hutch cgroup thaw: the tasks of groups run again.
import { Cgroup } from '../../cgroup/cgroup.ts'
import type { Verb } from './verb.ts'

export const verb: Verb = {
  flags: {},
  words: 'GROUP…',
  least: 1,
  async main(_values, names) {
    for (const group of names.map((name) => Cgroup.open(name))) await group.thaw()
    return 0
  },
}
