// SPDX-License-Identifier: Apache-2.0
// The use of a job, from the texts of its groups' files. A figure that this host does not give is absent, never 0.
import { parseCpu } from '../cgroup/cpu.ts'
import { parseMemory } from '../cgroup/memory.ts'
import { parsePids } from '../cgroup/pids.ts'
import { type Figures, parseNumber, parsePressure } from '../cgroup/stats.ts'
import type { PlannedGroup } from '../plan/groups.ts'
import type { Plan } from '../plan/plan.ts'

/** Memory in bytes, CPU in microseconds. */
export interface Usage {
  memoryPeak?: number
  /** True if the kernel kept the peak itself, so that nothing between two samples is missed. */
  memoryPeakExact?: boolean
  /** Only while the job runs. */
  memoryCurrent?: number
  cpuUsec?: number
  userUsec?: number
  systemUsec?: number
  /** Resident memory of its largest process, from wait4(2); known if hutch's PID 1 outlived the command. */
  maxRss?: number
  /** Voluntary and involuntary context switches of hutch's PID 1 and of the processes whose parent waited for them. */
  voluntarySwitches?: number
  forcedSwitches?: number
  pidsPeak?: number
  /** Only while the job runs. */
  pidsCurrent?: number
  oomKills?: number
  /** How often memory.max was reached. */
  memoryLimitHits?: number
  pidsDenied?: number
  throttledUsec?: number
  throttledPeriods?: number
  periods?: number
  io?: { readBytes: number; writtenBytes: number }
  /** Time during which some or all of its tasks waited for a resource. */
  pressure?: { [resource in 'memory' | 'cpu' | 'io']?: { someUsec?: number; fullUsec?: number } }
}

/** The texts of one controller's files; on v2 all are in one group. */
export function figuresOf(plan: Plan, controller: string, read: (path: string) => string | undefined): Figures {
  const group = groupOf(plan, controller)
  return group ? (file) => read(`${group.directory}/${file}`) : () => undefined
}

/** Returns the group that contains a controller's files. */
export function groupOf(plan: Plan, controller: string): PlannedGroup | undefined {
  const key = plan.layout === 'v2' ? '' : controller
  return plan.groups.find((group) => group.controller === key)
}

/** Reads with `read`, which returns undefined for a missing file. */
export function parseUsage(plan: Plan, read: (path: string) => string | undefined): Usage {
  const memory = figuresOf(plan, 'memory', read)
  const pids = figuresOf(plan, 'pids', read)
  const unified = figuresOf(plan, '', read)
  const { peak, oomKills, limitHits } = parseMemory(memory)
  const tasks = parsePids(pids)
  const counted = parseNumber(figuresOf(plan, 'cpuacct', read)('cpuacct.usage'))
  const io = parseIo(unified('io.stat'))
  const pressure = parseAllPressure(unified)
  return without({
    memoryPeak: peak,
    memoryPeakExact: peak === undefined ? undefined : true,
    memoryCurrent: parseNumber(memory('memory.current') ?? memory('memory.usage_in_bytes')),
    cpuUsec: counted === undefined ? undefined : Math.round(counted / 1000),
    ...parseCpu(unified, plan.layout === 'v2' ? unified : figuresOf(plan, 'cpu', read)),
    pidsPeak: tasks.peak,
    pidsCurrent: parseNumber(pids('pids.current')),
    oomKills,
    memoryLimitHits: limitHits,
    pidsDenied: tasks.denied,
    io,
    pressure,
  })
}

/** Returns the sums of rbytes and wbytes over all devices (cgroup-v2.rst, "IO Interface Files"). */
function parseIo(text: string | undefined): Usage['io'] | undefined {
  if (text === undefined) return undefined
  const sum = (key: string) =>
    [...text.matchAll(new RegExp(`${key}=(\\d+)`, 'g'))].reduce((total, match) => total + Number(match[1]), 0)
  return { readBytes: sum('rbytes'), writtenBytes: sum('wbytes') }
}

function parseAllPressure(unified: Figures): Usage['pressure'] | undefined {
  const found = (['memory', 'cpu', 'io'] as const).flatMap((resource) => {
    const text = unified(`${resource}.pressure`)
    return text ? [[resource, parsePressure(text)] as const] : []
  })
  return found.length > 0 ? Object.fromEntries(found) : undefined
}

/** Returns the object without its undefined fields. */
export function without<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
