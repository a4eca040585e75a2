// SPDX-License-Identifier: Apache-2.0
// Computes how many CPUs a command needs from samples of its CPU time. Pure.
import type { UseSample } from './use-sample.ts'

/** The CPUs that a command uses and needs. */
export interface CpuNeed {
  /** CPUs in use on average, as on a host where no task waits for a CPU. */
  mean: number
  /** CPUs in use in the busiest 100 ms. */
  peak: number
  /** The smallest limit at which the run takes at most the allowed longer time. */
  need: number
  /** How long the run takes under limits around the need: milliseconds by number of CPUs. Computed, not measured. */
  times: { cpus: number; ms: number }[]
  /** Share of the run in which tasks waited because the host was busy: 0 to 1. */
  waited: number
}

/** The need of a command that was not observed. */
export const noNeed: CpuNeed = { mean: 0, peak: 0, need: 0, times: [], waited: 0 }

/** Limits of the chart, as shares of the need. */
const chartShares = [0.25, 0.5, 0.75, 0.9, 1, 1.25, 1.5]

/** The kernel's default period of cpu.max, in milliseconds. */
const period = 100

/** One period of the run: its length if no task had waited for a CPU, and the CPU time used in it. Milliseconds. */
interface Window {
  length: number
  used: number
}

/**
 * Divides a run into periods of at least 100 ms. The time in which all tasks waited for a CPU does not count. The time in which some
 * tasks ran and others waited counts as half.
 */
function windowsOf(samples: readonly UseSample[], cpus: number): Window[] {
  const windows: Window[] = []
  let from = samples[0]
  for (const [index, to] of samples.entries()) {
    if (!from || index === 0) continue
    const window = windowBetween(from, to, cpus)
    if (window.length < period && index < samples.length - 1) continue
    windows.push(window)
    from = to
  }
  return windows
}

function windowBetween(from: UseSample, to: UseSample, cpus: number): Window {
  const used = (to.cpuUsec - from.cpuUsec) / 1000
  const full = (to.fullWaitUsec - from.fullWaitUsec) / 1000
  const some = (to.someWaitUsec - from.someWaitUsec) / 1000
  const length = to.at - from.at - full - Math.max(0, some - full) / 2
  // the same work takes at least its CPU time divided by all CPUs
  return { length: Math.max(length, used / cpus, 0.001), used }
}

/** Returns the CPUs that the run needs if it may take `slowdown` longer (0.05: 5 %). `cpus` is the number of CPUs of the host. */
export function cpuNeedOf(samples: readonly UseSample[], slowdown: number, cpus: number): CpuNeed {
  const windows = windowsOf(samples, cpus)
  const sum = (of: (window: Window) => number) => windows.reduce((total, window) => total + of(window), 0)
  const length = sum((window) => window.length)
  if (length === 0) return noNeed
  const peak = windows.reduce(
    (max, { used, length }) => Math.max(max, Math.min(cpus, used / Math.max(length, period / 2))),
    0,
  )
  // under a limit, a period whose work exceeds the limit is stretched until its work is done
  const timeAt = (limit: number) => sum((window) => Math.max(window.length, window.used / limit))
  let [low, high] = [0, Math.max(peak, 0.01)]
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2
    if (timeAt(middle) <= length * (1 + slowdown)) high = middle
    else low = middle
  }
  const wall = samples.at(-1)!.at - samples[0]!.at
  const times = chartShares.map((share) => ({ cpus: share * high, ms: timeAt(share * high) }))
  const mean = sum(({ used }) => used) / length
  return { mean, peak: Math.max(peak, mean), need: high, times, waited: Math.min(1, 1 - length / wall) }
}
