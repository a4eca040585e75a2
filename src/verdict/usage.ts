// SPDX-License-Identifier: Apache-2.0
// Parses what a job used from the texts of its groups' files. A figure that this host does not report is left out,
// never 0. Pure.
import type { ReportRow } from '../cgroup/controllers/figure.ts'
import type { ReportCounts } from '../cgroup/controllers/figures.ts'
import { reportRows } from '../cgroup/controllers/report-rows.generated.ts'
import { readValue } from '../cgroup/figure-value.ts'
import { parseMemory } from '../cgroup/memory.ts'
import type { PlannedGroup } from '../cgroup/planned-group.ts'
import { type FileTexts, parsePressure } from '../cgroup/stats.ts'
import { controllerOf } from '../cgroup/v1/translate.ts'
import type { Plan } from '../plan/plan.ts'

/**
 * What a job used: memory in bytes, CPU time in microseconds; docs/figures.md lists all figures. A figure that this host does not report is
 * absent, never 0.
 */
export interface Usage extends ReportCounts {
  /** True if the kernel itself recorded the peak of memory. Otherwise, a short peak between two samples may be missing. */
  memoryPeakExact?: boolean
  /** Resident memory of the largest process of the job, in bytes, from wait4(2). Known only if hutch's PID 1 outlived the command. */
  maxRss?: number
  /** Number of voluntary context switches of the process that hutch cloned, and of all descendants whose parent waited for them. */
  voluntarySwitches?: number
  /** Number of involuntary context switches of the same processes. */
  forcedSwitches?: number
  /** Bytes that the job read from block devices and wrote to them. */
  io?: { readBytes: number; writtenBytes: number }
  /** Microseconds in which any task (`someUsec`) or all tasks (`fullUsec`) waited for a resource. */
  pressure?: { [resource in 'memory' | 'cpu' | 'io']?: { someUsec?: number; fullUsec?: number } }
}

/** Function that returns the text of a file in a group's directory; undefined if it could not be read. */
export type GroupTexts = (directory: string, file: string) => string | undefined

/** Returns a function that reads files of a controller. On v2, the files of all controllers are in one group. */
export function figuresOf(plan: Plan, controller: string, read: GroupTexts): FileTexts {
  const group = groupOf(plan, controller)
  return group ? (file) => read(group.directory, file) : () => undefined
}

/** Returns the job's group that contains the files of a controller. */
export function groupOf(plan: Plan, controller: string): PlannedGroup | undefined {
  const key = plan.layout === 'v2' ? '' : controller
  return plan.groups.find((group) => group.controller === key)
}

const countRows = reportRows.filter(({ kind }) => kind === 'count')

/** Parses what a job used. */
export function parseUsage(plan: Plan, read: GroupTexts): Usage {
  const unified = figuresOf(plan, '', read)
  const memory = figuresOf(plan, 'memory', read)
  const counts = {} as { [name in keyof ReportCounts]-?: number | undefined }
  for (const row of countRows) counts[row.name as keyof ReportCounts] = readCount(plan, row, unified, read)
  return omitUndefined({
    ...counts,
    // `limitHits` needs memory.events.local, which exists since Linux 5.2; v1 has two counts for it
    memoryLimitHits: parseMemory(memory).limitHits,
    memoryPeakExact: counts.memoryPeak === undefined ? undefined : true,
    io: parseIo(unified('io.stat')),
    pressure: parseAllPressure(unified),
  })
}

/** Reads a count from the v2 tree if it has the controller. Otherwise reads it from the v1 hierarchy of the controller. */
function readCount(
  plan: Plan,
  { kind, controller, v2, v1 }: ReportRow,
  unified: FileTexts,
  read: GroupTexts,
): number | undefined {
  const isUnified = plan.layout === 'v2' || controller === ''
  const known = isUnified ? readValue(kind, v2, false, unified(v2.file)) : undefined
  if (known !== undefined || v1 === undefined || plan.layout === 'v2') return known as number | undefined
  return readValue(kind, v1, false, figuresOf(plan, controllerOf(v1.file), read)(v1.file)) as number | undefined
}

/** Sums read and written bytes over all block devices (io.stat in cgroup-v2.rst, "IO Interface Files"). */
function parseIo(text: string | undefined): Usage['io'] | undefined {
  if (text === undefined) return undefined
  const sum = (key: string) =>
    [...text.matchAll(new RegExp(`${key}=(\\d+)`, 'g'))].reduce((total, match) => total + Number(match[1]), 0)
  return { readBytes: sum('rbytes'), writtenBytes: sum('wbytes') }
}

function parseAllPressure(unified: FileTexts): Usage['pressure'] | undefined {
  const found = (['memory', 'cpu', 'io'] as const).flatMap((resource) => {
    const text = unified(`${resource}.pressure`)
    return text ? [[resource, parsePressure(text)] as const] : []
  })
  return found.length > 0 ? Object.fromEntries(found) : undefined
}

/** Returns a copy of the object without the fields whose value is undefined. */
export function omitUndefined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const copy: { [key: string]: unknown } = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) copy[key] = value
  return copy as never
}
