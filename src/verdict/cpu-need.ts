// SPDX-License-Identifier: Apache-2.0
// How many CPUs a throttled group wanted, and whether more of them is the answer. Called by remedies.ts and why/throttle.ts; pure.

/** What cpu.max is and did. Microseconds. */
export interface Throttled {
  quota: number
  period: number
  periods: number
  throttledPeriods: number
  throttledUsec?: number | undefined
  /** Used in all, also in periods without a limit. */
  cpuUsec?: number | undefined
}

/** What would help. */
interface CpuNeed {
  /** CPUs used, and denied while it was held back, on average over the periods in which it had work. Absent if the kernel does not tell. */
  used?: number
  held?: number
  /** The next limit: always above the present one. */
  cpus: number
  /** It used less than its limit on average: it works in bursts, which a longer period, or quota saved for them, lets through. */
  bursts: boolean
  /** A period in which the quota holds ten times as much, and its quota: the same CPUs. Microseconds, at most the kernel's second. */
  longer: { quota: number; period: number }
}

/** Below this share of the limit, the mean use is that of bursts: the periods' edges cost a little of each. */
const burstShare = 0.85
/** The longest period that the kernel takes. */
const maxPeriod = 1_000_000

/** Computes it. */
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
