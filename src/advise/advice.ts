// SPDX-License-Identifier: Apache-2.0
// Turns what was measured into the advice: need, requests and limits with their margins, and how sure they are. Pure.
import type { CpuNeed } from './cpu-need.ts'
import { cpuLimitOf, milliCpus, pidsLimitOf } from './limits.ts'
import type { JudgedTrial, Measured } from './measure-need.ts'
import { leastBytes, type MarginReason, spreadOf, spreadOfNeeds } from './measure-need.ts'
import type { Size } from './prices.ts'
import { wholePages } from './search.ts'

/** Requests and limits to set. Absent means that nothing is known, or that no limit is needed. */
export interface Resources {
  memoryRequest?: number
  memoryLimit?: number
  milliRequest?: number
  milliLimit?: number
  pidsLimit?: number
}

/** A run as the report lists it. */
export interface RunLine {
  purpose: JudgedTrial['purpose']
  outcome: JudgedTrial['outcome']
  durationMs: number
  memoryLimit?: number
  memoryHigh?: number
  milliLimit?: number
  memoryPeak?: number
}

/** The advice for a command, a group or a report. Sizes are in bytes, times in milliseconds. */
export interface Advice {
  schemaVersion: 1
  command: readonly string[]
  /** What the figures are from: runs of the command, a group that was watched, or a file. */
  source: 'runs' | 'group' | 'report' | 'recording'
  memory?: {
    /** The smallest limit that passed, and the largest that did not; `failed` is absent if all tried limits passed. */
    need: number
    failed?: number
    /** Why `failed` did not pass. */
    failure?: JudgedTrial['outcome']
    /** Highest use without a limit, and how much of it was page cache that the kernel can reclaim. */
    peak: number
    reclaimable: number
    margin: number
    marginReason: MarginReason
  }
  cpu?: CpuNeed
  pids?: { peak: number }
  io?: { readBytes: number; writtenBytes: number; readRate: number; writtenRate: number }
  resources: Resources
  sure: {
    /** Number of runs, and of those without limits. */
    runs: number
    measured: number
    /** Differences between runs as shares of the largest: of memory in those that no limit changed, of time in those without limits. */
    memorySpread: number
    timeSpread: number
    /** True if a run at the advised limits of memory, CPUs and tasks passed. */
    confirmed: boolean
    /** True if the caller ended the measurement early. */
    stopped: boolean
    /** Share of the time in which tasks waited for a CPU of the busy host. */
    waited: number
  }
  runs: RunLine[]
}

/** Returns the advice for runs of a command. */
export function adviseRuns(command: readonly string[], measured: Measured): Advice {
  const { trials, bracket, memory, cpu, milliLimit, stopped, confirmed } = measured
  const free = trials.filter(({ purpose, outcome }) => purpose === 'measure' && outcome === 'passed')
  const most = (of: (trial: JudgedTrial) => number | undefined) =>
    free.reduce<number | undefined>((max, trial) => {
      const value = of(trial)
      return value === undefined ? max : Math.max(max ?? 0, value)
    }, undefined)
  const peak = most((trial) => trial.peak)
  const pids = most(({ pidsPeak }) => pidsPeak)
  const limit = memory?.limit
  const failure = trials.findLast((trial) => trial.limits.memory === bracket?.failed)?.outcome
  return {
    schemaVersion: 1,
    command,
    source: 'runs',
    ...(bracket &&
      memory &&
      peak !== undefined && {
        memory: {
          need: bracket.enough,
          ...(failure && { failed: bracket.failed, failure }),
          peak,
          reclaimable: most(({ reclaimable }) => reclaimable)!,
          margin: memory.limit / bracket.enough - 1,
          marginReason: memory.reason,
        },
      }),
    ...(free.length > 0 && { cpu }),
    ...(pids !== undefined && { pids: { peak: pids } }),
    ...ioOf(free),
    resources: {
      ...(limit !== undefined && { memoryRequest: limit, memoryLimit: limit }),
      ...(free.length > 0 && { milliRequest: milliCpus(cpu.mean) }),
      ...(milliLimit !== undefined && { milliLimit }),
      ...(pids !== undefined && { pidsLimit: pidsLimitOf(pids) }),
    },
    sure: {
      runs: trials.length,
      measured: free.length,
      memorySpread: spreadOfNeeds(trials),
      timeSpread: spreadOf(free.map(({ durationMs }) => durationMs)),
      confirmed,
      stopped,
      waited: cpu.waited,
    },
    runs: trials.map(({ purpose, outcome, durationMs, limits, peak }) => ({
      purpose,
      outcome,
      durationMs,
      ...(limits.memory !== undefined && { memoryLimit: limits.memory }),
      ...(limits.memoryHigh !== undefined && { memoryHigh: limits.memoryHigh }),
      ...(limits.cpus !== undefined && { milliLimit: Math.round(limits.cpus * 1000) }),
      ...(peak !== undefined && { memoryPeak: peak }),
    })),
  }
}

