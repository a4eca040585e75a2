// SPDX-License-Identifier: Apache-2.0
// The status of a container, derived from the kernel at each call: from its first process, its groups and its lock.

import { isPaused, readWords, walkGroups } from '../cgroup/files.ts'
import { existsSync } from '../system/files.ts'
import { isRunning } from './process.ts'
import type { ContainerState } from './state.ts'
import { isChanging } from './store.ts'

export type ContainerStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped'

/**
 * Name of the file in a container's directory that exists while the first process waits for its start. That process listens on it. Whoever
 * creates a container stores the process only when the file exists.
 */
export const startFile = 'start'

/** Name of the file in a container's directory that exists while the container is created. */
export const creationFile = 'creating'

/**
 * Returns a container's status. `isBeingMade` says whether an unfinished creation goes on. By default it does while
 * another process holds the container's lock.
 */
export function containerStatus(
  root: string,
  state: ContainerState,
  isBeingMade = () => isChanging(root, state.id),
): ContainerStatus {
  if (!state.process) return isBeingMade() ? 'creating' : 'stopped'
  // the pid of another pid namespace has no meaning here, but its processes are in the groups
  if (!(isRunning(state.process) ?? hasProcesses(state))) return 'stopped'
  if (state.groups.some(isPaused)) return 'paused'
  const has = (file: string) => existsSync(`${root}/${state.id}/${file}`)
  if (!has(startFile)) return 'running'
  return has(creationFile) && isBeingMade() ? 'creating' : 'created'
}

function hasProcesses({ groups }: ContainerState): boolean {
  return groups.some(({ directory }) => walkGroups(directory).some((one) => readWords(one, 'cgroup.procs').length > 0))
}

/** Returns the ids of all processes in a container's groups and the groups below them, sorted. */
export function containerProcesses({ groups }: Pick<ContainerState, 'groups'>): number[] {
  const pids = groups.flatMap(({ directory }) =>
    walkGroups(directory).flatMap((one) => readWords(one, 'cgroup.procs').map(Number)),
  )
  // 0 is a process of a pid namespace that is not visible here
  return [...new Set(pids)].filter((pid) => pid > 0).sort((a, b) => a - b)
}
