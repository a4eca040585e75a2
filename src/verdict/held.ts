// SPDX-License-Identifier: Apache-2.0
// Finds what slowed a job: the shares of its run time that decide.ts tests, and the limit with its figures. Called by
// facts.ts and make-cause.ts; pure.
import { memoryEventsFile } from '../cgroup/memory.ts'
import { findFlat, parseFlat } from '../cgroup/stats.ts'
import { parseCpuCount } from '../text/units.ts'
import type { CauseCounts, CauseKind, CauseLimit, Figure } from './cause.ts'
import { type Ended, lateFigures, ownIsFull } from './collect-end.ts'
import { type DecisionRow, decide, type Facts, type HeldLimit, heldRows } from './decide.ts'
import { limitAbove, ownLimit } from './limits.ts'
import { figuresOf, type GroupTexts, omitUndefined } from './usage.ts'

type Resource = 'memory' | 'cpu' | 'io'

/** Bytes of a memory page on x86-64 and most arm64 kernels. On kernels with larger pages, the computed bytes are too low. */
const pageSize = 4096

/**
 * The resource that tasks wait for at each limit. For a CPU, time counts if any task waits; for other resources, only
 * if all tasks wait.
 */
const waitsFor: { [file in HeldLimit]: Resource } = {
  'memory.high': 'memory',
  'memory.max': 'memory',
  'cpu.max': 'cpu',
  'cpuset.cpus': 'cpu',
  'io.max': 'io',
  'memory.pressure': 'memory',
  'io.pressure': 'io',
}

/** Computes the figures that only `heldRows` in decide.ts tests. */
export function heldFacts(ended: Ended): Partial<Facts> {
  const { usage, outcome } = ended
  const percent = (usec = 0) => Math.round(usec / Math.max(1, outcome.durationMs * 10))
  const { pressure } = usage
  const allowed = fewerCpus(ended)
  return {
    throttledPercent: usage.periods ? Math.round((100 * (usage.throttledPeriods ?? 0)) / usage.periods) : 0,
    memoryStallPercent: percent(pressure?.memory?.fullUsec),
    slowed: timesSlowed(ended),
    slowedAbove: slowedAbove(ended)?.times ?? 0,
    throttledAbove: Number(throttledAbove(ended) !== undefined),
    memoryFull: Number((usage.memoryLimitHits ?? 0) > 0 || ownIsFull(ended.plan, ended.after)),
    refaultPercent: refaultShare(ended),
    ioLimited: Number(requestedLimit(ended, 'io.max', 'blkio.throttle.') !== undefined),
    ioStallPercent: percent(pressure?.io?.fullUsec),
    cpuStallPercent: percent(pressure?.cpu?.someUsec),
    cpusetDemandPercent:
      allowed === undefined ? 0 : Math.round(percent(usage.cpuUsec) / allowed) + percent(pressure?.cpu?.someUsec),
  }
}

/** v2: returns how often memory.high throttled the job. */
function timesSlowed({ plan, after }: Ended): number {
  return findFlat(figuresOf(plan, 'memory', after)(memoryEventsFile), 'high') ?? 0
}

/** v2: returns the nearest ancestor whose memory.high throttled tasks while the job ran. */
function slowedAbove({ plan, before, after }: Ended): { group: string; times: number } | undefined {
  if (plan.layout !== 'v2') return undefined
  const high = (texts: GroupTexts, group: string) => findFlat(texts(group, memoryEventsFile), 'high') ?? 0
  return plan.ancestors
    .map(({ directory }) => ({ group: directory, times: high(after, directory) - high(before, directory) }))
    .find(({ times }) => times > 0)
}

/** v2: returns the nearest ancestor whose cpu.max has throttled it. Its files are read only if the job waited for a CPU. */
function throttledAbove(ended: Ended): { group: string } | undefined {
  const { plan, usage, outcome } = ended
  const waited = (usage.pressure?.cpu?.someUsec ?? 0) >= outcome.durationMs * 500
  if (plan.layout !== 'v2' || !waited) return undefined
  const throttles = (group: string) => (findFlat(lateFigures(ended, group)('cpu.stat'), 'nr_throttled') ?? 0) > 0
  return plan.ancestors
    .map(({ directory }) => ({ group: directory }))
    .find(({ group }) => limitAbove(ended, 'cpu.max', group).value !== undefined && throttles(group))
}

/** Returns the bytes that were read again after reclaim. Known only for jobs that failed or were stopped. */
function refaultsOf({ plan, after }: Ended): number {
  const stat = parseFlat(figuresOf(plan, 'memory', after)('memory.stat'))
  const pages = (stat.workingset_refault_file ?? 0) + (stat.workingset_refault_anon ?? 0)
  return pages * pageSize
}

