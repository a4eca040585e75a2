// SPDX-License-Identifier: Apache-2.0
// Identifies a process beyond the life of this program: by its id, its start time and its pid namespace.

import { parseStartTime, statField } from '../host/host.ts'
import { readdirSync, readFileSync, readlinkSync } from '../system/files.ts'

/** A process. The start time distinguishes it from a later process with the same pid. */
export interface ContainerProcess {
  /** Process id in the pid namespace below. */
  pid: number
  /** Start time in clock ticks since boot, as in proc_pid_stat(5). */
  started: number
  /** Inode number of the pid namespace of the program that recorded the process. */
  pidNamespace: string
}

/** Reads the identity of a process of this pid namespace. Returns undefined if the process has ended; a zombie has ended. */
export function readContainerProcess(pid: number): ContainerProcess | undefined {
  const stat = readStat(pid)
  return stat === undefined
    ? undefined
    : { pid, started: Number(parseStartTime(stat)), pidNamespace: readPidNamespace() }
}

/** Returns whether a process runs. Returns undefined if it was recorded in another pid namespace, where its pid has no meaning. */
export function isRunning(process: ContainerProcess): boolean | undefined {
  if (process.pidNamespace !== readPidNamespace()) return undefined
  const stat = readStat(process.pid)
  return stat !== undefined && Number(parseStartTime(stat)) === process.started
}

/**
 * Returns the ids of a process and its descendants, sorted. With `all`, also of the other processes of its pid namespace
 * and their descendants. Processes that this user may not look at are left out.
 */
export function listRelated(pid: number, all: boolean): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  const parents = new Map(pids.map((one) => [one, Number(statField(readStat(one) ?? '', 4))]))
  const namespace = namespaceOf(pid)
  const related = new Set(pids.filter((one) => one === pid || (all && namespace && namespaceOf(one) === namespace)))
  for (let known = 0; known < related.size; ) {
    known = related.size
    for (const [one, parent] of parents) if (related.has(parent)) related.add(one)
  }
  return [...related].sort((a, b) => a - b)
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return ''
  }
}

/** Returns the inode number of this process's pid namespace, or '' if /proc is missing. */
function readPidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? ''
  } catch {
    return ''
  }
}

/** Reads /proc/PID/stat of a process that has not ended. */
function readStat(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return /[ZXx]/.test(statField(stat, 3) ?? 'X') ? undefined : stat
  } catch {
    return undefined
  }
}
