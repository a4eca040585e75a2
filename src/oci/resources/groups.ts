// SPDX-License-Identifier: Apache-2.0
// Acts on the existing groups of a container: signals, freezes, thaws, removes. Called by the commands of hutch-oci. All
// functions block, because a command of hutch-oci does nothing else meanwhile.
import { isGroup, isPaused, removeDirectory, walkGroups, writeGroupFile } from '../../cgroup/files.ts'
import { planFreeze } from '../../cgroup/freeze-writes.ts'
import type { GroupPaths } from '../../cgroup/group-paths.ts'
import { explainRemove, explainWrite } from '../../cgroup/write-errors.ts'
import { containerProcesses } from '../../container/status.ts'
import { fail } from '../../errors/errors.ts'
import type { GroupPlace } from '../../options/spec.ts'
import { pauseSync } from '../../system/clock.ts'
import { systemConstants } from '../../system/constants.ts'

type Places = readonly GroupPlace[]

/** Passes of waiting: the first ones last 1 ms, the others 25 ms, together 3 s. */
const maxPasses = 140
const waitMs = (pass: number): number => (pass < 20 ? 1 : 25)

/** Returns places in the form of the functions for groups. */
export function pathsOf(places: Places): GroupPaths {
  const directories = Object.fromEntries(places.map(({ controller, directory }) => [controller, directory]))
  return { path: places[0]?.directory ?? '', directories }
}

/** Returns each directory once: controllers of one v1 hierarchy share it. */
function directoriesOf(places: Places): string[] {
  return [...new Set(places.map(({ directory }) => directory))]
}

/**
 * Sends a signal to all processes of the groups and of the groups below them. SIGKILL is repeated until no new process
 * appears. For other signals the groups are frozen meanwhile, so that each process gets the signal once.
 */
export function signalGroups(places: Places, signal: number): void {
  const isKill = signal === systemConstants.signals.SIGKILL
  const unified = places.find(({ controller }) => controller === '')?.directory
  if (isKill && unified !== undefined) writeGroupFile(unified, 'cgroup.kill', '1')
  const holds = !isKill && !places.some(isPaused)
  if (holds) tryFreeze(places, true)
  try {
    const signalled = new Set<number>()
    for (let pass = 0; pass < maxPasses; pass++) {
      const more = containerProcesses({ groups: places }).filter((pid) => !signalled.has(pid))
      for (const pid of more) {
        signalProcess(pid, signal)
        signalled.add(pid)
      }
      if (!isKill || more.length === 0) return
    }
  } finally {
    if (holds) tryFreeze(places, false)
  }
}

/** Sends a signal to a process that may have ended, or belong to another user. */
function signalProcess(pid: number, signal: number): void {
  if (pid === process.pid) return
  try {
    process.kill(pid, signal)
  } catch {
    // the kernel has removed the process, or refuses the signal; the caller looks whether processes are left
  }
}

/** Freezes all processes of a container, and waits until they stand still. @throws CGROUP_FILE_MISSING, CGROUP_REFUSED, CGROUP_WRITE_REFUSED */
export function freezeGroups(places: Places): void {
  setFrozen(places, true)
}

/** Continues all processes of a container. @throws CGROUP_REFUSED, CGROUP_WRITE_REFUSED */
export function thawGroups(places: Places): void {
  setFrozen(places, false)
}

function setFrozen(places: Places, frozen: boolean): void {
  const failed = tryFreeze(places, frozen)
  if (!failed) return
  // a half-frozen container would stand still although its status says that it runs
  if (frozen) tryFreeze(places, false)
  throw failed
}

/** Freezes or thaws in each hierarchy that can. Returns the error of the first that refused, after trying all. */
function tryFreeze(places: Places, frozen: boolean): Error | undefined {
  const writes = planFreeze(pathsOf(places), frozen)
  if (frozen && writes.length === 0)
    return fail('CGROUP_FILE_MISSING', {
      file: 'cgroup.freeze',
      group: places[0]?.directory ?? '',
      evidence: ['the container has no group in a v2 tree or in the freezer hierarchy'],
      remedy: 'create the container as root, or with a delegated group',
    })
  let failed: Error | undefined
  for (const { directory, file, value, isDone } of writes) {
    const errno = writeGroupFile(directory, file, value)
    // a group that no longer exists is not frozen
    if (!frozen && errno === 'ENOENT') continue
    for (let pass = 0; errno === undefined && pass < maxPasses && !isDone(); pass++) {
      pauseSync(waitMs(pass))
      // v1's freezer misses a task that is just entering or leaving the freezer of v2
      if (pass >= 20) writeGroupFile(directory, file, value)
    }
    if (errno !== undefined) failed ??= explainWrite({ directory, file, value, errno })
    else if (!isDone())
      failed ??= fail('CGROUP_REFUSED', {
        what: frozen ? 'freeze' : 'thaw',
        path: directory,
        errno: 'EBUSY',
        remedy: 'a process in uninterruptible sleep freezes when its kernel operation finishes; check ps -o stat,wchan',
      })
  }
  return failed
}

/** Removes the groups that have no process and no group below them. Returns the places of the others. */
export function removeUnused(places: Places): GroupPlace[] {
  const used = directoriesOf(places).filter((directory) => ![undefined, 'ENOENT'].includes(removeDirectory(directory)))
  return places.filter(({ directory }) => used.includes(directory))
}

/**
 * Removes the groups of a container with all groups below them, but not their parents. Waits while killed processes are
 * still exiting, at most 3 s for all groups together.
 *
 * @throws CGROUP_REFUSED
 */
export function removeGroups(places: Places): void {
  let left = directoriesOf(places)
  for (let pass = 0; ; pass++) {
    const refused = left.flatMap((directory) => removeAll(directory) ?? [])
    if (refused.length === 0) return
    const { group, errno } = refused[0]!
    if (pass === maxPasses || refused.some((one) => one.errno !== 'EBUSY')) throw explainRemove(group, errno)
    left = left.filter(isGroup)
    pauseSync(waitMs(pass))
  }
}

/** Removes a group and the groups below it, deepest first. Returns the first that the kernel refused. */
function removeAll(directory: string): { group: string; errno: string } | undefined {
  for (const group of walkGroups(directory).reverse()) {
    const errno = removeDirectory(group)
    if (errno !== undefined && errno !== 'ENOENT') return { group, errno }
  }
  return undefined
}
