// SPDX-License-Identifier: Apache-2.0
// Files and figures of the cpu controller on v2: cgroup-v2.rst, "CPU Interface Files"; scheduler/sched-bwc.rst for bandwidth.

import type { Entries } from './entry.ts'
import type { Figures } from './figure.ts'

export const cpu = {
  'cpu.stat': {
    access: 'read',
    always: true,
    format: 'flat-keyed',
    meaning: 'CPU time used, and how often and how long the quota throttled the group',
    keys: {
      usage_usec: ['µs', 'CPU time used by the group and its descendants'],
      user_usec: ['µs', 'part of usage_usec, in user mode'],
      system_usec: ['µs', 'part of usage_usec, in the kernel'],
      nice_usec: ['µs', 'part of usage_usec, by tasks with a nice value above 0'],
      'core_sched.force_idle_usec': [
        'µs',
        'Time for which a sibling hardware thread was idle because of core scheduling',
      ],
      nr_periods: ['count', 'Quota periods in which a task ran'],
      nr_throttled: ['count', 'Quota periods in which the quota was used up'],
      throttled_usec: ['µs', 'Time for which the group was throttled because the quota was used up'],
      nr_bursts: ['count', 'Quota periods in which saved quota was used'],
      burst_usec: ['µs', 'CPU time used from saved quota'],
    },
    v1: ['cpu.stat', 'cpuacct.usage', 'cpuacct.stat'],
  },
  'cpu.stat.local': {
    access: 'read',
    always: true,
    format: 'flat-keyed',
    since: '6.6',
    meaning: 'How long this group was throttled, by its own quota or an ancestor’s',
    keys: { throttled_usec: ['µs', 'Time for which the group was throttled, by any of these quotas'] },
    v1: ['cpu.stat.local'],
  },
  'cpu.weight': {
    access: 'read-write',
    root: 'never',
    format: 'count',
    unit: 'weight',
    range: [1, 10_000],
    default: '100',
    meaning: 'Share of CPU time relative to sibling groups, when CPU time is short; 0 for a group with cpu.idle',
    v1: ['cpu.shares'],
  },
  'cpu.weight.nice': {
    access: 'read-write',
    root: 'never',
    format: 'integer',
    unit: '',
    range: [-20, 19],
    default: '0',
    accepts: 'a nice value from -20 to 19, such as 10',
    meaning: 'The same share as cpu.weight, as the nearest nice value',
  },
  'cpu.max': {
    access: 'read-write',
    root: 'never',
    format: 'quota',
    unit: 'µs',
    default: 'max 100000',
    accepts: 'a quota and a period in µs, such as 50000 100000 for half a CPU, or max',
    meaning: 'CPU time that the group may use in each period, summed over all CPUs',
    v1: ['cpu.cfs_quota_us', 'cpu.cfs_period_us'],
    atEnd: { v2: 'if-set', v1: 'if-set' },
  },
  'cpu.max.burst': {
    access: 'read-write',
    root: 'never',
    format: 'microseconds',
    since: '5.14',
    default: '0',
    accepts: 'µs, at most the quota of cpu.max, such as 20000',
    meaning: 'Unused quota that may be saved for a busy period',
    v1: ['cpu.cfs_burst_us'],
  },
  'cpu.idle': {
    access: 'read-write',
    root: 'never',
    format: 'flag',
    since: '5.15',
    default: '0',
    meaning: 'Lets the group run only when sibling groups leave the CPU idle (1)',
    v1: ['cpu.idle'],
  },
  'cpu.uclamp.min': {
    access: 'read-write',
    root: 'never',
    format: 'percent-or-max',
    since: '5.4',
    default: '0.00',
    meaning: 'Minimum load that the scheduler assumes for the tasks, which raises the CPU frequency',
    v1: ['cpu.uclamp.min'],
  },
  'cpu.uclamp.max': {
    access: 'read-write',
    root: 'never',
    format: 'percent-or-max',
    since: '5.4',
    default: 'max',
    meaning: 'Maximum load that the scheduler assumes for the tasks, which limits the CPU frequency',
    v1: ['cpu.uclamp.max'],
  },
} satisfies Entries

/**
 * The period, in microseconds, to which quotas in metrics refer. All groups have the same one, because only the ratio of quota and period
 * matters.
 */
const periodUsec = 100_000

/**
 * A group has a quota if it has one of these figures. Without a quota, counters of throttling are not reported, although the kernel shows
 * zeros.
 */
const quota = ['cpuMax', 'periods'] as const

