// SPDX-License-Identifier: Apache-2.0
// hutch cgroup exec: joins a group in all its hierarchies and executes the command. Exit status 126 or 127 if that fails, as in a shell.
import { openGroup } from '../../cgroup/group.ts'
import { fail, nameOptions } from '../../errors/errors.ts'
import { execInGroups } from '../../run/exec-in-group.ts'
import { writeStderr } from '../../system/stderr.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: {},
  words: 'GROUP [--] COMMAND [ARG…]',
  minWords: 2,
  runsCommand: true,
  async main({ rest: [name, ...rest] }) {
    const argv = rest[0] === '--' ? rest.slice(1) : rest
    if (argv.length === 0) throw fail('COMMAND_MISSING', { usage: 'hutch cgroup exec GROUP -- COMMAND [ARG…]' })
    const directories = [...new Set(Object.values(openGroup(name!).directories))]
    const { error, failed } = await execInGroups(directories, argv)
    if (failed === 'join') throw error
    const { commandNames } = await import('../../options/names.ts')
    writeStderr(`hutch: ${nameOptions(error, commandNames({})).message}\n`)
    return failed === 'not-found' ? 127 : 126
  },
}
