// SPDX-License-Identifier: Apache-2.0
// hutch cgroup kill: kills all processes of groups and of those below, and waits until they are gone.
import { Cgroup } from '../../cgroup/cgroup.ts'
import type { Verb } from './verb.ts'

export const verb: Verb = {
  flags: {},
  words: 'GROUP…',
  least: 1,
  async main(_values, names) {
    for (const group of names.map((name) => Cgroup.open(name))) await group.kill()
    return 0
  },
}
