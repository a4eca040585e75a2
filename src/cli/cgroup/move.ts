// SPDX-License-Identifier: Apache-2.0
// hutch cgroup move: moves processes, with all their threads, into a group.
import { moveIds, openGroup } from '../../cgroup/group.ts'
import { fail } from '../../errors/errors.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: { threads: { help: 'The numbers are thread ids; only these threads move.' } },
  words: 'GROUP PID…',
  minWords: 2,
  async main({ values, rest: [name, ...words] }) {
    const ids = words.map((word) => {
      if (/^[1-9]\d{0,9}$/.test(word)) return Number(word)
      throw fail('OPTION_INVALID', {
        name: 'PID',
        value: word,
        why: 'not a process id',
        accepted: 'a whole number, at least 1',
      })
    })
    const group = openGroup(name!)
    await moveIds(group, ids, values.threads ? 'cgroup.threads' : 'cgroup.procs')
    return 0
  },
}
