// SPDX-License-Identifier: Apache-2.0
// Measures a command and searches what it needs: runs without limits, attempts under limits, and a run at the advice. Not pure.
import { fail } from '../errors/errors.ts'
import { availableParallelism } from '../system/machine.ts'
import { type CpuNeed, cpuNeedOf, noNeed } from './cpu-need.ts'
import { type Baseline, baselineOf, judgeTrial, median } from './judge-trial.ts'
import { cpuLimitOf, pidsLimitOf } from './limits.ts'
import { type Bracket, resolutionAt, type SearchStart, searchLimit, wholePages } from './search.ts'
import { runTrial, type Trial, type TrialLimits, type TrialOutcome, type Workload } from './trial.ts'

/** How to measure. */
export interface MeasureOptions {
  /** Number of runs without limits. */
  runs: number
  /** Allowed longer time: 0.05 for 5 %. */
  slowdown: number
  layout: 'v2' | 'hybrid' | 'v1' | 'none'
  /** True if the host has swap, which the limits then exclude. */
  swaps: boolean
  signal: AbortSignal
  /** Called before each run, with the expected number of runs that remain, this one included. */
  onRun(purpose: Trial['purpose'], limits: TrialLimits, number: number, left: number, expectedMs: number): void
}

/** A run and how it ended. */
export interface JudgedTrial extends Trial {
  outcome: TrialOutcome
}

/** What was measured. */
export interface Measured {
  trials: JudgedTrial[]
  /** Absent if the caller stopped before the first run ended. */
  baseline?: Baseline
  /** Limits of memory between which the need is. Absent without a memory controller, or if the caller stopped early. */
  bracket?: Bracket
  /** The advised limit of memory in bytes, and why it is that far above the smallest limit that passed. */
  memory?: { limit: number; reason: MarginReason }
  cpu: CpuNeed
  /** The advised limit of CPUs in thousandths. Absent if the command can use all CPUs of the host. */
  milliLimit?: number
  /** True if the caller ended the measurement early. */
  stopped: boolean
  /** True if a run at the advised limits passed. */
  confirmed: boolean
}

const mib = 2 ** 20
/** Least margin in bytes, for small limits. */
export const leastBytes = 0.9 * mib
/** Least margin over the smallest limit that passed, as a share. */
const leastMargin = 0.04
const largestMargin = 0.1
/** Least margin if a lower limit only slowed the command: how much it slows varies more than what it needs. */
const slowMargin = 0.06
/**
 * A limit is a little above the peak of runs without limits if that peak exceeds the need by at most this share. Such a limit is never
 * reached. The share is the spread between runs, within these bounds: the more runs differ, the more often a lower limit passes by chance.
 */
const nearPeak = [0.08, 0.15] as const
const peakMargin = 0.01
/** Runs at the advice that must pass, by the spread of what runs need: a run that happens to need less shows little. */
const confirmations: readonly (readonly [spread: number, runs: number])[] = [
  [0.02, 1],
  [0.04, 3],
  [1, 5],
]
/** Attempts at the advice before hutch gives up. */
const maxConfirmations = 12
/** By how much the need of CPUs grows if the advised limit slowed the command too much. */
const cpuStep = 0.1

/** Returns the spread of values as a share of the largest. */
export function spreadOf(values: readonly number[]): number {
  const max = Math.max(0, ...values)
  return max === 0 ? 0 : (max - Math.min(...values)) / max
}

/**
 * Returns what a run needed of memory that cannot be reclaimed, in bytes. A sample can miss a short peak; but without page cache, the
 * peak is at least the peak minus all page cache.
 */
function neededBy({ kept, peak = 0, reclaimable }: Trial): number {
  return Math.max(kept, peak - reclaimable)
}

/** Returns the runs that no limit of memory changed. */
function unlimited(trials: readonly JudgedTrial[]): JudgedTrial[] {
  return trials.filter(
    ({ limits, outcome, limitHits }) => outcome === 'passed' && limitHits === 0 && limits.memoryHigh === undefined,
  )
}

