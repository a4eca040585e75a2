// SPDX-License-Identifier: Apache-2.0
// hutch cgroup exec: joins a group in all its hierarchies and becomes the command; 126 and 127 as the shell has them.
import { writeSync } from 'node:fs'
import { Cgroup } from '../../cgroup/cgroup.ts'
import { explainWrite } from '../../cgroup/refusal.ts'
import { fail } from '../../errors.ts'
import { readOpenFilesLimit } from '../../host/limits.ts'
import { errnoName, native } from '../../native.ts'
import { approachGroup } from '../../systemd/approach.ts'
import type { Verb } from '../cgroup.ts'

export const verb: Verb = {
  flags: {},
  words: 'GROUP [--] COMMAND [ARG…]',
  least: 2,
  command: true,
  async main(_values, [name, ...rest]) {
    const argv = rest[0] === '--' ? rest.slice(1) : rest
    if (argv.length === 0) throw fail('COMMAND_MISSING', { usage: 'hutch cgroup exec GROUP -- COMMAND [ARG…]' })
    const directories = [...new Set(Object.values(Cgroup.open(name!).directories))]
    for (const directory of directories) await approachGroup(directory)
    const [at, number] = native().exec(
      directories.map((directory) => `${directory}/cgroup.procs`).join('\0'),
      argv.join('\0'),
      argv.length,
      readOpenFilesLimit(process.ppid),
    )
    const errno = errnoName(-number)
    if (at >= 0)
      throw explainWrite({ directory: directories[at]!, file: 'cgroup.procs', value: String(process.pid), errno })
    const missing = errno === 'ENOENT'
    const remedy = missing ? 'give its path, or see that it is in PATH' : 'give an executable program'
    writeSync(2, `hutch: ${fail('FILE_REFUSED', { what: 'run', path: argv[0]!, errno, remedy }).message}\n`)
    return missing ? 127 : 126
  },
}
