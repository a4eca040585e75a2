// SPDX-License-Identifier: Apache-2.0
// Joins groups and becomes a command, in place: process id, signals, terminal and status are then the command's own.
import { explainWrite } from '../cgroup/write-errors.ts'
import type { HutchError } from '../errors/errors.ts'
import { readOpenFilesLimit } from '../host/limits.ts'
import { errnoName, native } from '../system/native.ts'
import { approachGroup } from '../systemd/delegated-group.ts'
import { encodePath } from '../text/non-utf8.ts'
import { checkTasksForNode } from './node-tasks.ts'

/** What kept it from becoming the command: a group that could not be joined, or the command itself. */
interface NotBecome {
  error: HutchError
  failed: 'join' | 'not-found' | 'not-executable'
}

/**
 * Comes back only on failure. `directories` are joined in order; a user's process goes by way of a scope where it has to.
 * @throws SYSTEMD_*, CGROUP_REFUSED, TASKS_TOO_FEW
 */
export async function becomeInside(directories: readonly string[], argv: readonly string[]): Promise<NotBecome> {
  checkTasksForNode(directories, argv[0]!)
  for (const directory of directories) await approachGroup(directory)
  const [at, number] = native().exec(
    encodePath(directories.map((directory) => `${directory}/cgroup.procs`).join('\0')),
    encodePath(argv.join('\0')),
    argv.length,
    readOpenFilesLimit(process.ppid),
  )
  const errno = errnoName(-number)
  if (at >= 0) {
    const write = { directory: directories[at]!, file: 'cgroup.procs', value: String(process.pid), errno }
    return { error: explainWrite(write), failed: 'join' }
  }
  const error = await (await import('./exec-again.ts')).explainExec(argv, errno)
  return { error, failed: errno === 'ENOENT' ? 'not-found' : 'not-executable' }
}
