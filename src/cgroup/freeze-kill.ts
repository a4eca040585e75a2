// SPDX-License-Identifier: Apache-2.0
// Stops what runs in a group: kills it, or freezes it, and waits until that is so (cgroup-v2.rst; cgroup-v1/freezer-subsystem.rst).

import { fail } from '../errors/errors.ts'
import { pause } from '../system/clock.ts'
import { systemConstants } from '../system/constants.ts'
import { errnoName, native } from '../system/native.ts'
import { encodePath } from '../text/non-utf8.ts'
import { readGroupFile, walkGroups, writeGroupFile } from './files.ts'
import type { Place } from './group-paths.ts'
import { describeProcesses, shortenList } from './group-state.ts'
import { makeWrites } from './restore.ts'
import { planFreeze } from './set-file.ts'

/** Waits in short steps, then longer ones, 3 s at most. Freezing and dying have no file to wait on in every layout. */
async function waitFor(done: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 140; tries++) {
    if (done()) return true
    await pause(tries < 20 ? 1 : 25)
  }
  return done()
}

function directoriesOf(place: Place): string[] {
  return [...new Set(Object.values(place.directories))]
}

/**
 * Kills all processes of the group and its descendants. If the kernel has cgroup.kill and all are in the v2 tree, one write does it.
 * Otherwise hutch kills one by one and repeats until none is left, to catch new forks. A frozen v1 group is thawed first, because its
 * tasks could not die.
 * @throws CGROUP_REFUSED if a process survives or cannot be killed
 */
export async function killPlace(place: Place): Promise<void> {
  const unified = place.directories['']
  if (unified !== undefined) writeGroupFile(unified, 'cgroup.kill', '1')
  await makeWrites(planFreeze(place, false).filter(({ file }) => file === 'freezer.state'))
  if (unified !== undefined && Object.keys(place.directories).length === 1)
    writeGroupFile(unified, 'cgroup.freeze', '0')
  let forbidden = false
  const gone = await waitFor(() => {
    const left = directoriesOf(place).flatMap((directory) => walkGroups(directory).map(killListed))
    const listed = left.filter((count) => count !== 0)
    forbidden = listed.length > 0 && listed.every((count) => count < 0 && errnoName(count) === 'EPERM')
    return listed.length === 0 || forbidden
  })
  if (gone && !forbidden) return
  const directory = directoriesOf(place)[0]!
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

/** Returns how many a group lists, or -errno if one could not be killed. Never kills this process. */
function killListed(directory: string): number {
  const count = signalList(directory, 'cgroup.procs')
  // a threaded group of v2 lists threads alone
  return count < 0 && errnoName(count) === 'EOPNOTSUPP' ? signalList(directory, 'cgroup.threads') : count
}

function signalList(directory: string, file: string): number {
  const count = native().signalListed(encodePath(`${directory}/${file}`), systemConstants.signals.SIGKILL, process.pid)
  return count < 0 && ['ENOENT', 'ENODEV'].includes(errnoName(count)) ? 0 : count
}

/** Freezes or thaws, and waits until the kernel says that it is so. @throws CGROUP_FILE_MISSING, CGROUP_REFUSED, CGROUP_WRITE_REFUSED */
export async function freezePlace(place: Place, frozen: boolean): Promise<void> {
  const unified = place.directories['']
  const legacy = place.directories.freezer
  const writes = planFreeze(place, frozen)
  if (writes.length === 0)
    throw fail('CGROUP_FILE_MISSING', {
      file: 'cgroup.freeze',
      group: place.path,
      evidence: ['the group is not in a v2 tree or in the freezer hierarchy'],
      remedy: 'create it with the controller freezer',
    })
  await makeWrites(writes)
  const done = await waitFor(
    () =>
      (unified === undefined || isFrozen(unified) === frozen || isFrozenAbove(unified)) &&
      (legacy === undefined || (readGroupFile(legacy, 'freezer.state') === 'FROZEN') === frozen),
  )
  if (!done)
    throw fail('CGROUP_REFUSED', {
      what: frozen ? 'freeze' : 'thaw',
      path: unified ?? legacy!,
      errno: 'EBUSY',
      remedy: 'a process in uninterruptible sleep freezes when its kernel operation finishes; check ps -o stat,wchan',
    })
}

function isFrozen(directory: string): boolean {
  return /^frozen 1$/m.test(readGroupFile(directory, 'cgroup.events') ?? '')
}

/** A group above it is frozen: then it stays so, whatever is written here. */
function isFrozenAbove(directory: string): boolean {
  const above = directory.slice(0, directory.lastIndexOf('/'))
  return (
    readGroupFile(above, 'cgroup.freeze') === '1' ||
    (readGroupFile(above, 'cgroup.type') !== undefined && isFrozenAbove(above))
  )
}
