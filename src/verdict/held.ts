// SPDX-License-Identifier: Apache-2.0
// What held a job up while it ran: shares of its time for decide.ts, and the limit with its arithmetic. Called by facts.ts and make-cause.ts; pure.
import { memoryEventsFile } from '../cgroup/memory.ts'
import { parseFlat } from '../cgroup/stats.ts'
import { parseCpuCount } from '../text/units.ts'
import type { CauseCounts, CauseKind, CauseLimit, Figure } from './cause.ts'
import { type DecisionRow, decide, type Facts, type HeldLimit, heldRows } from './decide.ts'
import { type Ended, ownIsFull } from './facts.ts'
import { limitAbove, ownLimit } from './limits.ts'
import { figuresOf, omitUndefined } from './usage.ts'

type Resource = 'memory' | 'cpu' | 'io'

/** Of x86-64, and of most arm64 kernels; elsewhere too small, which only hides a share. */
const pageSize = 4096

/** What each limit makes tasks wait for; for a CPU it is enough if some of them wait. */
const waitsFor: { [file in HeldLimit]: Resource } = {
  'memory.high': 'memory',
  'memory.max': 'memory',
  'cpu.max': 'cpu',
  'cpuset.cpus': 'cpu',
  'io.max': 'io',
  'memory.pressure': 'memory',
  'io.pressure': 'io',
}

/** Computes the figures that heldRows asks for and endRows does not. */
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
    memoryFull: Number((usage.memoryLimitHits ?? 0) > 0 || ownIsFull(ended.plan, ended.after)),
    refaultPercent: refaultShare(ended),
    ioLimited: Number(asked(ended, 'io.max', 'blkio.throttle.') !== undefined),
    ioStallPercent: percent(pressure?.io?.fullUsec),
    cpuStallPercent: percent(pressure?.cpu?.someUsec),
    cpusetDemandPercent:
      allowed === undefined ? 0 : Math.round(percent(usage.cpuUsec) / allowed) + percent(pressure?.cpu?.someUsec),
  }
}

/** How often memory.high slowed it: v2 alone. */
function timesSlowed({ plan, after }: Ended): number {
  return parseFlat(figuresOf(plan, 'memory', (path) => after.get(path))(memoryEventsFile)).high ?? 0
}

/** The nearest group above whose memory.high slowed tasks while the job ran. */
function slowedAbove({ plan, before, after }: Ended): { group: string; times: number } | undefined {
  const high = (texts: Map<string, string>, group: string) =>
    parseFlat(texts.get(`${group}/${memoryEventsFile}`)).high ?? 0
  return plan.ancestors
    .map(({ directory }) => ({ group: directory, times: high(after, directory) - high(before, directory) }))
    .find(({ times }) => times > 0)
}

/** Bytes that it had to read again after reclaim; read for jobs that failed or were stopped. */
function refaultsOf({ plan, after }: Ended): number {
  const stat = parseFlat(figuresOf(plan, 'memory', (path) => after.get(path))('memory.stat'))
  const pages = (stat.workingset_refault_file ?? 0) + (stat.workingset_refault_anon ?? 0)
  return pages * pageSize
}

function refaultShare(ended: Ended): number {
  const { value } = ownLimit(ended, 'memory.max')
  return typeof value === 'number' && value > 0 ? Math.round((100 * refaultsOf(ended)) / value) : 0
}

function asked({ plan }: Ended, ...starts: string[]): { file: string; value: string } | undefined {
  return plan.spec.limits.find(({ file }) => starts.some((start) => file.startsWith(start)))
}

/** CPUs of its cpuset.cpus, if those are not all of the host's. */
function fewerCpus(ended: Ended): number | undefined {
  const set = asked(ended, 'cpuset.cpus')
  const count = set === undefined ? 0 : parseCpuCount(set.value)
  return count > 0 && count < ended.outcome.hostCpus() ? count : undefined
}

/** Ends that a limit which only slows may have delayed. */
const endedLate: ReadonlySet<CauseKind> = new Set(['exited', 'aborted', 'interrupted'])

/** Returns the row of what held it up: anything for a job that ran out of time, else a known limit that only slows. */
export function decideHeld(facts: Facts, kind: CauseKind): DecisionRow | undefined {
  const row = decide(heldRows, facts)
  if (row.kind === 'exited') return undefined
  if (kind === 'timeout') return row
  if (row.limit === undefined || row.limit.endsWith('.pressure')) return undefined
  // waiting uses no CPU time, getting memory back does
  if (kind === 'cpu-time') return waitsFor[row.limit] === 'memory' ? row : undefined
  return endedLate.has(kind) ? row : undefined
}

/** Returns whether the job was stopped by a time limit, so that a limit that slowed it is the reason. */
export function isStoppedForTime(kind: CauseKind): boolean {
  return kind === 'timeout' || kind === 'cpu-time'
}

/** Returns the limit that held it, and how much. */
export function heldDetail(ended: Ended, file: HeldLimit): { limit: CauseLimit; counts: CauseCounts; peak?: number } {
  const { usage } = ended
  const stall = stallOf(ended, file)
  const above = file === 'memory.high' && timesSlowed(ended) === 0 ? slowedAbove(ended) : undefined
  const times = above?.times ?? timesSlowed(ended)
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
  return ownLimit(ended, file === 'io.max' ? (asked(ended, 'io.max', 'blkio.throttle.')?.file ?? file) : file)
}

/** Time in which its tasks waited for what the limit holds back. Microseconds. */
function stallOf({ usage: { pressure } }: Ended, file: HeldLimit): number | undefined {
  const resource = waitsFor[file]
  return resource === 'cpu' ? pressure?.cpu?.someUsec : pressure?.[resource]?.fullUsec
}

/** One line: the limit, and what it did in numbers. cpu.max has a line of its own. */
export function heldFigure(ended: Ended, file: HeldLimit | undefined): Figure[] {
  if (file === undefined || file === 'cpu.max') return []
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
