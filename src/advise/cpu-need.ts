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

/** When the first of the kernel's periods ends, in milliseconds: a run can begin at any time of a period. */
const firstEnds = [period / 4, period / 2, (period * 3) / 4, period]

/** A part of the run: its length if no task had waited for a CPU, and the CPU time used in it. Milliseconds. */
interface Part {
  length: number
  used: number
}

/**
 * Returns the part between two samples. The time in which all tasks waited for a CPU does not count. The time in which some
 * tasks ran and others waited counts as half.
 */
function partBetween(from: UseSample, to: UseSample, cpus: number): Part {
  const used = (to.cpuUsec - from.cpuUsec) / 1000
  const full = (to.fullWaitUsec - from.fullWaitUsec) / 1000
  const some = (to.someWaitUsec - from.someWaitUsec) / 1000
  const length = to.at - from.at - full - Math.max(0, some - full) / 2
  // the same work takes at least its CPU time divided by all CPUs
  return { length: Math.max(length, used / cpus, 0.001), used }
}

/** Returns the CPUs in use in the busiest part of at least one period. */
function peakOf(parts: readonly Part[], cpus: number): number {
  let peak = 0
  let [length, used] = [0, 0]
  for (const [index, part] of parts.entries()) {
    length += part.length
    used += part.used
    if (length < period && index < parts.length - 1) continue
    peak = Math.max(peak, Math.min(cpus, used / Math.max(length, period / 2)))
    length = 0
    used = 0
  }
  return peak
}

/**
 * Returns how long the parts take under a limit. As the kernel does, it gives each period a quota. Tasks that have used the quota wait
 * for the next period. The first period ends at `end`.
 */
function timeUnder(limit: number, parts: readonly Part[], end: number): number {
  const quota = limit * period
  let [now, left] = [0, quota]
  for (const { length, used } of parts) {
    // nothing is known of the periods within a long part
    const isLong = length >= period
    if (isLong || used === 0) now += isLong ? Math.max(length, used / limit) : length
    for (let work = isLong ? 0 : used; work > 1e-6; ) {
      const done = Math.min(work, left, ((end - now) * used) / length)
      now += (done * length) / used
      work -= done
      left -= done
      if (left <= 1e-6 && work > 1e-6) now = end
      if (now < end - 1e-6) continue
      end += period
      left = quota
    }
    if (now < end) continue
    end += Math.ceil((now - end + 1e-6) / period) * period
    left = quota
  }
  return now
}

/** Returns the CPUs that the run needs if it may take `slowdown` longer (0.05: 5 %). `cpus` is the number of CPUs of the host. */
export function cpuNeedOf(samples: readonly UseSample[], slowdown: number, cpus: number): CpuNeed {
  const parts = samples.slice(1).map((to, index) => partBetween(samples[index]!, to, cpus))
  const sum = (of: (part: Part) => number) => parts.reduce((total, part) => total + of(part), 0)
  const length = sum((part) => part.length)
  if (length === 0) return noNeed
  const mean = sum(({ used }) => used) / length
  const peak = Math.max(peakOf(parts, cpus), mean)
  const timeAt = (limit: number) => Math.max(...firstEnds.map((end) => timeUnder(limit, parts, end)))
  // a burst within one period needs more than the busiest period has on average
  let [low, high] = [mean / (1 + slowdown), Math.max(2 * peak, 0.01)]
  for (let i = 0; i < 20; i++) {
    const middle = (low + high) / 2
    if (timeAt(middle) <= length * (1 + slowdown)) high = middle
    else low = middle
  }
  const wall = samples.at(-1)!.at - samples[0]!.at
  const limits = chartShares.map((share) => share * high).filter((limit) => limit <= cpus)
  const times = limits.map((limit) => ({ cpus: limit, ms: timeAt(limit) }))
  return { mean, peak, need: high, times, waited: Math.min(1, 1 - length / wall) }
}
