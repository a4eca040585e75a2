// SPDX-License-Identifier: Apache-2.0
// hutch cgroup reclaim: status 1 when the kernel could not take that much back.
import { Cgroup } from '../../cgroup/cgroup.ts'
import { formatSize } from '../../units.ts'
import { print } from '../output.ts'
import type { Verb } from './verb.ts'

export const verb: Verb = {
  flags: {},
  words: 'GROUP SIZE',
  least: 2,
  async main(_values, [name, size]) {
    const group = Cgroup.open(name!)
    const current = () => group.stats().memory?.current ?? 0
    const before = current()
    const enough = await group.reclaim(size!)
    print(`memory.current: ${formatSize(before)} → ${formatSize(current())}\n`)
    return enough ? 0 : 1
  },
}
