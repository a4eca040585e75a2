// SPDX-License-Identifier: Apache-2.0
// hutch cgroup set: sets files of one group in the given order, all or none.

import { formatFile } from '../../cgroup/format-file.ts'
import { openGroup } from '../../cgroup/group.ts'
import { assignFiles, type FileSetting, planFile } from '../../cgroup/set-file.ts'
import type { Command } from '../command.ts'
import { parseSetting } from './assignment.ts'

export const command: Command = {
  flags: {
    evacuate: { help: 'For cgroup.subtree_control: move processes of the group itself to a new child group.' },
    force: { short: 'f', help: 'Allow memory.max below the memory in use, which kills processes.' },
  },
  words: 'GROUP FILE=VALUE…',
  minWords: 2,
  async main({ values, rest: [name, ...words] }) {
    const assignments = words.map((word) => parseSetting(word, 'FILE=VALUE'))
    const group = openGroup(name!)
    const force = values.force !== undefined
    const evacuate = values.evacuate !== undefined
    // check all words first, so that an invalid one changes nothing; memory.swap.max after memory.max is only parsed: on v1 it
    // depends on the new memory.max
    for (const [i, { file, value }] of assignments.entries())
      if (file === 'memory.swap.max' && assignments.slice(0, i).some((one) => one.file === 'memory.max'))
        formatFile(file, value)
      else planFile(group, file, value, force || evacuate)
    const files = assignments.map(({ file, value }): FileSetting => [file, value])
    await assignFiles(group, files, { force, evacuate })
    return 0
  },
}
