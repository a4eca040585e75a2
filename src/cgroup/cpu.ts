// SPDX-License-Identifier: Apache-2.0
// The cpu controller: cgroup-v2.rst, "CPU Interface Files"; scheduler/sched-bwc.rst for v1.
import { type FileTexts, parseFlat } from './stats.ts'

/** Microseconds in which a quota counts: the kernel's default, and Docker's. */
export const cpuPeriodUsec = 100_000

/** CPUs as cpu.max takes them. */
export function formatCpuMax(cpus: number | 'max'): string {
  return cpus === 'max'
    ? `max ${cpuPeriodUsec}`
    : `${Math.max(1000, Math.round(cpus * cpuPeriodUsec))} ${cpuPeriodUsec}`
}

export interface CpuStats {
  cpuUsec?: number
  userUsec?: number
  systemUsec?: number
  throttledUsec?: number
  throttledPeriods?: number
  periods?: number
}

/** `unified` is the v2 tree's cpu.stat, `limited` the one that counts throttling: the same file on v2. */
export function parseCpu(unified: FileTexts, limited: FileTexts): CpuStats {
  const usage = parseFlat(unified('cpu.stat'))
  const quota = parseFlat(limited('cpu.stat'))
  const throttled =
    quota.throttled_usec ?? (quota.throttled_time === undefined ? undefined : Math.round(quota.throttled_time / 1000))
  const stats: CpuStats = {}
  const set = (key: keyof CpuStats, value: number | undefined) => {
    if (value !== undefined) stats[key] = value
  }
  set('cpuUsec', usage.usage_usec)
  set('userUsec', usage.user_usec)
  set('systemUsec', usage.system_usec)
  set('throttledUsec', throttled)
  set('throttledPeriods', quota.nr_throttled)
  set('periods', quota.nr_periods)
  return stats
}