function refaultShare(ended: Ended): number {
  const refaults = refaultsOf(ended)
  const value = refaults > 0 ? ownLimit(ended, 'memory.max').value : undefined
  return typeof value === 'number' && value > 0 ? Math.round((100 * refaults) / value) : 0
}

function requestedLimit({ plan }: Ended, ...starts: string[]): { file: string; value: string } | undefined {
  return plan.spec.limits.find(({ file }) => starts.some((start) => file.startsWith(start)))
}

/** Returns how many CPUs the job may use by cpuset.cpus. Returns undefined if these are all CPUs of the host. */
function fewerCpus(ended: Ended): number | undefined {
  const set = requestedLimit(ended, 'cpuset.cpus')
  const count = set === undefined ? 0 : parseCpuCount(set.value)
  return count > 0 && count < ended.outcome.hostCpus() ? count : undefined
}

/** Kinds of ends that a limit may have delayed by slowing the job. */
const endedLate: ReadonlySet<CauseKind> = new Set(['exited', 'aborted', 'interrupted'])

/**
 * Returns the row for the limit that slowed the job. After a timeout any row is used. Otherwise only rows for a known
 * limit are used.
 */
export function decideHeld(facts: Facts, kind: CauseKind): DecisionRow | undefined {
  const row = decide(heldRows, facts)
  if (row.kind === 'exited') return undefined
  if (kind === 'timeout') return row
  // without free memory, a repeated page fault uses CPU time forever
  if (kind === 'cpu-time' && row.kind === 'oom' && facts.oomWithoutKill > 0) return row
  if (row.limit === undefined || row.limit.endsWith('.pressure')) return undefined
  // a task that waits uses no CPU time, except when it reclaims memory
  if (kind === 'cpu-time') return waitsFor[row.limit] === 'memory' ? row : undefined
  return endedLate.has(kind) ? row : undefined
}

/** Returns true if hutch stopped the job at a time limit. A limit that slowed the job is then the reason. */
export function isStoppedForTime(kind: CauseKind): boolean {
  return kind === 'timeout' || kind === 'cpu-time'
}

/** Returns the limit that slowed the job, with its counts. */
export function heldDetail(ended: Ended, file: HeldLimit): { limit: CauseLimit; counts: CauseCounts; peak?: number } {
  const { usage } = ended
  const stall = stallOf(ended, file)
  const high = file === 'memory.high' && timesSlowed(ended) === 0 ? slowedAbove(ended) : undefined
  const above = file === 'cpu.max' ? throttledAbove(ended) : high
  const times = high?.times ?? timesSlowed(ended)
  const isMemory = waitsFor[file] === 'memory' && !file.endsWith('.pressure')
  return {
    limit: above ? limitAbove(ended, file, above.group) : limitOf(ended, file),
    counts: omitUndefined({
      slowed: file === 'memory.high' ? times : undefined,
      stalledUsec: stall,
      cpuUsec: file === 'cpuset.cpus' ? usage.cpuUsec : undefined,
    }) as CauseCounts,
    ...omitUndefined({ peak: isMemory && !above ? usage.memoryPeak : undefined }),
  }
}

function limitOf(ended: Ended, file: HeldLimit): CauseLimit {
  if (file.endsWith('.pressure')) return { file }
  return ownLimit(ended, file === 'io.max' ? (requestedLimit(ended, 'io.max', 'blkio.throttle.')?.file ?? file) : file)
}

/** Returns how long tasks waited for a limit's resource, in microseconds. */
function stallOf({ usage: { pressure } }: Ended, file: HeldLimit): number | undefined {
  const resource = waitsFor[file]
  return resource === 'cpu' ? pressure?.cpu?.someUsec : pressure?.[resource]?.fullUsec
}

/** Returns the evidence for a limit that slowed the job. Returns nothing for the job's own cpu.max, which has a line of its own. */
export function heldFigure(ended: Ended, { kind, limit: file }: Partial<DecisionRow> = {}): Figure[] {
  if (file === undefined || kind === 'throttled') return []
  const { usage, outcome } = ended
  const { limit, counts } = heldDetail(ended, file)
  const refaults = refaultsOf(ended)
  const isMemory = waitsFor[file] === 'memory'
  return [
    {
      figure: 'held',
      limit,
      resource: waitsFor[file],
      wallMs: outcome.durationMs,
      ...omitUndefined({
        slowed: counts.slowed,
        stalledUsec: counts.stalledUsec,
        refaultBytes: isMemory && refaults > 0 ? refaults : undefined,
        cpuUsec: counts.cpuUsec,
        cpus: file === 'cpuset.cpus' ? fewerCpus(ended) : undefined,
        readBytes: waitsFor[file] === 'io' ? usage.io?.readBytes : undefined,
        writtenBytes: waitsFor[file] === 'io' ? usage.io?.writtenBytes : undefined,
      }),
    },
  ]
}
