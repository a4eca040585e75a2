// SPDX-License-Identifier: Apache-2.0
// Types of every v2 file's value: FileValues for reads, FileInputs for writes. A test compares the names with the catalogue.
import type { Limit } from '../text/units.ts'
import type { MemoryStatKey } from './controllers/figure-types.generated.ts'
import type { CpuMax, FilePressure, FlatKeyed, NestedKeyed } from './value-read.ts'

/** KeyedFigures by name; a figure that this kernel does not report is absent. */
export type KeyedFigures<Key extends string> = { [key in Key]?: number }

/** KeyedFigures by device, adapter or node, then by name. */
export type FiguresByDevice<Key extends string> = { [line: string]: KeyedFigures<Key> }

/** Limits by device or adapter, then by name. */
export type LimitsByDevice<Key extends string> = { [line: string]: { [key in Key]?: Limit } }

/** A size: bytes, or text such as `50M`; `max` means no limit. */
export type SizeInput = number | string

/** A switch: true or false, or 1 or 0. */
export type FlagInput = boolean | 0 | 1

/** One or several process or thread ids. */
export type PidsInput = number | readonly number[]

/** CPUs or memory nodes as numbers, or in the kernel's format: `0-3,6`. */
export type ListInput = readonly number[] | string

/** A weight for all devices, by device, or in the kernel's format: `8:0 200`. */
export type WeightInput = number | string | { readonly [device: string]: number | 'default' }

/** The values of memory.stat by key; a key that this kernel lacks is absent. */
export type MemoryStat = KeyedFigures<MemoryStatKey>

/** Counts of memory.events. */
export type MemoryEvents = KeyedFigures<
  'low' | 'high' | 'max' | 'oom' | 'oom_kill' | 'oom_group_kill' | 'sock_throttled'
>

/** The values of cpu.stat, in microseconds and counts. */
export type CpuStat = KeyedFigures<
  | 'usage_usec'
  | 'user_usec'
  | 'system_usec'
  | 'nice_usec'
  | 'core_sched.force_idle_usec'
  | 'nr_periods'
  | 'nr_throttled'
  | 'throttled_usec'
  | 'nr_bursts'
  | 'burst_usec'
>

/** The values of io.stat for one device. The kernel adds figures of io.latency and of the cost model if these are enabled. */
export type IoStat = KeyedFigures<'rbytes' | 'wbytes' | 'rios' | 'wios' | 'dbytes' | 'dios'> & NestedKeyed[string]

/** Names of the limits of io.max: bytes (`bps`) and operations (`iops`) a second, read (`r`) and written (`w`). */
export type IoLimit = 'rbps' | 'wbps' | 'riops' | 'wiops'
/** Names of the resources of rdma.max: handles and objects of an RDMA adapter. */
export type RdmaResource = 'hca_handle' | 'hca_object'
/** Names of the counts of rdma.events. */
export type RdmaEvent = `${RdmaResource}.${'max' | 'alloc_fail'}`

/** The values that `Cgroup.get` returns, by kernel file. */
export interface FileValues {
  'cgroup.procs': number[]
  'cgroup.threads': number[]
  'cgroup.type': string
  'cgroup.controllers': string[]
  'cgroup.subtree_control': string[]
  'cgroup.events': KeyedFigures<'populated' | 'frozen'>
  'cgroup.max.descendants': Limit
  'cgroup.max.depth': Limit
  'cgroup.stat': KeyedFigures<'nr_descendants' | 'nr_dying_descendants'> & { [key: `nr_${string}`]: number }
  'cgroup.stat.local': KeyedFigures<'frozen_usec'>
  'cgroup.freeze': boolean
  'cgroup.pressure': boolean
  'cpu.pressure': FilePressure
  'memory.pressure': FilePressure
  'io.pressure': FilePressure
  'irq.pressure': FilePressure

  'cpu.stat': CpuStat
  'cpu.stat.local': KeyedFigures<'throttled_usec'>
  'cpu.weight': number
  'cpu.weight.nice': number
  'cpu.max': CpuMax
  'cpu.max.burst': number
  'cpu.idle': boolean
  'cpu.uclamp.min': Limit
  'cpu.uclamp.max': Limit

  'cpuset.cpus': number[]
  'cpuset.cpus.effective': number[]
  'cpuset.mems': number[]
  'cpuset.mems.effective': number[]
  'cpuset.cpus.exclusive': number[]
  'cpuset.cpus.exclusive.effective': number[]
  'cpuset.cpus.isolated': number[]
  'cpuset.cpus.partition': string

  'io.stat': { [device: string]: IoStat }
  'io.max': LimitsByDevice<IoLimit>
  'io.weight': { default?: number; [device: string]: number | undefined }
  'io.bfq.weight': { default?: number; [device: string]: number | undefined }
  'io.latency': FiguresByDevice<'target'>
  'io.prio.class': string
  'io.cost.qos': NestedKeyed
  'io.cost.model': NestedKeyed

