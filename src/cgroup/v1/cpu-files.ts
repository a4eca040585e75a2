// SPDX-License-Identifier: Apache-2.0
// Files of cpu, cpuacct and cpuset on v1: cgroup-v1/cpuacct.rst, cgroup-v1/cpusets.rst, scheduler/sched-bwc.rst and sched-rt-group.rst.
import type { Entries } from '../controllers/entry.ts'

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
    meaning: 'Share of CPU time relative to sibling groups, when CPU time is short',
  },
  'cpu.cfs_quota_us': {
    access: 'read-write',
    format: 'count-or-max',
    unit: 'µs',
    noLimit: '-1',
    default: '-1',
    accepts: 'µs from 1000 on, such as 50000, or -1 for no limit',
    meaning: 'CPU time that the group may use in each period, summed over all CPUs',
  },
  'cpu.cfs_period_us': {
    access: 'read-write',
    format: 'microseconds',
    range: [1000, 1_000_000],
    default: '100000',
    meaning: 'Length of a quota period',
  },
  'cpu.cfs_burst_us': {
    access: 'read-write',
    format: 'microseconds',
    since: '5.14',
    default: '0',
    accepts: 'µs, at most the quota, such as 20000',
    meaning: 'Unused quota that may be saved for a busy period',
  },
  'cpu.rt_runtime_us': {
    access: 'read-write',
    format: 'count-or-max',
    unit: 'µs',
    noLimit: '-1',
    default: '0',
    accepts: 'µs, such as 10000, or -1 for no limit',
    meaning: 'CPU time that real-time tasks may use in each period (cpu.rt_period_us); 0 excludes such tasks',
  },
  'cpu.rt_period_us': {
    access: 'read-write',
    format: 'microseconds',
    default: '1000000',
    meaning: 'Length of the period for real-time tasks',
  },
  'cpu.idle': {
    ...flag('0', 'Lets the group run only when sibling groups leave the CPU idle (1)'),
    since: '5.15',
  },
  'cpu.stat': {
    access: 'read',
    format: 'flat-keyed',
    meaning: 'How often and how long the quota throttled the group',
    keys: {
      nr_periods: ['count', 'Quota periods in which a task ran'],
      nr_throttled: ['count', 'Quota periods in which the quota was used up'],
      throttled_time: ['ns', 'Time for which the group was throttled because the quota was used up'],
      wait_sum: ['ns', 'Time for which the group’s tasks waited for a CPU'],
      nr_bursts: ['count', 'Quota periods in which saved quota was used'],
      burst_time: ['ns', 'CPU time used from saved quota'],
    },
  },
  'cpu.stat.local': {
    access: 'read',
    format: 'flat-keyed',
    since: '6.6',
    meaning: 'How long this group was throttled, by its own quota or an ancestor’s',
    keys: { throttled_time: ['ns', 'Time for which the group was throttled, by any of these quotas'] },
  },
  'cpu.uclamp.min': {
    access: 'read-write',
    root: 'never',
    format: 'percent-or-max',
    since: '5.4',
    default: '0.00',
    meaning: 'Minimum load that the scheduler assumes for the tasks, which raises the CPU frequency',
  },
  'cpu.uclamp.max': {
    access: 'read-write',
    root: 'never',
    format: 'percent-or-max',
    since: '5.4',
    default: 'max',
    meaning: 'Maximum load that the scheduler assumes for the tasks, which limits the CPU frequency',
  },
}

const cpuacct: Entries = {
  'cpuacct.usage': {
    access: 'read-write',
    format: 'count',
    unit: 'ns',
    range: [0, 0],
    accepts: '0, which resets the counter',
    meaning: 'CPU time used by the group and its descendants',
  },
  'cpuacct.usage_user': nanoseconds('of that, in user mode'),
  'cpuacct.usage_sys': nanoseconds('of that, in the kernel'),
  'cpuacct.usage_percpu': { access: 'read', format: 'numbers', unit: 'ns', meaning: 'CPU time used, by CPU' },
  'cpuacct.usage_percpu_user': {
    access: 'read',
    format: 'numbers',
    unit: 'ns',
    meaning: 'CPU time in user mode, for each CPU',
  },
  'cpuacct.usage_percpu_sys': {
    access: 'read',
    format: 'numbers',
    unit: 'ns',
    meaning: 'CPU time in the kernel, for each CPU',
  },
  'cpuacct.usage_all': {
    access: 'read',
    format: 'lines',
    unit: 'ns',
    meaning: 'CPU time in user mode and in the kernel, one line for each CPU after a header line',
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
    default: 'empty; must be set before the first task joins the group',
    accepts: 'numbers and ranges of CPUs, such as 0-3,6',
    meaning: 'CPUs on which tasks of the group may run',
  },
  'cpuset.mems': {
    access: 'read-write',
    format: 'list',
    default: 'empty; must be set before the first task joins the group',
    accepts: 'numbers and ranges of memory nodes, such as 0-1',
    meaning: 'NUMA nodes from which tasks of the group get memory',
  },
  'cpuset.effective_cpus': { access: 'read', format: 'list', meaning: 'CPUs that tasks of the group can actually use' },
  'cpuset.effective_mems': {
    access: 'read',
    format: 'list',
    meaning: 'NUMA nodes from which tasks of the group actually get memory',
  },
  'cpuset.cpu_exclusive': flag('0', 'Whether the CPUs of this group are exclusive to it'),
  'cpuset.mem_exclusive': flag('0', 'Whether the NUMA nodes of this group are exclusive to it'),
  'cpuset.mem_hardwall': flag('0', 'Whether kernel memory also comes only from the NUMA nodes of the group'),
  'cpuset.memory_migrate': flag(
    '0',
    'Whether the kernel moves existing memory when the NUMA nodes of the group change',
  ),
  'cpuset.memory_pressure': {
    access: 'read',
    format: 'count',
    meaning: 'Recent rate at which tasks of the group had to reclaim memory, in thousandths per second',
  },
  'cpuset.memory_pressure_enabled': { ...flag('0', 'Whether memory_pressure is counted'), root: 'only' },
  'cpuset.memory_spread_page': flag('0', 'Whether page cache is spread evenly over the NUMA nodes of the group'),
  'cpuset.memory_spread_slab': flag(
    '0',
    'Whether kernel objects are spread evenly over the NUMA nodes of the group; no effect since Linux 6.8',
  ),
  'cpuset.sched_load_balance': flag('1', 'Whether the scheduler balances load over the CPUs of the group'),
  'cpuset.sched_relax_domain_level': {
    access: 'read-write',
    format: 'integer',
    unit: '',
    default: '-1',
    accepts: 'a level from -1 to 5, such as 1',
    meaning: 'How far the scheduler searches for an idle CPU or for work of other CPUs; -1 leaves that to the kernel',
  },
}

export const legacyCpu: Entries = { ...cpu, ...cpuacct, ...cpuset }
