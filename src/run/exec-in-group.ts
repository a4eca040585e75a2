// SPDX-License-Identifier: Apache-2.0
// Moves this process into control groups and executes a command in its place. The command therefore keeps the process
// id, signals, terminal and exit status. Called by cgexec and `hutch cgroup exec`.
import { explainWrite } from '../cgroup/write-errors.ts'
import type { HutchError } from '../errors/errors.ts'
import { readOpenFilesLimit } from '../host/limits.ts'
import { errnoName, native } from '../system/native.ts'
import { approachGroup } from '../systemd/delegated-group.ts'
import { encodePath } from '../text/non-utf8.ts'
import { checkTasksForNode } from './node-tasks.ts'

/** Why this process was not replaced by the command: a group could not be joined, or exec failed. */
interface NotBecome {
  error: HutchError
  failed: 'join' | 'not-found' | 'not-executable'
}

/**
 * Joins `directories` in the given order, then executes the command. Returns only on failure. Without root, the process
 * first joins a scope if systemd requires it.
 *
 * @throws SYSTEMD_*, CGROUP_REFUSED, TASKS_TOO_FEW
 */
export async function execInGroups(directories: readonly string[], argv: readonly string[]): Promise<NotBecome> {
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
