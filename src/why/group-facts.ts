// SPDX-License-Identifier: Apache-2.0
// Reads the facts about a group or one of its processes. Computes the figures for `foundRows` and `restRows` in
// verdict/decide.ts. Called by group.ts.

import { type Ancestors, readAncestors } from '../cgroup/ancestors.ts'
import { readMany, walkGroups } from '../cgroup/files.ts'
import { type GroupPaths, hierarchies } from '../cgroup/group-paths.ts'
import { type Fullness, parseWritable, readFull } from '../host/file-system.ts'
import type { Host } from '../host/host.ts'
import { statSync } from '../system/files.ts'
import { quote } from '../text/quote.ts'
import { type Facts, noFacts } from '../verdict/decide.ts'
import { type Frozen, readFrozen, readWaiting } from './blocked.ts'
import { cpuFacts } from './cpu-stall.ts'
import { countRefused, fullCauses, refusedAbove, type TaskFacts } from './fork-limits.ts'
import { firstRefusal, killsIn, type LogFacts, lastRefusalBelow } from './kernel-log.ts'
import { countKills, type MemoryFacts, ranOutAlone } from './memory.ts'
import { type DaemonKill, readDaemonKills } from './oomd.ts'
import { isThrashing, stallOf } from './pressure.ts'
import { countTasks, type ProcessFacts, readProcessFacts, readTaskLimits } from './process.ts'

/** The facts about a group, or about a process and its group. */
export interface GroupReadings {
  paths: GroupPaths
  ancestors: Ancestors
  /** The process that the user asks about, if it is not the whole group. */
  one?: ProcessFacts
  /** True if the group or a group below it has processes. */
  populated: boolean
  /** The current number of tasks in the group, or the peak. */
  taskCount: number
  processes: readonly ProcessFacts[]
  /** True if the group is the root of the v2 tree. Its pressure figures are those of the whole machine. */
  whole: boolean
  memory: MemoryFacts
  tasks: TaskFacts
  /** Full file systems, each with a process that can see it. */
  full: readonly { pid: number; mounts: readonly Fullness[] }[]
  frozen: readonly Frozen[]
  waiting: readonly { process: ProcessFacts; where: string }[]
  daemon: readonly DaemonKill[]
  /** Limits that may have been reached, but whose figures cannot be read. */
  unread: readonly string[]
}

/** Maximum number of processes of a group that are examined. */
const maxProcesses = 32

/**
 * Reads the facts about a group. `one` is the process that the user asks about. Without it, all processes of the group
 * are examined.
 */
export function readGroupFigures(host: Host, paths: GroupPaths, log: LogFacts, one?: ProcessFacts): GroupReadings {
  const ancestors = readAncestors(host, paths)
  const pids = one ? [one.pid] : membersOf(host, paths)
  const processes = one ? [one] : pids.slice(0, maxProcesses).flatMap((pid) => readProcessFacts(pid) ?? [])
  return {
    paths,
    ancestors,
    ...(one && { one }),
    populated: pids.length > 0 && !one?.zombie,
    taskCount: ancestors.pids[0]?.current || ancestors.pids[0]?.peak || pids.length,
    processes,
    whole: paths.directories[''] === host.unified?.mount,
    memory: memoryFacts(ancestors, paths, log, one !== undefined),
    tasks: taskFacts(ancestors, paths, log, processes),
    full: seenFull(processes),
    frozen: readFrozen(host, paths),
    waiting: readWaiting(processes),
    daemon: readDaemonKills(host, paths),
    unread: unreadOf(ancestors, log, paths),
  }
}

/** Computes the figures that verdict/decide.ts tests. */
export function computeFound(readings: GroupReadings): Facts {
  const { ancestors, memory, tasks, one, processes, frozen, daemon, whole } = readings
  return {
    ...noFacts(),
    frozen: frozen.length,
    // a frozen process also looks stopped or blocked, so these are not counted in a frozen group
    stopped: frozen.length > 0 ? 0 : processes.filter(({ state }) => state === 'T' || state === 't').length,
    blocked: frozen.length > 0 ? 0 : readings.waiting.length,
    oomKills: countKills(memory),
    oomWithoutKill: Number(ranOutAlone(memory)),
    oomdKills: daemon.reduce((sum, { kills }) => sum + kills, 0),
    forksRefused: countRefused(tasks),
    fullTasks: fullCauses(tasks).length,
    fullSpaces: readings.full.reduce((sum, { mounts }) => sum + mounts.length, 0),
    throttledPeriods: ancestors.cpu.reduce(
      (sum, { quota, throttledPeriods }) => sum + (quota === undefined ? 0 : throttledPeriods),
      0,
    ),
    slowed: memory.levels.reduce((sum, { high, slowed = 0 }) => sum + (high === undefined ? 0 : slowed), 0),
    thrashing: Number(isThrashing(memory, ancestors.pressure.memory)),
    ...(whole ? {} : cpuFacts(ancestors)),
    stallPercent: whole ? 0 : Math.round(stallOf(ancestors.pressure).percent),
    living: Number(one !== undefined && !one.zombie),
    present: Number(readings.populated),
    limitsReached: reachedLimits(ancestors).length,
    unread: readings.unread.length + refusedAbove(tasks).length,
  }
}