/** Returns the spread of what runs needed, of those that no limit changed. */
export function spreadOfNeeds(trials: readonly JudgedTrial[]): number {
  return spreadOf(unlimited(trials).map(neededBy))
}

/**
 * Why the advised limit is as far above the need as it is. `spread`: runs differ. `least` and `small`: the least margin as a share or in
 * bytes. `peak`: runs without limits use a little more than the need. `slow`: times near the need vary. `single`: there was one run only.
 */
export type MarginReason = 'spread' | 'least' | 'small' | 'peak' | 'slow' | 'single'

/** Returns the limit to advise above a limit that passed, by what all runs show. */
function chooseLimit(
  enough: number,
  isSlow: boolean,
  trials: readonly JudgedTrial[],
): { limit: number; reason: MarginReason } {
  const least = isSlow ? slowMargin : leastMargin
  const spread = spreadOfNeeds(trials)
  const share = enough * Math.min(largestMargin, Math.max(least, 2 * spread))
  const peak = Math.max(...unlimited(trials).map(({ peak = 0 }) => peak))
  const [nearest, farthest] = nearPeak
  const isNear = peak <= enough * (1 + Math.min(farthest, Math.max(nearest, spread)))
  const choices: [limit: number, reason: MarginReason][] = [
    [
      enough + share,
      2 * spread > least ? 'spread' : isSlow ? 'slow' : unlimited(trials).length < 2 ? 'single' : 'least',
    ],
    [enough + leastBytes, 'small'],
    [isNear ? peak * (1 + peakMargin) : 0, 'peak'],
  ]
  const [limit, reason] = choices.reduce((most, choice) => (choice[0] > most[0] ? choice : most))
  return { limit: wholePages(limit), reason }
}

/** Measures a workload. @throws ADVISE_FAILED if the command does not succeed without limits */
export async function measureNeed(workload: Workload, options: MeasureOptions): Promise<Measured> {
  const { runs, slowdown, layout, signal } = options
  const trials: JudgedTrial[] = []
  let baseline: Baseline | undefined
  const expectedMs = () => median(trials.map(({ durationMs }) => durationMs))
  const once = async (purpose: Trial['purpose'], limits: TrialLimits, left: number): Promise<JudgedTrial> => {
    options.onRun(purpose, limits, trials.length + 1, left, expectedMs())
    const trial = await runTrial(workload, purpose, limits, {
      signal,
      showsErrors: trials.length === 0,
      swaps: options.swaps,
      usualMs: baseline?.durationMs,
    })
    const judged = { ...trial, outcome: judgeTrial(trial, baseline, slowdown) }
    trials.push(judged)
    return judged
  }
  const finish = (more: Partial<Measured> = {}): Measured => {
    const { cpu = needOfCpus(trials, slowdown), bracket } = more
    const milliLimit = baseline && cpuLimitOf(cpu, availableParallelism())
    return {
      trials,
      ...(baseline && { baseline }),
      ...(milliLimit !== undefined && { milliLimit }),
      stopped: signal.aborted,
      confirmed: false,
      ...(bracket && { memory: chooseLimit(bracket.enough, false, trials) }),
      ...more,
      cpu,
    }
  }
  for (let i = 0; i < runs && !signal.aborted; i++) {
    const trial = await once('measure', {}, runs - i + 3)
    if (trial.outcome !== 'passed' && trial.outcome !== 'stopped')
      throw fail('ADVISE_FAILED', {
        command: workload.argv[0]!,
        headline: trial.headline,
        isServer: workload.server !== undefined,
      })
  }
  const measured = trials.filter(({ outcome }) => outcome === 'passed')
  if (measured.length === 0) return finish()
  baseline = baselineOf(measured)
  const start = startOf(measured)
  if (!start) return finish()
  const bracket = await searchLimit(start, async (limit) => {
    if (signal.aborted) return undefined
    // on v2, the first attempt only slows: it shows what is needed, also if the guess is too low
    const soft = layout === 'v2' && trials.length === measured.length
    const trial = await once('probe', soft ? { memoryHigh: limit } : { memory: limit }, 3)
    if (trial.outcome === 'stopped') return undefined
    const passed = trial.outcome === 'passed' && (!soft || (trial.peak ?? Number.POSITIVE_INFINITY) <= limit)
    return { passed, slow: trial.outcome === 'slow', ...(passed && trial.limitHits === 0 && { peak: trial.peak }) }
  })
  if (signal.aborted) return finish({ bracket })
  const isSlow = trials.some(({ limits, outcome }) => limits.memory === bracket.failed && outcome === 'slow')
  return finish(await confirm(bracket, isSlow, trials, finish().cpu, once))
}

