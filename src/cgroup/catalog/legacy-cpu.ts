// SPDX-License-Identifier: Apache-2.0
// The files of cpu, cpuacct and cpuset on v1: cgroup-v1/cpuacct.rst, cgroup-v1/cpusets.rst, scheduler/sched-bwc.rst and sched-rt-group.rst.
import type { Entries } from './words.ts'

const flag = (initial: string, meaning: string) =>
  ({ access: 'read-write', format: 'flag', default: initial, meaning }) as const

const nanoseconds = (meaning: string) => ({ access: 'read', format: 'count', unit: 'ns', meaning }) as const

const cpu: Entries = {
  'cpu.shares': {
    access: 'read-write',
    format: 'count',
    unit: 'weight',
    range: [2, 262_144],
    default: '1024',
    meaning: 'Share of CPU time against its siblings, when they all want it',
  },
  'cpu.cfs_quota_us': {
    access: 'read-write',
    format: 'count-or-max',
    unit: 'µs',
    noLimit: '-1',
    default: '-1',
    accepts: 'µs from 1000 on, such as 50000, or -1 for no limit',
    meaning: 'CPU time the group may use in each period, counted over all CPUs',
  },
  'cpu.cfs_period_us': {
    access: 'read-write',
    format: 'microseconds',
    range: [1000, 1_000_000],
    default: '100000',
    meaning: 'How long a period of the quota is',
  },
  'cpu.cfs_burst_us': {
    access: 'read-write',
    format: 'microseconds',
    since: '5.14',
    default: '0',
    accepts: 'µs, at most the quota, such as 20000',
    meaning: 'Quota left over from quiet periods that may be saved for a busy one',
  },
  'cpu.rt_runtime_us': {
    access: 'read-write',
    format: 'count-or-max',
    unit: 'µs',
    noLimit: '-1',
    default: '0',
    accepts: 'µs, such as 10000, or -1 for no limit',
    meaning: 'CPU time that real-time tasks may use in each of their periods; 0 keeps them out',
  },
  'cpu.rt_period_us': {
    access: 'read-write',
    format: 'microseconds',
    default: '1000000',
    meaning: 'How long a period for real-time tasks is',
  },
  'cpu.idle': {
    ...flag('0', 'Lets the group run only when its siblings leave the CPU idle (1)'),
    since: '5.15',
  },
  'cpu.stat': {
    access: 'read',
    format: 'flat-keyed',
    meaning: 'How often and how long the quota held the group back',
    keys: {
      nr_periods: ['count', 'Quota periods in which something ran'],
      nr_throttled: ['count', 'Periods in which the quota was used up'],
      throttled_time: ['ns', 'Time held back because the quota was used up'],
      wait_sum: ['ns', 'Time the group’s tasks waited for a CPU'],
      nr_bursts: ['count', 'Periods that drew on saved quota'],
      burst_time: ['ns', 'CPU time drawn from saved quota'],
    },
  },
  'cpu.stat.local': {
    access: 'read',
    format: 'flat-keyed',
    since: '6.6',
    meaning: 'How long this group itself stood still, by its own quota or an ancestor’s',
    keys: { throttled_time: ['ns', 'Time held back, by any quota above'] },
  },
  'cpu.uclamp.min': {
    access: 'read-write',
    root: 'never',
    format: 'percent-or-max',
    since: '5.4',
    default: '0.00',
    meaning: 'Load the tasks are taken to have at least, so that the CPU clocks up to it',
  },
  'cpu.uclamp.max': {
    access: 'read-write',
    root: 'never',
    format: 'percent-or-max',
    since: '5.4',
    default: 'max',
    meaning: 'Load the tasks are taken to have at most, so that the CPU clocks no higher for them',
  },
}

const cpuacct: Entries = {
  'cpuacct.usage': {
    access: 'read-write',
    format: 'count',
    unit: 'ns',
    range: [0, 0],
    accepts: '0, which starts the count anew',
    meaning: 'CPU time used here and below',
  },
  'cpuacct.usage_user': nanoseconds('of it, in programs'),
  'cpuacct.usage_sys': nanoseconds('of it, in the kernel'),
  'cpuacct.usage_percpu': { access: 'read', format: 'numbers', unit: 'ns', meaning: 'CPU time used, by CPU' },
  'cpuacct.usage_percpu_user': { access: 'read', format: 'numbers', unit: 'ns', meaning: 'Time in programs, by CPU' },
  'cpuacct.usage_percpu_sys': { access: 'read', format: 'numbers', unit: 'ns', meaning: 'Time in the kernel, by CPU' },
  'cpuacct.usage_all': {
    access: 'read',
    format: 'lines',
    unit: 'ns',
    meaning: 'Time in programs and in the kernel, a line for each CPU below one of titles',
  },
  'cpuacct.stat': {
    access: 'read',
    format: 'flat-keyed',
    meaning: 'CPU time used, in ticks of 1/100 s',
    keys: { user: ['ticks', 'In programs'], system: ['ticks', 'In the kernel'] },
  },
}

const cpuset: Entries = {
  'cpuset.cpus': {
    access: 'read-write',
    format: 'list',
    default: 'empty: set it before the first task moves in',
    accepts: 'numbers and ranges of CPUs, such as 0-3,6',
    meaning: 'CPUs that tasks here may run on',
  },
  'cpuset.mems': {
    access: 'read-write',
    format: 'list',
    default: 'empty: set it before the first task moves in',
    accepts: 'numbers and ranges of memory nodes, such as 0-1',
    meaning: 'NUMA nodes that tasks here get memory from',
  },
  'cpuset.effective_cpus': { access: 'read', format: 'list', meaning: 'CPUs that tasks here may really run on' },
  'cpuset.effective_mems': {
    access: 'read',
    format: 'list',
    meaning: 'NUMA nodes that tasks here really get memory from',
  },
  'cpuset.cpu_exclusive': flag('0', 'Whether no sibling may have these CPUs'),
  'cpuset.mem_exclusive': flag('0', 'Whether no sibling may have these NUMA nodes'),
  'cpuset.mem_hardwall': flag('0', 'Whether kernel memory too comes from these nodes alone'),
  'cpuset.memory_migrate': flag('0', 'Whether memory moves along when the nodes change'),
  'cpuset.memory_pressure': {
    access: 'read',
    format: 'count',
    meaning: 'How often tasks here had to reclaim memory, lately, in thousandths a second',
  },
  'cpuset.memory_pressure_enabled': { ...flag('0', 'Whether memory_pressure is counted at all'), root: 'only' },
  'cpuset.memory_spread_page': flag('0', 'Whether page cache is spread evenly over the nodes'),
  'cpuset.memory_spread_slab': flag('0', 'Whether kernel objects are spread evenly over the nodes; no effect from 6.8'),
  'cpuset.sched_load_balance': flag('1', 'Whether the scheduler balances load over these CPUs'),
  'cpuset.sched_relax_domain_level': {
    access: 'read-write',
    format: 'integer',
    unit: '',
    default: '-1',
    accepts: 'a level from -1 to 5, such as 1',
    meaning: 'How far the scheduler looks for work or an idle CPU; -1 is the system’s own choice',
  },
}

export const legacyCpu: Entries = { ...cpu, ...cpuacct, ...cpuset }
