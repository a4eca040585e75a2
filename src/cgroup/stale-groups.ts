// SPDX-License-Identifier: Apache-2.0
// Removes groups whose hutch was killed. A hutch holds a lock on each of its groups, so neither a daemon nor a state file is needed.

import { monotonicMs, pause } from '../system/clock.ts'
import { native } from '../system/native.ts'
import { basename } from '../system/paths.ts'
import { encodePath } from '../text/non-utf8.ts'

const shape = /^hutch-(\d+)-(\d+)-(\d+)-\d+$/

/** Whether a path leads into the group of a job of hutch's. */
export function isJobGroup(path: string): boolean {
  return path.split('/').some((name) => shape.test(name))
}

/** Whether a directory is, or is below, the group of a running job that root started. Anyone may give a group such a name; nobody else can hold root's lock. */
export function isRootsJobGroup(directory: string): boolean {
  const parts = directory.split('/')
  return parts.some(
    (name, i) => shape.test(name) && native().groupHolder(encodePath(parts.slice(0, i + 1).join('/'))) === 0,
  )
}

/** Whether a directory is a job's group that no running hutch holds. False for another user's group: its lock cannot be tried. */
export function isAbandoned(directory: string): boolean {
  return shape.test(basename(directory)) && native().groupHolder(encodePath(directory)) === -1
}

/**
 * Milliseconds. A slice blocks the event loop, the pause lets killed processes end, and the total bounds a clean-up. Each slice is twice
 * as long as the previous one: it starts at the top again and must reach the bottom of a deep tree.
 */
const [firstSliceMs, pauseMs, totalMs] = [20, 2, 2000]

/**
 * Removes the groups that killed hutches left right below `directories`, with everything in them (native/caller/stale.c).
 * Returns undefined if the first slice was enough, else a promise that resolves after 2 s at most.
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