function ioOf(trials: readonly JudgedTrial[]): Pick<Advice, 'io'> {
  const counted = trials.flatMap(({ io, durationMs }) =>
    io && durationMs > 0 ? [{ ...io, seconds: durationMs / 1000 }] : [],
  )
  if (counted.length === 0) return {}
  const most = (of: (entry: (typeof counted)[number]) => number) => Math.max(...counted.map(of))
  return {
    io: {
      readBytes: most(({ readBytes }) => readBytes),
      writtenBytes: most(({ writtenBytes }) => writtenBytes),
      readRate: most(({ readBytes, seconds }) => readBytes / seconds),
      writtenRate: most(({ writtenBytes, seconds }) => writtenBytes / seconds),
    },
  }
}

/** What a group or a report shows without further runs. */
export interface ObservedUse {
  peak?: number | undefined
  /** Highest memory that cannot be reclaimed; absent if only the peak is known. */
  working?: number | undefined
  cpu?: CpuNeed | undefined
  pids?: number | undefined
  /** True if the job was ended for lack of memory: it needs more than its peak. */
  killed: boolean
  samples: number
}

/** Margins without runs under limits: over the working set, and over the peak of a job that was killed for lack of memory. */
const observedMargin = 0.15
const killedMargin = 0.25

/** Returns the advice for what was observed of something that runs, or ran, elsewhere. */
export function adviseObserved(
  command: readonly string[],
  source: Advice['source'],
  { peak, working, cpu, pids, killed, samples }: ObservedUse,
  hostCpus: number,
): Advice {
  const need = killed ? peak : (working ?? peak)
  const margin = killed ? killedMargin : observedMargin
  const limit = need === undefined ? undefined : wholePages(need + Math.max(need * margin, leastBytes))
  const cpuMax = cpu && cpuLimitOf(cpu, hostCpus)
  return {
    schemaVersion: 1,
    command,
    source,
    ...(need !== undefined && {
      memory: {
        need,
        peak: peak ?? need,
        reclaimable: Math.max(0, (peak ?? need) - need),
        margin: limit! / need - 1,
        marginReason: need * margin < leastBytes ? 'small' : 'single',
      },
    }),
    ...(cpu && { cpu }),
    ...(pids !== undefined && { pids: { peak: pids } }),
    resources: {
      ...(limit !== undefined && { memoryRequest: limit, memoryLimit: limit }),
      ...(cpu && { milliRequest: milliCpus(cpu.mean) }),
      ...(cpuMax !== undefined && { milliLimit: cpuMax }),
      ...(pids !== undefined && { pidsLimit: pidsLimitOf(pids) }),
    },
    sure: {
      runs: samples,
      measured: 0,
      memorySpread: 0,
      timeSpread: 0,
      confirmed: false,
      stopped: false,
      waited: cpu?.waited ?? 0,
    },
    runs: [],
  }
}

/** Returns the size that a scheduler reserves: requests, or what is used if there is no request. */
export function reservedSize({ milliRequest = 0, memoryRequest = 0 }: Resources): Size {
  return { milliCpus: milliRequest, memory: memoryRequest }
}
