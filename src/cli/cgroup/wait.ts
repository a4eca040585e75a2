// SPDX-License-Identifier: Apache-2.0
// hutch cgroup wait: waits until groups and their descendants contain no process.

import { readGroupFile, readWords, walkGroups } from '../../cgroup/files.ts'
import { openGroup } from '../../cgroup/group.ts'
import type { GroupPaths } from '../../cgroup/group-paths.ts'
import { findFlat } from '../../cgroup/stats.ts'
import type { Command } from '../command.ts'
import { readTime } from '../polling.ts'

/** Milliseconds between two reads of a v1 group: v1 has no file that reports when a group becomes empty. */
const interval = 50

export const command: Command = {
  flags: { timeout: { value: 'TIME', help: 'Stop waiting after this time (10s).' } },
  words: 'GROUP…',
  details: 'A group that is removed while hutch waits counts as empty.',
  minWords: 1,
  examples: [['hutch cgroup wait jobs && hutch cgroup rm jobs', 'Remove a group after its last process has ended']],
  statuses: [
    ['0', 'No process is left'],
    ['124', 'The time of --timeout passed'],
    ['125', 'hutch failed'],
  ],
  main({ values, rest: names }) {
    const ms = readTime(values, 'timeout') ?? Number.POSITIVE_INFINITY
    const groups = names.map(openGroup)
    const end = performance.now() + ms
    return new Promise<number>((resolve) => {
      const check = () => {
        if (groups.every(isEmpty)) resolve(0)
        else if (performance.now() >= end) resolve(124)
        else setTimeout(check, Math.min(interval, end - performance.now()))
      }
      check()
    })
  },
}

/** Returns true if the group and its descendants have no process. On v2 one file shows this; on v1 each group must be read. */
function isEmpty(group: GroupPaths): boolean {
  return Object.entries(group.directories).every(([controller, directory]) =>
    controller === ''
      ? findFlat(readGroupFile(directory, 'cgroup.events'), 'populated') !== 1
      : walkGroups(directory).every((path) => readWords(path, 'cgroup.procs').length === 0),
  )
}
