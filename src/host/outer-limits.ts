// SPDX-License-Identifier: Apache-2.0
// Reads the limits of v2 groups that contain a process but will not contain its job. plan/outer-limits.ts sets them for the job.
import { readdirSync, readFileSync } from '../system/files.ts'

/** A limit of a group: the kernel file and its text without the final newline. */
export interface OuterLimit {
  /** Directory of the group that has the limit. */
  directory: string
  /** Kernel file of the limit, such as memory.max. */
  file: string
  /** Text of the file, without the final newline. */
  value: string
}

/** Names of kernel files whose limit applies to a whole subtree of groups. */
const limiting = /^(?!cgroup\.)[\w.]+\.(max|high)$|^cpuset\.(cpus|mems)$/

/** Returns true if the text of a limit file sets a limit. `max`, `max 100000` and `8:0 rbps=max wbps=max` set none. */
export function isLimiting(text: string): boolean {
  return text.split('\n').some((entry) => /\d/.test(entry.replace(/^\S+ (?=\S*max)/, '').replace(/^max \d+$/, '')))
}

/** Returns the limits of the group `from` and of its ancestors, the nearest group first. Stops before the group `to`. */
export function readOuterLimits(from: string, to: string): OuterLimit[] {
  const limits: OuterLimit[] = []
  for (let at = from; at.length > to.length; at = at.slice(0, at.lastIndexOf('/')))
    for (const file of list(at)
      .filter((name) => limiting.test(name))
      .sort()) {
      const value = read(`${at}/${file}`)
      if (isLimiting(value)) limits.push({ directory: at, file, value })
    }
  return limits
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
