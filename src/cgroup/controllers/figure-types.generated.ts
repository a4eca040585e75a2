// SPDX-License-Identifier: Apache-2.0
// Generated from the tables of figures and of memory.stat (npx vitest run test/docs -u): public types.
import type { DeviceIo, Pressure } from './figure.ts'

/** The values of a sample, by name of the figure; undefined if the host does not report a figure. */
export interface FigureValues {
  /** Whether the group or a descendant has a process. */
  populated: boolean | undefined
  /** Whether the tasks of the group are frozen. */
  frozen: boolean | undefined
  /** CPU time used. Microseconds. */
  cpuUsec: number | undefined
  /** CPU time used in user mode. Microseconds. */
  userUsec: number | undefined
  /** CPU time used in the kernel. Microseconds. */
  systemUsec: number | undefined
  /** Quota periods in which a task of the group ran. A count. */
  periods: number | undefined
  /** Quota periods in which the quota stopped tasks of the group. A count. */
  throttledPeriods: number | undefined
  /** Time for which the quota throttled tasks of the group. Microseconds. */
  throttledUsec: number | undefined
  /** Limit of CPU time (cpu.max), in CPUs. Number of CPUs. */
  cpuMax: number | 'max' | undefined
  /** Memory in use: programs, page cache and kernel objects. Bytes. */
  memory: number | undefined
  /** Limit of memory (memory.max). Bytes. */
  memoryMax: number | 'max' | undefined
  /** Memory above which the group is slowed. Bytes. */
  memoryHigh: number | 'max' | undefined
  /** How often the group, or a group below it, was slowed because it exceeded memory.high. A count. */
  memoryHighEvents: number | undefined
  /** Peak memory use. Bytes. */
  memoryPeak: number | undefined
  /** Memory in use minus page cache that the kernel can drop at once (inactive_file), as Docker and Kubernetes show it. Bytes. */
  workingSet: number | undefined
  /** Anonymous memory, such as heaps and stacks. Bytes. */
  anon: number | undefined
  /** Page cache: files, tmpfs and shared memory. Bytes. */
  file: number | undefined
  /** Swap in use. Bytes. */
  swap: number | undefined
  /** Limit of swap, without memory. Bytes. */
  swapMax: number | 'max' | undefined
  /** Peak swap use; from Linux 6.5, on cgroup v2. Bytes. */
  swapPeak: number | undefined
  /** Processes killed by the OOM killer. A count. */
  oomKills: number | undefined
  /** Tasks: processes and threads. Number of tasks. */
  pids: number | undefined
  /** Maximum number of tasks of the group. Number of tasks. */
  pidsMax: number | 'max' | undefined
  /** Forks refused because of pids.max. A count. */
  pidsRefused: number | undefined
  /** Bytes and operations of each block device, by its number. */
  io: { readonly [device: string]: DeviceIo } | undefined
  /** Time in which some, or all, tasks waited for cpu. */
  cpuPressure: Pressure | undefined
  /** Time in which some, or all, tasks waited for memory. */
  memoryPressure: Pressure | undefined
  /** Time in which some, or all, tasks waited for io. */
  ioPressure: Pressure | undefined
}

/** The rates between two samples. Undefined if one sample lacks the figure, or if the counter was reset. */
export interface RateValues {
  /** CPUs in use: 1.5 means one and a half. */
  cpus: number | undefined
  /** CPUs in use in user mode. */
  userCpus: number | undefined
  /** CPUs in use in the kernel. */
  systemCpus: number | undefined
  /** Share of the quota periods in which the quota stopped tasks of the group: 0 to 1. */
  throttled: number | undefined
  /** How often the group was slowed because it exceeded memory.high, between the two samples. A count. */
  memoryHighEvents: number | undefined
  /** Processes killed by the OOM killer between the two samples. A count. */
  oomKills: number | undefined
  /** Bytes read per second, from all devices. */
  readBytes: number | undefined
  /** Bytes written per second, to all devices. */
  writtenBytes: number | undefined
  /** Read operations per second. */
  reads: number | undefined
  /** Write operations per second. */
  writes: number | undefined
  /** Share of the time in which some task waited for cpu: 0 to 1. */
  cpuStalled: number | undefined
  /** Share of the time in which some task waited for memory: 0 to 1. */
  memoryStalled: number | undefined
  /** Share of the time in which some task waited for io: 0 to 1. */
  ioStalled: number | undefined
}

