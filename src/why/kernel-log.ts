// SPDX-License-Identifier: Apache-2.0
// Finds the events of a group or process in the kernel's log. The log contains paths and process ids of the initial
// namespaces.
import { readKernelLog, seesAsLogged } from '../host/kernel-log.ts'
import { isTelling, type KernelEvents, type KernelKill, parseEvents } from '../host/kernel-record.ts'
import { isBelow } from '../text/paths.ts'
import { formatTime } from './memory.ts'

/** The events in the kernel's log, and which parts of the log are missing. */
export interface LogFacts extends KernelEvents {
  readable: boolean
  /** Time of the log's oldest record in milliseconds since 1970, if older records were overwritten. */
  since?: number
  /** What is missing in the log, to be reported if nothing was found. */
  limits: string[]
  /** True if process ids in the log are those of this process's pid namespace. */
  samePids: boolean
  sameGroups: boolean
}

/** Reads the log. */
export function readLog(): LogFacts {
  const { records, since, errno } = readKernelLog(isTelling)
  const [samePids, sameGroups] = [seesAsLogged('pid'), seesAsLogged('cgroup')]
  const limits: string[] = []
  if (errno !== undefined)
    limits.push(
      `the kernel's log cannot be read (${errno}). It has the victims, sizes and times of OOM kills; root can read it`,
    )
  if (since) limits.push(`what the kernel's log said before ${formatTime(since.getTime())}: it has been overwritten`)
  if (errno === undefined && !samePids)
    limits.push('the process ids in the log: they are those of the initial pid namespace, and this is another one')
  if (errno === undefined && !sameGroups)
    limits.push(
      'whole paths of groups in the log: this process is in a cgroup namespace, so only the ends of paths are compared',
    )
  return {
    ...parseEvents(records),
    readable: errno === undefined,
    ...(since && { since: since.getTime() }),
    limits,
    samePids,
    sameGroups,
  }
}

/**
 * Returns the kills in a group and, with `deep`, in the groups below it. The paths are converted to those that this
 * process sees.
 */
export function killsIn(log: LogFacts, path: string, deep: boolean): KernelKill[] {
  return log.kills
    .map((kill) => (log.sameGroups ? kill : relocate(kill, path)))
    .filter(({ group }) => group !== undefined && (deep ? isBelow(group, path) : group === path))
}

/**
 * Converts the path in a log record to one from the root of this cgroup namespace. In the log, the path of that root
 * precedes it.
 */
function relocate(kill: KernelKill, path: string): KernelKill {
  const { group, limitGroup } = kill
  const at = path === '/' || group === undefined ? -1 : `${group}/`.indexOf(`${path}/`)
  if (at < 1) return kill
  const above = group!.slice(0, at)
  const inside = (text: string) => (text.startsWith(`${above}/`) ? text.slice(above.length) : text)
  return { ...kill, group: inside(group!), ...(limitGroup !== undefined && { limitGroup: inside(limitGroup) }) }
}

/** Returns when a fork was last refused in a group below. The kernel logs only the first refusal in each group. */
export function lastRefusalBelow(log: LogFacts, path: string): number | undefined {
  return log.sameGroups
    ? log.forkRefusals.findLast(({ group }) => group !== path && isBelow(group, path))?.at
    : undefined
}

/**
 * Returns when a fork was first refused in a group. The kernel logs a refusal only once for each group, but an earlier
 * group may have had the same path.
 */
export function firstRefusal(log: LogFacts, path: string): number | undefined {
  return log.forkRefusals.findLast(({ group }) => group === path)?.at
}