/** Runs at the advised limits. A limit that does not pass was only enough by chance: the next one is higher. */
async function confirm(
  { failed, enough }: Bracket,
  isSlow: boolean,
  trials: readonly JudgedTrial[],
  cpu: CpuNeed,
  once: (purpose: 'confirm', limits: TrialLimits, left: number) => Promise<JudgedTrial>,
): Promise<Partial<Measured>> {
  const pids = Math.max(...trials.map(({ pidsPeak = 0 }) => pidsPeak))
  const wanted = () => confirmations.find(([spread]) => spreadOfNeeds(trials) <= spread)![1]
  let { need } = cpu
  let passes = 0
  for (let i = 0; i < maxConfirmations; i++) {
    const memory = chooseLimit(enough, isSlow, trials)
    const { limit } = memory
    const milliLimit = cpuLimitOf({ need }, availableParallelism())
    const limits = {
      memory: limit,
      ...(milliLimit !== undefined && { cpus: milliLimit / 1000 }),
      ...(pids > 0 && { pids: pidsLimitOf(pids) }),
    }
    const { outcome } = await once('confirm', limits, wanted() - passes)
    const found = { bracket: { failed, enough }, memory, cpu: { ...cpu, need } }
    if (outcome === 'stopped') return found
    passes = outcome === 'passed' ? passes + 1 : 0
    if (passes >= wanted()) return { ...found, confirmed: true }
    if (outcome === 'throttled') need *= 1 + cpuStep
    else if (outcome !== 'passed') {
      failed = limit
      enough = wholePages(limit + resolutionAt(limit))
    }
  }
  return { bracket: { failed, enough }, cpu: { ...cpu, need } }
}

/** Differences between runs above this share mean that a pass below the largest need was by chance. */
const largeSpread = 0.04
/** A run that uses less than this share of all runs without limits adapts to its limit, as runtimes with a heap do. */
const adaptedShare = 0.9

/** Returns where the search begins. Undefined if the host does not count memory. */
function startOf(measured: readonly Trial[]): SearchStart | undefined {
  const peaks = measured.flatMap(({ peak }) => (peak === undefined ? [] : [peak]))
  if (peaks.length === 0) return undefined
  const needs = measured.map(neededBy)
  const most = Math.max(...needs)
  const guess = Math.max(most, ...measured.map(({ working }) => working))
  return {
    enough: Math.max(...peaks),
    guess: guess + resolutionAt(guess) / 2,
    ...(spreadOf(needs) > largeSpread && {
      // one of the runs needed this much, so that a lower limit does not always pass
      failed: wholePages(most - resolutionAt(most)),
      adapted: Math.min(...needs) * adaptedShare,
    }),
  }
}

function needOfCpus(trials: readonly Trial[], slowdown: number): CpuNeed {
  const cpus = availableParallelism()
  const needs = trials
    .filter(({ purpose }) => purpose === 'measure')
    .map(({ samples }) => cpuNeedOf(samples, slowdown, cpus))
    .sort((a, b) => a.need - b.need)
  return needs[Math.floor(needs.length / 2)] ?? noNeed
}
