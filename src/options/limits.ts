// SPDX-License-Identifier: Apache-2.0
// Lists the options that set a kernel file of the job's control group, one row for each. Read by table.ts; pure.
import { formatCpuMax } from '../cgroup/cpu.ts'
import { type Limit, parseCount, parseCpuList, parseCpus, parseSize } from '../text/units.ts'
import type { LimitRow, OptionRow } from './row.ts'

const text = (limit: Limit | undefined) => (limit === undefined ? undefined : String(limit))

const size = {
  kind: 'text',
  value: 'SIZE',
  section: 'limits',
  parse: (value: unknown) => text(parseSize(value)),
  accepted: 'a size such as 50M, 1.5G, 52428800 or max',
} as const

export const limitRows = [
  {
    ...size,
    flag: 'memory',
    short: 'm',
    key: 'limits.memory',
    file: 'memory.max',
    help: 'Maximum memory. Above it, processes are killed (OOM).',
    common: true,
    bwrap: 'hutch-memory',
    parse: (value: unknown) => text(parseSize(value) || undefined),
    accepted: 'a size above 0, such as 50M, 1.5G, 52428800 or max',
  },
  {
    ...size,
    flag: 'memory-high',
    key: 'limits.memoryHigh',
    file: 'memory.high',
    help: 'Memory above which the kernel slows processes and reclaims their memory.',
  },
  {
    ...size,
    flag: 'memory-low',
    key: 'limits.memoryLow',
    file: 'memory.low',
    help: 'Memory that is reclaimed only if other groups have no reclaimable memory.',
  },
  {
    ...size,
    flag: 'memory-min',
    key: 'limits.memoryMin',
    file: 'memory.min',
    help: 'Memory that is never reclaimed.',
  },
  {
    ...size,
    flag: 'swap',
    key: 'limits.swap',
    file: 'memory.swap.max',
    help: 'Maximum swap, not counting memory.',
    common: true,
  },
  {
    flag: 'oom-group',
    key: 'limits.oomGroup',
    kind: 'switch',
    section: 'limits',
    file: 'memory.oom.group',
    help: 'Kill all processes of the job if one is killed for lack of memory.',
    parse: (value: unknown) => (value === true ? '1' : value === false ? '0' : undefined),
    accepted: 'true or false',
  },
  {
    flag: 'pids',
    key: 'limits.pids',
    kind: 'text',
    value: 'N',
    section: 'limits',
    file: 'pids.max',
    help: 'Maximum number of processes and threads.',
    common: true,
    bwrap: 'hutch-pids',
    parse: (value: unknown) => text(parseCount(value)),
    accepted: 'a count from 1 on, or max',
  },
  {
    flag: 'cpus',
    key: 'limits.cpus',
    kind: 'text',
    value: 'N',
    section: 'limits',
    file: 'cpu.max',
    help: 'Maximum CPU time, as a number of CPUs (0.5).',
    common: true,
    bwrap: 'hutch-cpus',
    parse: (value: unknown) => {
      const cpus = parseCpus(value)
      return cpus === undefined ? undefined : formatCpuMax(cpus)
    },
    accepted: 'a number of CPUs from 0.01 on, such as 0.5, or max',
  },
  {
    flag: 'cpu-weight',
    key: 'limits.cpuWeight',
    kind: 'text',
    value: 'N',
    section: 'limits',
    file: 'cpu.weight',
    help: 'Share of the CPU when it is contended, 1 to 10000.',
    default: '100',
    parse: (value: unknown) => {
      const weight = parseCount(value)
      return typeof weight === 'number' && weight <= 10_000 ? String(weight) : undefined
    },
    accepted: 'a weight from 1 to 10000',
  },
  {
    flag: 'cpuset-cpus',
    key: 'limits.cpusetCpus',
    kind: 'text',
    value: 'LIST',
    section: 'limits',
    file: 'cpuset.cpus',
    help: 'CPUs on which the job may run (0-1,3).',
    parse: parseCpuList,
    accepted: 'a list of CPUs such as 0-2,5',
  },
  {
    flag: 'io-max',
    key: 'limits.ioMax',
    kind: 'texts',
    value: 'DEVICE:KEY=RATE,…',
    section: 'limits',
    file: 'io.max',
    help: 'Maximum rates of a block device: rbps, wbps (bytes per second), riops, wiops (/dev/sda:rbps=1M,wiops=100).',
    parse: (value: unknown) => {
      // spaces are accepted instead of commas and of the colon, as in the line that the kernel prints
      const [, device, rates] = /^(\/.+|\d+:\d+)[: ]((?:[rw](?:bps|iops)=[^,=\s]+[, ]?)+)$/.exec(String(value)) ?? []
      return rates === undefined ? undefined : `${device} ${rates.replaceAll(',', ' ').trimEnd()}`
    },
    accepted: 'DEVICE:KEY=RATE,… with rbps, wbps, riops or wiops, such as /dev/sda:rbps=1M,wiops=100',
  },
] as const satisfies readonly LimitRow[]

export const otherLimitRows = [
  {
    flag: 'limit',
    key: 'limits',
    kind: 'files',
    value: 'FILE=VALUE',
    section: 'limits',
    help: 'Any other kernel file (io.max="8:0 rbps=1M"). none: no control group limits.',
  },
  {
    flag: 'parent',
    key: 'parent',
    kind: 'text',
    value: 'GROUP',
    section: 'limits',
    help: "Create the job's control group below this group.",
    default: "the caller's group",
  },
  {
    flag: 'evacuate',
    key: 'evacuate',
    kind: 'switch',
    section: 'limits',
    help: 'Move processes of the parent group itself to a leaf group below it.',
  },
] as const satisfies readonly OptionRow[]
