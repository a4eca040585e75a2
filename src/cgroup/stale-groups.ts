// SPDX-License-Identifier: Apache-2.0
// Removes groups of killed hutch processes. Each hutch holds a lock on its groups, so neither a daemon nor a state file is needed.

import { monotonicMs, pause } from '../system/clock.ts'
import { native } from '../system/native.ts'
import { basename } from '../system/paths.ts'
import { encodePath } from '../text/non-utf8.ts'

const shape = /^hutch-(\d+)-(\d+)-(\d+)-\d+$/

/** Returns true if a path leads into the group of a hutch job. */
export function isJobGroup(path: string): boolean {
  return path.split('/').some((name) => shape.test(name))
}

/**
 * Returns true if a directory is in the group of a running job that root started. The name proves nothing, because any user can choose it.
 * But the lock belongs to the user who holds it, and only root can hold it as root.
 */
export function isRootsJobGroup(directory: string): boolean {
  const parts = directory.split('/')
  return parts.some(
    (name, i) => shape.test(name) && native().groupHolder(encodePath(parts.slice(0, i + 1).join('/'))) === 0,
  )
}

/**
 * Returns true if a directory is a job's group and no running hutch holds its lock. Returns false for another user's group, whose lock
 * cannot be tested.
 */
export function isAbandoned(directory: string): boolean {
  return shape.test(basename(directory)) && native().groupHolder(encodePath(directory)) === -1
}

/**
 * Times in milliseconds. A slice of the clean-up blocks the event loop; in the pause after it, killed processes end; the total limits all
 * slices. Each slice starts at the top of the tree again. It is twice as long as the previous one, so a late one reaches the bottom of a
 * deep tree.
 */
const [firstSliceMs, pauseMs, totalMs] = [20, 2, 2000]

/**
 * Removes groups that killed hutch processes left directly below `directories`, with all processes and groups in them
 * (native/caller/stale.c). Returns undefined if the first slice was enough. Otherwise returns a promise that resolves after at most 2 s.
 */
export function sweepGroups(directories: Iterable<string>, pidNamespace: string): Promise<void> | undefined {
  const words = encodePath([...new Set(directories)].join('\0'))
  const more = (sliceMs: number) => native().sweepGroups(words, Number(pidNamespace), sliceMs)
  return more(firstSliceMs) ? sweepOn(more, monotonicMs() + totalMs) : undefined
}

async function sweepOn(more: (sliceMs: number) => boolean, end: number): Promise<void> {
  let [slice, left] = [firstSliceMs, totalMs]
  do {
    await pause(pauseMs)
    left = end - monotonicMs()
    slice *= 2
  } while (left > 0 && more(Math.min(slice, left)))
}
