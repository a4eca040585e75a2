// SPDX-License-Identifier: Apache-2.0
// Kills, freezes or thaws a group and waits for the result (cgroup-v2.rst; cgroup-v1/freezer-subsystem.rst). Called by group.ts,
// actions.ts, library/cgroup.ts and hutch cgroup.

import { fail } from '../errors/errors.ts'
import { systemConstants } from '../system/constants.ts'
import { errnoName, native } from '../system/native.ts'
import { encodePath } from '../text/non-utf8.ts'
import { walkGroups, writeGroupFile } from './files.ts'
import { planFreeze } from './freeze-writes.ts'
import type { GroupPaths } from './group-paths.ts'
import { describeProcesses, shortenList } from './group-state.ts'
import { makeWrites, waitFor } from './restore.ts'

function directoriesOf(paths: GroupPaths): string[] {
  return [...new Set(Object.values(paths.directories))]
}

/**
 * Kills all processes of the group and its descendants. One write is enough if the kernel has cgroup.kill and all processes are in the v2
 * tree. Otherwise hutch kills each process, and repeats this until none is left, because processes may fork meanwhile. A frozen v1 group is
 * thawed first, because frozen tasks cannot end.
 *
 * @throws CGROUP_REFUSED if a process survives or cannot be killed
 */
export async function killGroup(paths: GroupPaths): Promise<void> {
  const unified = paths.directories['']
  if (unified !== undefined) writeGroupFile(unified, 'cgroup.kill', '1')
  await makeWrites(planFreeze(paths, false).filter(({ file }) => file === 'freezer.state'))
  if (unified !== undefined && Object.keys(paths.directories).length === 1)
    writeGroupFile(unified, 'cgroup.freeze', '0')
  let forbidden = false
  const gone = await waitFor(() => {
    const left = directoriesOf(paths).flatMap((directory) => walkGroups(directory).map(killListed))
    const listed = left.filter((count) => count !== 0)
    forbidden = listed.length > 0 && listed.every((count) => count < 0 && errnoName(count) === 'EPERM')
    return listed.length === 0 || forbidden
  })
  if (gone && !forbidden) return
  const directory = directoriesOf(paths)[0]!
  throw fail('CGROUP_REFUSED', {
    what: 'kill all processes of',
    path: directory,
    errno: forbidden ? 'EPERM' : 'EBUSY',
    evidence: [`still there: ${shortenList(describeProcesses(directory))}`],
    remedy: forbidden
      ? "run as root, or as the processes' own user"
      : 'a process in uninterruptible sleep ends when its kernel operation finishes; check ps -o stat,wchan',
  })
}

/** Kills the processes that a group lists, except this process. Returns their number, or -errno if one of them cannot be killed. */
function killListed(directory: string): number {
  const count = signalList(directory, 'cgroup.procs')
  // in a threaded v2 group, only the list of threads can be read
  return count < 0 && errnoName(count) === 'EOPNOTSUPP' ? signalList(directory, 'cgroup.threads') : count
}

function signalList(directory: string, file: string): number {
  const count = native().signalListed(encodePath(`${directory}/${file}`), systemConstants.signals.SIGKILL, process.pid)
  return count < 0 && ['ENOENT', 'ENODEV'].includes(errnoName(count)) ? 0 : count
}

/** Freezes or thaws a group and waits until the kernel confirms it. @throws CGROUP_FILE_MISSING, CGROUP_REFUSED, CGROUP_WRITE_REFUSED */
export async function freezeGroup(paths: GroupPaths, frozen: boolean): Promise<void> {
  const writes = planFreeze(paths, frozen)
  if (writes.length === 0)
    throw fail('CGROUP_FILE_MISSING', {
      file: 'cgroup.freeze',
      group: paths.path,
      evidence: ['the group is not in a v2 tree or in the freezer hierarchy'],
      remedy: 'create it with the controller freezer',
    })
  await makeWrites(writes)
  for (const { directory, isDone } of writes)
    if (!isDone())
      throw fail('CGROUP_REFUSED', {
        what: frozen ? 'freeze' : 'thaw',
        path: directory,
        errno: 'EBUSY',
        remedy: 'a process in uninterruptible sleep freezes when its kernel operation finishes; check ps -o stat,wchan',
      })
}
