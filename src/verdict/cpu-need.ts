// SPDX-License-Identifier: Apache-2.0
// Estimates how many CPUs a throttled group needs, and whether more CPUs would help. Called by remedies.ts and why/throttle.ts; pure.

/** Values of cpu.max and cpu.stat. Times are in microseconds. */
export interface Throttled {
  quota: number
  period: number
  periods: number
  throttledPeriods: number
  throttledUsec?: number | undefined
  /** Total CPU time, including periods without a limit. */
  cpuUsec?: number | undefined
}

/** The estimated need and the limits that satisfy it. */
interface CpuNeed {
  /** CPUs used, and CPUs denied by throttling, on average over the periods with work. Absent if the kernel does not report them. */
  used?: number
  held?: number
  /** Next limit to try, in CPUs; always above the present limit. */
  cpus: number
  /** True if mean use was below the limit: the group works in bursts, which a longer period or a saved quota lets through. */
  bursts: boolean
  /** A longer period with a quota for the same number of CPUs. Microseconds; the period is at most one second. */
  longer: { quota: number; period: number }
}

/** Mean use below this share of the limit counts as bursts. The share is below 1 because each period loses a little time at its edges. */
const burstShare = 0.85
/** Longest period that the kernel accepts, in microseconds. */
const maxPeriod = 1_000_000

/** Computes the need from the figures of cpu.stat. */
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
