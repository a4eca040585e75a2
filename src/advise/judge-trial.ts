// SPDX-License-Identifier: Apache-2.0
// Decides whether a run under limits passed: it did what it does without limits, and was not slowed too much by them. Pure.
import type { Trial, TrialOutcome } from './trial.ts'

/** What runs without limits need; the measure for runs under limits. */
export interface Baseline {
  durationMs: number
  /** By how much the slowest run took longer than the usual one: 0.05 is 5 %. */
  spread: number
  cpuUsec: number
  memoryWaitUsec: number
  ioWaitUsec: number
}

/** Returns the median of numbers; 0 for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** Returns the baseline of runs without limits. */
export function baselineOf(trials: readonly Trial[]): Baseline {
  const most = (of: (trial: Trial) => number) => trials.reduce((max, trial) => Math.max(max, of(trial)), 0)
  const durationMs = median(trials.map((trial) => trial.durationMs))
  return {
    durationMs,
    spread: durationMs === 0 ? 0 : most((trial) => trial.durationMs) / durationMs - 1,
    cpuUsec: most(({ cpuUsec }) => cpuUsec),
    memoryWaitUsec: most(({ memoryWaitUsec = 0 }) => memoryWaitUsec),
    ioWaitUsec: most(({ ioWaitUsec = 0 }) => ioWaitUsec),
  }
}

/**
 * Returns by how much the limits slowed a run: 0.05 is 5 %. The time alone would also count what else the host did. The
 * result is therefore at most the time that the kernel attributes to limits: reclaim, waiting for memory and files, and throttling.
 * `isThrottled` is true if most of it is throttling.
 */
function slowdownOf(
  trial: Trial,
  { durationMs, cpuUsec, memoryWaitUsec, ioWaitUsec }: Baseline,
): { slowdown: number; isThrottled: boolean } {
  const longer = Math.max(0, trial.durationMs / durationMs - 1)
  const { limitHits, throttledUsec } = trial
  if (trial.memoryWaitUsec === undefined)
    return {
      slowdown: limitHits + throttledUsec > 0 ? longer : 0,
      isThrottled: throttledUsec / 1000 > (longer * durationMs) / 2,
    }
  const above = (value: number | undefined, base: number) => Math.max(0, (value ?? base) - base)
  // a task that reclaims memory, and waits for a CPU of a busy host meanwhile, is counted for both
  const memory = above(trial.memoryWaitUsec, memoryWaitUsec + trial.cpuWaitUsec)
  // disks are shared: only what exceeds their usual variation counts
  const files = above(trial.ioWaitUsec, 2 * ioWaitUsec)
  const lostUsec = limitHits > 0 ? Math.max(memory, above(trial.cpuUsec, cpuUsec)) + files : 0
  return {
    slowdown: Math.min(longer, (lostUsec + throttledUsec) / 1000 / durationMs),
    isThrottled: throttledUsec > lostUsec,
  }
}

/** Longer times below this many milliseconds never count: they vary by more on a busy host. */
const leastLossMs = 30

/** Returns how a run ended. */
export function judgeTrial(trial: Trial, baseline: Baseline | undefined, slowdown: number): TrialOutcome {
  if (trial.stopped) return 'stopped'
  if (trial.oomKills > 0) return 'oom'
  if (trial.isHopeless) return 'slow'
  if (!trial.completed) return 'failed'
  if (!baseline) return 'passed'
  const found = slowdownOf(trial, baseline)
  if (found.slowdown <= Math.max(slowdown, baseline.spread, leastLossMs / baseline.durationMs)) return 'passed'
  return found.isThrottled ? 'throttled' : 'slow'
}