export const cpuFigures = {
  cpuUsec: {
    kind: 'count',
    v2: { file: 'cpu.stat', key: 'usage_usec' },
    v1: { file: 'cpuacct.usage', per: 1000 },
    unit: 'µs',
    meaning: 'CPU time used',
    metrics: [{ name: 'container_cpu_usage_seconds_total', help: 'CPU time used.', labels: { cpu: 'total' } }],
    rates: [
      {
        name: 'cpus',
        by: 'second',
        per: 1e6,
        meaning: 'CPUs in use: 1.5 means one and a half',
        page: 1000,
        track: 'cpu',
        column: { name: 'cpu', title: 'CPU%', width: 7, rank: 1, order: 1, sorts: 1, words: 'CPU', text: 'percent' },
        cell: { title: 'CPU %', order: 1, text: 'percent' },
        listed: { title: 'MOST CPU', order: 1, text: 'percent' },
      },
    ],
    recorded: 5,
    detail: { label: 'in all', text: 'duration' },
    report: 'cpuUsec',
    levels: 'read',
  },
  userUsec: {
    kind: 'count',
    v2: { file: 'cpu.stat', key: 'user_usec' },
    v1: { file: 'cpuacct.usage_user', per: 1000 },
    unit: 'µs',
    meaning: 'CPU time used in user mode',
    metrics: [{ name: 'container_cpu_user_seconds_total', help: 'CPU time in user mode.' }],
    rates: [{ name: 'userCpus', by: 'second', per: 1e6, meaning: 'CPUs in use in user mode' }],
    recorded: 6,
    report: 'userUsec',
  },
  systemUsec: {
    kind: 'count',
    v2: { file: 'cpu.stat', key: 'system_usec' },
    v1: { file: 'cpuacct.usage_sys', per: 1000 },
    unit: 'µs',
    meaning: 'CPU time used in the kernel',
    metrics: [{ name: 'container_cpu_system_seconds_total', help: 'CPU time in the kernel.' }],
    rates: [{ name: 'systemCpus', by: 'second', per: 1e6, meaning: 'CPUs in use in the kernel' }],
    recorded: 7,
    report: 'systemUsec',
  },
  periods: {
    kind: 'count',
    v2: { file: 'cpu.stat', key: 'nr_periods' },
    v1: { file: 'cpu.stat', key: 'nr_periods' },
    controller: 'cpu',
    unit: 'count',
    meaning: 'Quota periods in which a task of the group ran',
    metrics: [{ name: 'container_cpu_cfs_periods_total', help: 'Elapsed quota periods.', ifAny: quota }],
    recorded: 8,
    report: 'periods',
    levels: 'read',
  },
  throttledPeriods: {
    kind: 'count',
    v2: { file: 'cpu.stat', key: 'nr_throttled' },
    v1: { file: 'cpu.stat', key: 'nr_throttled' },
    controller: 'cpu',
    unit: 'count',
    meaning: 'Quota periods in which the quota stopped tasks of the group',
    metrics: [
      {
        name: 'container_cpu_cfs_throttled_periods_total',
        help: 'Quota periods in which tasks were throttled.',
        ifAny: quota,
      },
    ],
    rates: [
      {
        name: 'throttled',
        by: 'share',
        share: 'periods',
        meaning: 'Share of the quota periods in which the quota stopped tasks of the group: 0 to 1',
        page: 1000,
        column: {
          name: 'throttled',
          title: 'THR%',
          width: 5,
          rank: 6,
          order: 2,
          sorts: 9,
          words: 'throttled',
          text: 'whole-percent',
          quiet: true,
          color: 'full',
        },
      },
    ],
    recorded: 9,
    report: 'throttledPeriods',
    levels: 'read',
  },
  throttledUsec: {
    kind: 'count',
    v2: { file: 'cpu.stat', key: 'throttled_usec' },
    v1: { file: 'cpu.stat', key: 'throttled_time', per: 1000 },
    controller: 'cpu',
    unit: 'µs',
    meaning: 'Time for which the quota throttled tasks of the group',
    metrics: [
      {
        name: 'container_cpu_cfs_throttled_seconds_total',
        help: 'Time for which the quota throttled tasks.',
        ifAny: quota,
      },
    ],
    recorded: 10,
    report: 'throttledUsec',
    levels: 'read',
  },
  cpuMax: {
    kind: 'limit',
    v2: { file: 'cpu.max' },
    unit: 'CPUs',
    meaning: 'Limit of CPU time (cpu.max), in CPUs',
    metrics: [
      {
        name: 'container_spec_cpu_quota',
        help: 'CPU time in microseconds that may be used in container_spec_cpu_period; absent without a limit.',
        from: (cpus) => Math.round(cpus * periodUsec),
      },
      {
        name: 'container_spec_cpu_period',
        help: 'Microseconds that container_spec_cpu_quota is for.',
        from: () => periodUsec,
      },
    ],
    recorded: 4,
    parts: 1e6,
    page: true,
    detail: { label: 'limit', text: 'cpus' },
    levels: 'read',
  },
} as const satisfies Figures
