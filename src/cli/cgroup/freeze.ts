// SPDX-License-Identifier: Apache-2.0
// hutch cgroup freeze: all tasks of groups stop, until they are thawed.
import { Cgroup } from '../../cgroup/cgroup.ts'
import type { Verb } from './verb.ts'

export const verb: Verb = {
  flags: {},
  words: 'GROUP…',
  least: 1,
  async main(_values, names) {
    for (const group of names.map((name) => Cgroup.open(name))) await group.freeze()
    return 0
  },
}