  'memory.current': number
  'memory.peak': number
  'memory.min': Limit
  'memory.low': Limit
  'memory.high': Limit
  'memory.max': Limit
  'memory.oom.group': boolean
  'memory.events': MemoryEvents
  'memory.events.local': MemoryEvents
  'memory.stat': MemoryStat
  'memory.numa_stat': { [key in keyof MemoryStat]?: { [node: `N${number}`]: number } }
  'memory.swap.current': number
  'memory.swap.peak': number
  'memory.swap.high': Limit
  'memory.swap.max': Limit
  'memory.swap.events': KeyedFigures<'high' | 'max' | 'fail'>
  'memory.zswap.current': number
  'memory.zswap.max': Limit
  'memory.zswap.writeback': boolean

  [file: `hugetlb.${string}.current`]: number
  [file: `hugetlb.${string}.max`]: Limit
  [file: `hugetlb.${string}.events`]: KeyedFigures<'max'>
  [file: `hugetlb.${string}.events.local`]: KeyedFigures<'max'>
  [file: `hugetlb.${string}.numa_stat`]: { total: { [node: string]: number } }

  'pids.max': Limit
  'pids.current': number
  'pids.peak': number
  'pids.events': KeyedFigures<'max'>
  'pids.events.local': KeyedFigures<'max'>

  'rdma.max': LimitsByDevice<RdmaResource>
  'rdma.current': FiguresByDevice<RdmaResource>
  'rdma.peak': FiguresByDevice<RdmaResource>
  'rdma.events': FiguresByDevice<RdmaEvent>
  'rdma.events.local': FiguresByDevice<RdmaEvent>

  'misc.capacity': FlatKeyed
  'misc.current': FlatKeyed
  'misc.peak': FlatKeyed
  'misc.max': FlatKeyed
  'misc.events': FlatKeyed
  'misc.events.local': FlatKeyed

  'dmem.max': FlatKeyed
  'dmem.low': FlatKeyed
  'dmem.min': FlatKeyed
  'dmem.current': FlatKeyed
  'dmem.peak': FlatKeyed
  'dmem.capacity': FlatKeyed
}

/** The values that `Cgroup.set` accepts, by kernel file. Sizes in a text, such as `50M`, are converted; other text is written unchanged. */
export interface FileInputs {
  'cgroup.procs': PidsInput
  'cgroup.threads': PidsInput
  'cgroup.type': 'threaded'
  'cgroup.subtree_control': readonly string[] | string
  'cgroup.max.descendants': Limit
  'cgroup.max.depth': Limit
  'cgroup.freeze': FlagInput
  'cgroup.kill': 1
  'cgroup.pressure': FlagInput
  'cpu.pressure': string
  'memory.pressure': string
  'io.pressure': string
  'irq.pressure': string

  'cpu.weight': number
  'cpu.weight.nice': number
  /** The limit of cpu.max as a number of CPUs: 0.5 means 50000 of 100000 µs. The kernel's text, or quota and period, are accepted too. */
  'cpu.max': number | string | { readonly quota: Limit; readonly period?: number }
  'cpu.max.burst': number
  'cpu.idle': FlagInput
  'cpu.uclamp.min': Limit
  'cpu.uclamp.max': Limit

  'cpuset.cpus': ListInput
  'cpuset.mems': ListInput
  'cpuset.cpus.exclusive': ListInput
  'cpuset.cpus.partition': 'member' | 'root' | 'isolated'

  'io.max': string | { readonly [device: string]: { readonly [key in IoLimit]?: SizeInput } }
  'io.weight': WeightInput
  'io.bfq.weight': WeightInput
  'io.latency': string | { readonly [device: string]: { readonly target: number } }
  'io.prio.class': 'no-change' | 'promote-to-rt' | 'restrict-to-be' | 'idle' | 'none-to-rt'
  'io.cost.qos': string | NestedKeyed
  'io.cost.model': string | NestedKeyed

  'memory.peak': 0
  'memory.min': SizeInput
  'memory.low': SizeInput
  'memory.high': SizeInput
  'memory.max': SizeInput
  /** Amount of memory to reclaim: bytes, or text such as `50M swappiness=60`. */
  'memory.reclaim': SizeInput
  'memory.oom.group': FlagInput
  'memory.swap.peak': 0
  'memory.swap.high': SizeInput
  'memory.swap.max': SizeInput
  'memory.zswap.max': SizeInput
  'memory.zswap.writeback': FlagInput

  [file: `hugetlb.${string}.max`]: SizeInput

  'pids.max': Limit
  'rdma.max': string | { readonly [adapter: string]: { readonly [key in RdmaResource]?: Limit } }
  'misc.max': string | { readonly [resource: string]: Limit }
  'dmem.max': string | { readonly [region: string]: SizeInput }
  'dmem.low': string | { readonly [region: string]: SizeInput }
  'dmem.min': string | { readonly [region: string]: SizeInput }
}

/** Names of readable v2 files, and of writable ones. */
export type ReadableFile = keyof FileValues
export type WritableFile = keyof FileInputs
