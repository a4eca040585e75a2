// SPDX-License-Identifier: Apache-2.0
// Finds this process's group when its path is hidden: in a cgroup namespace below a mount of the host.
import { readdirSync, readFileSync } from '../system/files.ts'

/**
 * Searches below `mount` for the directory of the group that contains this process. The names of the first `depth` levels are unknown;
 * `group` is the path below them.
 */
export function findOwnGroup(mount: string, depth: number, group: string): string | undefined {
  if (depth === 0) return holdsThisProcess(`${mount}${group}`) ? `${mount}${group}` : undefined
  for (const name of childNames(mount)) {
    const found = findOwnGroup(`${mount}/${name}`, depth - 1, group)
    if (found !== undefined) return found
  }
  return undefined
}

function holdsThisProcess(directory: string): boolean {
  try {
    return readFileSync(`${directory}/cgroup.procs`, 'utf8').split('\n').includes(String(process.pid))
  } catch {
    return false
  }
}

function childNames(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch {
    return []
  }
}
