// SPDX-License-Identifier: Apache-2.0
// Reports when the processes of a container lack memory: by inotify on v2, by eventfd on v1. Called by `events`.
import { watchGroups } from '../../cgroup/watch.ts'
import type { GroupPlace } from '../../options/spec.ts'
import { pathsOf } from './groups.ts'

/**
 * Calls `killed` for each process of the container that the kernel kills for lack of memory, and `ended` when the groups
 * are removed. Returns a function that ends the watch.
 */
export function watchOomKills(places: readonly GroupPlace[], killed: () => void, ended: () => void): () => void {
  const counting = places.filter(({ controller }) => controller === '' || controller === 'memory')
  return watchGroups(
    [pathsOf(counting)],
    {},
    ({ kind, count }) => {
      if (kind === 'oom_kill') for (let i = 0; i < count; i++) killed()
    },
    ended,
  )
}
