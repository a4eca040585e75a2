// SPDX-License-Identifier: Apache-2.0
// Reads the limits of v2 groups that a process is in and its job will not be in. plan/outer-limits.ts sets them for the job.
import { readdirSync, readFileSync } from 'node:fs'

/** A limit of a group: the kernel file and its text, without the last newline. */
export interface OuterLimit {
  directory: string
  file: string
  value: string
}

/** Files that hold a whole tree of groups, of whichever controller. */
const limiting = /^(?!cgroup\.)[\w.]+\.(max|high)$|^cpuset\.(cpus|mems)$/

/** Whether a text of such a file limits something: `max`, `max 100000`, `8:0 rbps=max wbps=max` do not. */
export function isLimiting(text: string): boolean {
  return text.split('\n').some((entry) => /\d/.test(entry.replace(/^\S+ (?=\S*max)/, '').replace(/^max \d+$/, '')))
}

/** Limits in `from` and in the groups above it up to `to`, which is not looked at; the nearest first. */
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
