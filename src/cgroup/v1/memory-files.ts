// SPDX-License-Identifier: Apache-2.0
// Files of the memory controller on v1: cgroup-v1/memory.rst.
import type { Entries, FileEntry, Keys } from '../controllers/entry.ts'

/** Returns the four files that v1 has for each kind of memory: limit, usage, peak and count of refusals. */
const counted = (infix: string, what: string, limit: string): Entries => ({
  [`memory.${infix}limit_in_bytes`]: {
    access: 'read-write',
    format: 'bytes-or-max',
    noLimit: '-1',
    default: 'no limit',
    meaning: limit,
  },
  [`memory.${infix}usage_in_bytes`]: {
    access: 'read',
    format: 'bytes',
    meaning: `${what} that the group and its descendants use`,
  },
  [`memory.${infix}max_usage_in_bytes`]: {
    access: 'read-write',
    format: 'bytes',
    accepts: '0, which resets the peak',
    meaning: `Peak use: ${what}`,
  },
  [`memory.${infix}failcnt`]: {
    access: 'read-write',
    format: 'count',
    accepts: '0, which resets the counter',
    meaning: `How often the limit was reached; Linux 6.13 and later may not count this`,
  },
})

const own: Keys = {
  cache: ['bytes', 'Page cache, including tmpfs and shared memory'],
  rss: ['bytes', 'Anonymous memory, such as heaps and stacks'],
  rss_huge: ['bytes', 'Anonymous memory in huge pages'],
  shmem: ['bytes', 'tmpfs and shared memory'],
  mapped_file: ['bytes', 'Page cache mapped into programs'],
  dirty: ['bytes', 'Dirty page cache'],
  writeback: ['bytes', 'Page cache under writeback'],
  workingset_refault_anon: ['count', 'Anonymous pages read back after being swapped out'],
  workingset_refault_file: ['count', 'Cached pages read back after being dropped'],
  swap: ['bytes', 'Swap in use'],
  swapcached: ['bytes', 'Memory that is also still in swap'],
  pgpgin: ['count', 'Pages charged to the group'],
  pgpgout: ['count', 'Pages no longer charged to the group'],
  pgfault: ['count', 'Page faults'],
  pgmajfault: ['count', 'Page faults that had to read from a disk'],
  inactive_anon: ['bytes', 'Inactive anonymous memory'],
  active_anon: ['bytes', 'Active anonymous memory'],
  inactive_file: ['bytes', 'Inactive page cache, which is reclaimed first'],
  active_file: ['bytes', 'Active page cache'],
  unevictable: ['bytes', 'Memory that cannot be reclaimed, such as locked pages'],
}

const statKeys: Keys = {
  ...own,
  hierarchical_memory_limit: ['bytes', 'Lowest memory limit of the group and its ancestors'],
  hierarchical_memsw_limit: ['bytes', 'Lowest limit of memory and swap of the group and its ancestors'],
  anon_cost: ['count', 'Cost of past reclaim of anonymous memory'],
  file_cost: ['count', 'Cost of past reclaim of page cache'],
  ...Object.fromEntries(
    Object.entries(own).map(([key, [unit, meaning]]) => [
      `total_${key}`,
      [unit, `Here and below: ${meaning}`] as const,
    ]),
  ),
}

const nodeKeys: Keys = {
  total: ['pages', 'Sum of the kinds of memory below: file, anon, unevictable'],
  file: ['pages', 'Page cache'],
  anon: ['pages', 'Anonymous memory'],
  unevictable: ['pages', 'Memory that cannot be reclaimed'],
  hierarchical_total: ['pages', 'Total of this group and its descendants'],
  hierarchical_file: ['pages', 'Page cache of the group and its descendants'],
  hierarchical_anon: ['pages', 'Anonymous memory of the group and its descendants'],
  hierarchical_unevictable: ['pages', 'Memory of the group and its descendants that cannot be reclaimed'],
  'N<node>': ['pages', 'Amount on this NUMA node'],
}

const writeOnly = (meaning: string): FileEntry => ({ access: 'write', format: 'count', accepts: '0', meaning })

export const legacyMemory: Entries = {
  ...counted('', 'Memory', 'Maximum memory use; if nothing can be reclaimed, a process is killed'),
  ...counted('memsw.', 'Memory and swap together', 'Hard limit on memory and swap together'),
  ...counted('kmem.', 'Kernel memory', 'Limit on kernel memory; not enforced since 5.16'),
  ...counted('kmem.tcp.', 'Buffers of TCP', 'Limit on buffers of TCP'),
  'memory.soft_limit_in_bytes': {
    access: 'read-write',
    format: 'bytes-or-max',
    noLimit: '-1',
    default: 'no limit',
    meaning: 'Soft limit: when memory is short, the kernel first reclaims from groups above their soft limit',
  },
  'memory.stat': {
    access: 'read',
    format: 'flat-keyed',
    meaning: 'Memory by kind of use; keys with total_ include descendants',
    keys: statKeys,
  },
  'memory.numa_stat': {
    access: 'read',
    format: 'numa',
    unit: 'pages',
    meaning: 'Memory by kind of use and by NUMA node',
    keys: nodeKeys,
  },
  'memory.oom_control': {
    access: 'read-write',
    format: 'flat-keyed',
    writes: 'flag',
    default: 'oom_kill_disable 0',
    accepts: '0 to kill a process when memory runs out, or 1 to make tasks wait',
    meaning: 'What happens when memory runs out, and how often processes were killed',
    keys: {
      oom_kill_disable: ['flag', 'Whether tasks wait when memory runs out, instead of being killed'],
      under_oom: ['flag', 'Whether tasks are waiting because memory has run out'],
      oom_kill: ['count', 'Processes killed by the OOM killer'],
    },
  },
  'memory.swappiness': {
    access: 'read-write',
    format: 'count',
    unit: '',
    range: [0, 200],
    default: '60',
    meaning: 'Preference for swapping anonymous memory over dropping page cache',
  },
  'memory.use_hierarchy': {
    access: 'read-write',
    format: 'flag',
    default: '1',
    accepts: '1',
    meaning: 'Whether the use of descendants counts, too; always since Linux 5.11',
  },
  'memory.move_charge_at_immigrate': {
    access: 'read-write',
    format: 'count',
    unit: '',
    range: [0, 3],
    default: '0',
    meaning:
      'Whether the memory of a task stays charged to the task when it changes its group; no effect since Linux 6.14',
  },
  'memory.force_empty': writeOnly('Reclaims as much as possible from the group'),
  'memory.pressure_level': {
    access: 'none',
    format: 'text',
    meaning: 'Source of memory pressure events (low, medium, critical) for cgroup.event_control',
  },
  'memory.kmem.slabinfo': { access: 'read', format: 'lines', meaning: 'Kernel objects; empty since Linux 5.9' },
}