/** What a job used, as counts. A count that this host does not report is absent. */
export interface ReportCounts {
  /** CPU time used. Microseconds. */
  cpuUsec?: number
  /** CPU time used in user mode. Microseconds. */
  userUsec?: number
  /** CPU time used in the kernel. Microseconds. */
  systemUsec?: number
  /** Quota periods in which a task of the group ran. A count. */
  periods?: number
  /** Quota periods in which the quota stopped tasks of the group. A count. */
  throttledPeriods?: number
  /** Time for which the quota throttled tasks of the group. Microseconds. */
  throttledUsec?: number
  /** Memory in use: programs, page cache and kernel objects. Bytes. */
  memoryCurrent?: number
  /** Peak memory use. Bytes. */
  memoryPeak?: number
  /** How often an allocation reached memory.max. A count. */
  memoryLimitHits?: number
  /** Peak swap use; from Linux 6.5, on cgroup v2. Bytes. */
  swapPeak?: number
  /** Processes killed by the OOM killer. A count. */
  oomKills?: number
  /** Tasks: processes and threads. Number of tasks. */
  pidsCurrent?: number
  /** Peak number of tasks. Number of tasks. */
  pidsPeak?: number
  /** Forks refused because of pids.max. A count. */
  pidsDenied?: number
}

/** Keys of memory.stat. */
export type MemoryStatKey =
  | 'anon'
  | 'file'
  | 'kernel'
  | 'kernel_stack'
  | 'pagetables'
  | 'sec_pagetables'
  | 'percpu'
  | 'sock'
  | 'vmalloc'
  | 'shmem'
  | 'zswap'
  | 'zswapped'
  | 'zswap_incomp'
  | 'file_mapped'
  | 'file_dirty'
  | 'file_writeback'
  | 'swapcached'
  | 'anon_thp'
  | 'file_thp'
  | 'shmem_thp'
  | 'inactive_anon'
  | 'active_anon'
  | 'inactive_file'
  | 'active_file'
  | 'unevictable'
  | 'slab_reclaimable'
  | 'slab_unreclaimable'
  | 'slab'
  | 'hugetlb'
  | 'workingset_refault_anon'
  | 'workingset_refault_file'
  | 'workingset_activate_anon'
  | 'workingset_activate_file'
  | 'workingset_restore_anon'
  | 'workingset_restore_file'
  | 'workingset_nodereclaim'
  | 'pgdemote_kswapd'
  | 'pgdemote_direct'
  | 'pgdemote_khugepaged'
  | 'pgdemote_proactive'
  | 'pgpromote_success'
  | 'pgscan'
  | 'pgsteal'
  | 'pswpin'
  | 'pswpout'
  | 'pgscan_kswapd'
  | 'pgscan_direct'
  | 'pgscan_khugepaged'
  | 'pgscan_proactive'
  | 'pgsteal_kswapd'
  | 'pgsteal_direct'
  | 'pgsteal_khugepaged'
  | 'pgsteal_proactive'
  | 'pgfault'
  | 'pgmajfault'
  | 'pgrefill'
  | 'pgactivate'
  | 'pgdeactivate'
  | 'pglazyfree'
  | 'pglazyfreed'
  | 'swpin_zero'
  | 'swpout_zero'
  | 'zswpin'
  | 'zswpout'
  | 'zswpwb'
  | 'thp_fault_alloc'
  | 'thp_collapse_alloc'
  | 'thp_swpout'
  | 'thp_swpout_fallback'
  | 'numa_pages_migrated'
  | 'numa_pte_updates'
  | 'numa_hint_faults'
