// SPDX-License-Identifier: Apache-2.0
// Parses and formats files of the cpu controller: cgroup-v2.rst, "CPU Interface Files"; scheduler/sched-bwc.rst for v1. Pure.
import { type FileTexts, parseFlat } from './stats.ts'

/** Period of a quota in microseconds: the default of the kernel and of Docker. */
export const cpuPeriodUsec = 100_000

/** Returns CPUs in the format of cpu.max. */
export function formatCpuMax(cpus: number | 'max'): string {
  return cpus === 'max'
    ? `max ${cpuPeriodUsec}`
    : `${Math.max(1000, Math.round(cpus * cpuPeriodUsec))} ${cpuPeriodUsec}`
}

/** CPU time of a group, and its quota periods. A figure that the host does not report is absent. */
export interface CpuStats {
  /** CPU time, in microseconds. */
  cpuUsec?: number
  /** CPU time in user mode, in microseconds. */
  userUsec?: number
  /** CPU time in the kernel, in microseconds. */
  systemUsec?: number
  /** Time for which the quota throttled the group, in microseconds. */
  throttledUsec?: number
  /** Number of quota periods in which the quota throttled the group. */
  throttledPeriods?: number
  /** Number of quota periods in which a task ran. */
  periods?: number
}

/**
 * Parses CPU statistics. `unified` reads the cpu.stat of the v2 tree. `limited` reads the cpu.stat with the counts of throttling; on v2
 * this is the same file.
 */
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
