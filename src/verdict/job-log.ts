// SPDX-License-Identifier: Apache-2.0
// Reads what the kernel's log contains about one job, if counts alone do not explain its end. Called by facts.ts.
import { readKernelLog, readLateFaults } from '../host/kernel-log.ts'
import { isTelling, type KernelKill, parseEvents } from '../host/kernel-record.ts'
import type { Plan } from '../plan/plan.ts'
import type { CauseLimit } from './cause.ts'

/** What the kernel's log contains about the job's group. */
export interface JobLog {
  /** Processes that the OOM killer killed in the job's group or below, oldest first. */
  kills: KernelKill[]
  /** True if the log mentions a refused fork of the job. The kernel logs only the first refusal in each group. */
  refusedFork: boolean
  /** True if the log reaches back to the job's start. Older lines of the log are overwritten. */
  complete: boolean
}

/**
 * Reads the records about a job. Returns undefined if the log cannot be read. `since` is the job's start in
 * milliseconds since 1970.
 */
function readJobLog(plan: Plan, since: number): JobLog | undefined {
  const name = nameOf(plan)
  if (name === undefined) return undefined
  const log = readKernelLog(isTelling, since)
  if (log.errno !== undefined) return undefined
  const { kills, forkRefusals } = parseEvents(log.records)
  const isOwn = (group: string | undefined) => group?.split('/').includes(name) ?? false
  return {
    kills: kills.filter(({ group }) => isOwn(group)),
    refusedFork: forkRefusals.some(({ group }) => isOwn(group)),
    complete: (log.since?.getTime() ?? 0) <= since,
  }
}

/** Returns functions that read the kernel's log, for a job that started at `since` with the process `pid`. */
export function logReaders(since: number, pid: number) {
  return { readLog: (plan: Plan) => readJobLog(plan, since), readFaults: () => readLateFaults(since, pid) }
}

/** Returns the last part of the path of the job's group, which only this job has. */
function nameOf({ groups }: Plan): string | undefined {
  const directory = groups[0]?.directory
  return directory?.slice(directory.lastIndexOf('/') + 1)
}

/**
 * Returns the level whose limit caused a kill. Paths in the log may start above this cgroup namespace, so levels are
 * counted upwards from the job's own group. Returns undefined if the log does not name the group.
 */
export function levelOfKill(plan: Plan, kill: KernelKill): Pick<CauseLimit, 'level' | 'group'> | undefined {
  if (kill.for === 'host') return { level: 'host' }
  const name = nameOf(plan)
  const [own, limit] = [kill.group, kill.limitGroup].map((path) => path?.split('/').filter(Boolean))
  if (!own || !limit || name === undefined) return undefined
  const depth = own.indexOf(name) + 1
  if (limit.length > depth) return { level: 'below', group: `/${limit.join('/')}` }
  if (limit.length === depth) return { level: 'own' }
  const above = plan.ancestors[depth - limit.length - 1]
  return { level: 'ancestor', group: above?.directory ?? `/${limit.join('/')}` }
}