/** Describes the limits that a group reached although no kill or refusal was counted. */
export function reachedLimits({ memory, pids }: Ancestors): string[] {
  return [
    ...memory
      .filter(({ full, hits = 0 }) => full === true || hits > 0)
      .map(({ path }) => `memory.max of ${quote(path)}`),
    ...pids
      .filter(({ max, peak, current }) => max !== undefined && Math.max(peak ?? 0, current ?? 0) >= Number(max))
      .map(({ path }) => `pids.max of ${quote(path)}`),
  ]
}

const overwritten = "the kernel's log does not go back to the creation of this group"

/**
 * Returns true if a group is older than the kernel's log. cgroupfs stores no creation time, but a directory's change
 * time is that of its first lookup.
 */
function isOlder(directory: string, since: number | undefined): boolean {
  if (since === undefined) return false
  const { ctimeMs } = statSync(directory, { throwIfNoEntry: false }) ?? {}
  return ctimeMs === undefined || ctimeMs < since
}

/**
 * Returns what can no longer be found out, because the kernel's log is incomplete. On v1, a removed group's counts are
 * lost. On v2 before Linux 6.11, its refused forks are lost.
 */
function unreadOf({ memory, pids }: Ancestors, log: LogFacts, paths: GroupPaths): string[] {
  const lost = [paths.directories.memory, paths.directories.pids, paths.directories['']].some(
    (directory) => directory !== undefined && isOlder(directory, log.since),
  )
  const lacking = log.readable ? (lost ? [overwritten] : []) : ["the kernel's log cannot be read"]
  const limited = pids.some(({ max, deniedHere }) => max !== undefined && deniedHere === undefined)
  return [
    ...(memory.every(({ kills }) => kills === undefined)
      ? ['whether there was an OOM kill: this group has no memory controller']
      : memory[0]?.ooms === undefined
        ? lacking.map((why) => `whether a process was killed in a group below that was removed: ${why}`)
        : []),
    ...(pids.length === 0
      ? ['whether forks were refused: this group has no pids controller']
      : limited
        ? lacking.map((why) => `whether forks were refused in a group below that was removed: ${why}`)
        : []),
  ]
}

function isWhole(levels: readonly { path: string }[]): boolean {
  return levels[0]?.path === '/'
}

/** Returns the group's path in the hierarchy of these levels. A group can have different paths in different hierarchies. */
export function nameOf(levels: readonly { path: string }[], paths: GroupPaths): string {
  return paths.title ?? quote(levels[0]?.path ?? paths.path)
}

function memoryFacts(ancestors: Ancestors, paths: GroupPaths, log: LogFacts, alone: boolean): MemoryFacts {
  const path = ancestors.memory[0]?.path ?? paths.path
  // the counts of the root group include all groups, and so say nothing about one process in it
  const deep = !(alone && isWhole(ancestors.memory))
  return {
    name: paths.title ?? quote(path),
    path,
    levels: deep ? ancestors.memory : [],
    below: deep ? ancestors.memoryBelow : [],
    // without the memory controller, a kill in the log must have been in an earlier group with the same path
    kills: ancestors.memory.length === 0 || !deep ? [] : killsIn(log, path, true),
  }
}

function taskFacts(
  ancestors: Ancestors,
  paths: GroupPaths,
  log: LogFacts,
  processes: readonly ProcessFacts[],
): TaskFacts {
  const first = firstRefusal(log, ancestors.pids[0]?.path ?? paths.path)
  const below = lastRefusalBelow(log, ancestors.pids[0]?.path ?? paths.path)
  const held = processes.find(({ nproc, zombie }) => nproc !== undefined && !zombie)
  const limits = readTaskLimits()
  return {
    name: nameOf(ancestors.pids, paths),
    levels: ancestors.pids,
    below: isWhole(ancestors.pids) ? [] : ancestors.pidsBelow,
    logComplete: log.readable && log.sameGroups && log.since === undefined,
    ...(first !== undefined && !isWhole(ancestors.pids) && { firstRefused: first }),
    ...(below !== undefined && !isWhole(ancestors.pids) && { lastRefusedBelow: below }),
    ...(held && { user: { pid: held.pid, uid: held.uid, limit: held.nproc!, tasks: countTasks(held.uid) } }),
    ...(limits && { host: limits }),
  }
}

/**
 * Returns the processes of the group and of the groups below it. Returns none for the root group, because it has all
 * processes of the machine.
 */
function membersOf(host: Host, paths: GroupPaths): number[] {
  const mounts = new Set(hierarchies(host).map(([, { mount }]) => mount))
  const directories = [...new Set(Object.values(paths.directories))].filter((directory) => !mounts.has(directory))
  const groups = directories.flatMap((directory) => walkGroups(directory))
  const pids = readMany(groups, ['cgroup.procs']).flatMap((figures) => figures('cgroup.procs')?.match(/\d+/g) ?? [])
  return [...new Set(pids)].map(Number).filter((pid) => pid > 0)
}

/**
 * Finds full file systems that processes can see, and lists each only once. Processes in the same mount namespace see
 * the same ones.
 */
function seenFull(processes: readonly ProcessFacts[]): GroupReadings['full'] {
  const seen = new Set<string>()
  return processes.flatMap(({ pid, mountinfo, zombie }) => {
    if (zombie || seen.has(mountinfo)) return []
    seen.add(mountinfo)
    return [{ pid, mounts: readFull(pid, parseWritable(mountinfo)) }]
  })
}
