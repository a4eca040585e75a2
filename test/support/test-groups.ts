// SPDX-License-Identifier: Apache-2.0
// Groups that tests make by hand, `hutch-test-PID…`: where they can be, and their removal when their test was ended by a signal.
// Also vitest's global set-up: it removes the groups, and the directories of that name, of test processes that were killed.
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { readChildren, walkGroups } from '../../src/cgroup/files.ts'
import { parseNamedHierarchies } from '../../src/host/hierarchy.ts'
import { readHost, readMembership } from '../../src/host/host.ts'

/** Longer than any test. A test in another PID namespace has a pid that does not exist here. */
const oldMs = 600_000

/** Returns all groups right below this process's groups, the groups above them, and `hutch` in each. Named hierarchies count, too. */
export function nearGroups(): string[] {
  const { unified, v1 } = readHost()
  const named = parseNamedHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), readMembership('self'))
  return [unified, ...Object.values(v1), ...named.values()].flatMap((hierarchy) => {
    if (!hierarchy) return []
    const levels: string[] = []
    for (let at = hierarchy.own; at.length >= hierarchy.mount.length; at = at.slice(0, at.lastIndexOf('/')))
      levels.push(at, `${at}/hutch`)
    return levels.flatMap((level) => readChildren(level).map((name) => `${level}/${name}`))
  })
}

/** Returns the pid of the test process that made a group or a directory by hand, or undefined. */
function testOwner(path: string): number | undefined {
  const pid = /^hutch-test-(\d+)(?:-|$)/.exec(basename(path))?.[1]
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

/** Tells whether a group or a directory is old, and the test process that made it no longer exists. */
function isDead(path: string): boolean {
  const owner = testOwner(path)
  if (owner === undefined || existsSync(`/proc/${owner}`)) return false
  const made = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return made !== undefined && Date.now() - made > oldMs
}

/** Removes the directories of these that are this user's and have no mount below them. */
function removeDirectories(paths: string[]): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  for (const path of paths)
    if (!mounts.includes(` ${path}/`) && statSync(path).uid === process.getuid!())
      rmSync(path, { recursive: true, force: true })
}

/** Removes the old groups, if they are empty, and the old directories of test processes that no longer exist. */
export function setup(): void {
  nearGroups().filter(isDead).forEach(remove)
  const names = readdirSync(tmpdir()).map((name) => `${tmpdir()}/${name}`)
  removeDirectories(names.filter(isDead))
}
