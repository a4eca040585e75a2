// SPDX-License-Identifier: Apache-2.0
// What the kernel's log says of a group or a process: groups and process ids there are those of the first namespaces.
import { readKernelLog, seesAsLogged } from '../host/kernel-log.ts'
import { isTelling, type KernelEvents, type KernelKill, parseEvents } from '../host/kernel-record.ts'
import { formatTime, isBelow } from './memory.ts'

/** The events, and what of the log cannot be had. */
export interface LogFacts extends KernelEvents {
  readable: boolean
  /** When its oldest record was written, where older ones are gone: milliseconds since the epoch. */
  since?: number
  /** What has to be said of it where nothing was found in it. */
  limits: string[]
  /** Process ids in it are ours. */
  samePids: boolean
  sameGroups: boolean
}

/** Reads the log as it is now. */
export function readLog(): LogFacts {
  const { records, since, errno } = readKernelLog(isTelling)
  const [samePids, sameGroups] = [seesAsLogged('pid'), seesAsLogged('cgroup')]
  const limits: string[] = []
  if (errno !== undefined)
    limits.push(
      `the kernel's log cannot be read (${errno}): the victims of OOM kills, their sizes and times; root can read it`,
    )
  if (since) limits.push(`what the kernel's log said before ${formatTime(since.getTime())}: it has been overwritten`)
  if (errno === undefined && !samePids)
    limits.push('the process ids in the log: they are those of the initial pid namespace, and this is another one')
  if (errno === undefined && !sameGroups)
    limits.push('whole paths of groups in the log: this is a cgroup namespace, so they are compared by their ends')
  return {
    ...parseEvents(records),
    readable: errno === undefined,
    ...(since && { since: since.getTime() }),
    limits,
    samePids,
    sameGroups,
  }
}

/** Kills in a group, and below it if `deep`; paths as this process sees them. */
export function killsIn(log: LogFacts, path: string, deep: boolean): KernelKill[] {
  return log.kills
    .map((kill) => (log.sameGroups ? kill : relocate(kill, path)))
    .filter(({ group }) => group !== undefined && (deep ? isBelow(group, path) : group === path))
}

/** In a cgroup namespace: what stands before the path there is above our root. */
function relocate(kill: KernelKill, path: string): KernelKill {
  const { group, limitGroup } = kill
  const at = path === '/' || group === undefined ? -1 : `${group}/`.indexOf(`${path}/`)
  if (at < 1) return kill
  const above = group!.slice(0, at)
  const inside = (text: string) => (text.startsWith(`${above}/`) ? text.slice(above.length) : text)
  return { ...kill, group: inside(group!), ...(limitGroup !== undefined && { limitGroup: inside(limitGroup) }) }
}

/** When a fork was last refused in a group below another: of each group the kernel tells the first. */
export function lastRefusalBelow(log: LogFacts, path: string): number | undefined {
  return log.sameGroups
    ? log.forkRefusals.findLast(({ group }) => group !== path && isBelow(group, path))?.at
    : undefined
}

/** When the first fork was refused in a group: the kernel tells it once, and an earlier group may have had the same path. */
export function firstRefusal(log: LogFacts, path: string): number | undefined {
  return log.forkRefusals.findLast(({ group }) => group === path)?.at
}
