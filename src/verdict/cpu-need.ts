// SPDX-License-Identifier: Apache-2.0
// Estimates how many CPUs a throttled group needs, and whether more CPUs would help. Called by remedies.ts and why/throttle.ts; pure.

/** The values of cpu.max and cpu.stat for a throttled group. Times are in microseconds. */
export interface Throttled {
  quota: number
  period: number
  periods: number
  throttledPeriods: number
  throttledUsec?: number | undefined
  /** CPU time of the group, including the time before the limit was set. */
  cpuUsec?: number | undefined
}

/** How many CPUs a group needs, and the limits that would be enough. */
interface CpuNeed {
  /**
   * CPUs that the group used, and CPUs that throttling denied it, on average over the periods in which it ran. Absent
   * if the kernel does not report them.
   */
  used?: number
  held?: number
  /** The next limit to try, in CPUs; always above the present limit. */
  cpus: number
  /**
   * True if the average use was below the limit: the group works in bursts. A longer period, or saving unused quota
   * (cpu.max.burst), then helps.
   */
  bursts: boolean
  /** A longer period, with a quota for the same number of CPUs, in microseconds. The period is at most one second. */
  longer: { quota: number; period: number }
}

/**
 * An average use below this share of the limit counts as bursts. The share is below 1, because a little time is lost in
 * each period.
 */
const burstShare = 0.85
/** Longest period that the kernel accepts, in microseconds. */
const maxPeriod = 1_000_000

/** Computes the need for CPUs from the figures in cpu.stat. */
export function cpuNeed({ quota, period, periods, throttledUsec, cpuUsec }: Throttled): CpuNeed {
  const active = periods * period
  const limit = quota / period
  const used = Math.min(cpuUsec ?? quota * periods, quota * periods) / active
  const held = throttledUsec === undefined || active === 0 ? undefined : throttledUsec / active
  const wanted = held === undefined ? 2 * limit : used + held
  const long = Math.max(period, maxPeriod)
  return {
    ...(held !== undefined && { used, held }),
    cpus: Math.ceil(Math.max(wanted, limit * 1.2) * 10 - 1e-9) / 10,
    bursts: cpuUsec !== undefined && active > 0 && used < limit * burstShare,
    longer: { quota: Math.round(limit * long), period: long },
  }
}
