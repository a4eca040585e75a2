// SPDX-License-Identifier: Apache-2.0
// Parses what a job used from the texts of its groups' files. A figure that this host does not report is left out,
// never 0. Pure.
import type { FigureSource } from '../cgroup/controllers/figure.ts'
import type { ReportCounts } from '../cgroup/controllers/figures.ts'
import { reportRows } from '../cgroup/controllers/report-rows.generated.ts'
import { readValue } from '../cgroup/figure-value.ts'
import { parseLimitHits } from '../cgroup/memory.ts'
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

/** Parses what a job used. */
export function parseUsage(plan: Plan, read: GroupTexts): Usage {
  const unified = figuresOf(plan, '', read)
  const counts: { [name in keyof ReportCounts]: number } = {}
  for (const { name, sources } of countSources(plan)) {
    const count =
      name === 'memoryLimitHits' ? parseLimitHits(figuresOf(plan, 'memory', read)) : readCount(plan, sources, read)
    if (count !== undefined) counts[name] = count
  }
  const [io, pressure] = [parseIo(unified('io.stat')), parseAllPressure(unified)]
  return {
    ...counts,
    ...(counts.memoryPeak !== undefined && { memoryPeakExact: true }),
    ...(io && { io }),
    ...(pressure && { pressure }),
  }
}

/** A file that can contain a count: the index of its group in the plan, and its place in the file. */
interface CountSource {
  group: number
  source: FigureSource
}

interface CountRow {
  name: keyof ReportCounts
  sources: readonly CountSource[]
}

/** The rows of plans that were seen before, by layout and controllers. */
const knownRows = new Map<string, readonly CountRow[]>()

/**
 * Returns which files of a plan's groups contain each count. The v2 tree comes first if it has the controller, then the
 * controller's v1 hierarchy.
 */
function countSources({ layout, groups }: Plan): readonly CountRow[] {
  const key = groups.reduce((text, { controller }) => `${text} ${controller}`, layout as string)
  const known = knownRows.get(key)
  if (known) return known
  const source = (controller: string, figure: FigureSource | undefined) => {
    const group = groups.findIndex((one) => one.controller === controller)
    return figure && group >= 0 ? [{ group, source: figure }] : []
  }
  const rows = reportRows
    .filter(({ kind }) => kind === 'count')
    .map(({ name, controller, v2, v1 }) => ({
      name: name as keyof ReportCounts,
      sources: [
        ...(layout === 'v2' || controller === '' ? source('', v2) : []),
        ...(layout !== 'v2' && v1 ? source(controllerOf(v1.file), v1) : []),
      ],
    }))
  knownRows.set(key, rows)
  return rows
}

function readCount({ groups }: Plan, sources: readonly CountSource[], read: GroupTexts): number | undefined {
  for (const { group, source } of sources) {
    const count = readValue('count', source, false, read(groups[group]!.directory, source.file)) as number | undefined
    if (count !== undefined) return count
  }
  return undefined
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
