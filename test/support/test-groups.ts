// SPDX-License-Identifier: Apache-2.0
// Groups that tests make by hand, `hutch-test-PID…`: where they can be, and their removal when their test was ended by a signal.
// Also vitest's global set-up: it removes the groups of test processes that were killed.
import { existsSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { readChildren, walkGroups } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'

/** Longer than any test. A test in another PID namespace has a pid that does not exist here. */
const oldMs = 600_000

/** Returns all groups right below this process's groups, the groups above them, and `hutch` in each. */
export function nearGroups(): string[] {
  const { unified, v1 } = readHost()
  return [unified, ...Object.values(v1)].flatMap((hierarchy) => {
    if (!hierarchy) return []
    const levels: string[] = []
    for (let at = hierarchy.own; at.length >= hierarchy.mount.length; at = at.slice(0, at.lastIndexOf('/')))
      levels.push(at, `${at}/hutch`)
    return levels.flatMap((level) => readChildren(level).map((name) => `${level}/${name}`))
  })
}

/** Returns the pid of the test process that made a group by hand, or undefined. */
export function testOwner(group: string): number | undefined {
  const pid = /^hutch-test-(\d+)(?:-|$)/.exec(basename(group))?.[1]
  return pid === undefined ? undefined : Number(pid)
}

function remove(group: string): void {
  for (const directory of walkGroups(group).reverse())
    try {
      rmdirSync(directory)
    } catch {
      // not empty yet: the next run removes it
    }
}

/** Kills what runs in this process's own groups, and removes them. For the end by a signal, when no test cleans up. */
export function removeOwnGroups(): void {
  const own = nearGroups().filter((group) => testOwner(group) === process.pid)
  const listed = () =>
    own
      .flatMap(walkGroups)
      .flatMap((group) => readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean))
  for (const end = Date.now() + 1000; listed().length > 0 && Date.now() < end; )
    for (const pid of listed().map(Number)) if (pid !== process.pid) tryKill(pid)
  own.forEach(remove)
}

/** Sends SIGKILL to a process, or to a process group by its negative number, if it still exists. */
export function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // has ended
  }
}

/** Removes the old and empty groups of test processes that no longer exist. */
function removeDeadGroups(): void {
  for (const group of nearGroups()) {
    const owner = testOwner(group)
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue
    if (Date.now() - statSync(group).mtimeMs > oldMs) remove(group)
  }
}

export const setup = removeDeadGroups
