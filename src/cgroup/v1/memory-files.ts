// SPDX-License-Identifier: Apache-2.0
// Files of the memory controller on v1: cgroup-v1/memory.rst.
import type { Entries, FileEntry, Keys } from '../controllers/entry.ts'

/** Returns the four files that v1 has for each kind of memory. */
const counted = (infix: string, what: string, limit: string): Entries => ({
  [`memory.${infix}limit_in_bytes`]: {
    access: 'read-write',
    format: 'bytes-or-max',
    noLimit: '-1',
    default: 'no limit',
    meaning: limit,
  },
  [`memory.${infix}usage_in_bytes`]: { access: 'read', format: 'bytes', meaning: `${what} in use, here and below` },
  [`memory.${infix}max_usage_in_bytes`]: {
    access: 'read-write',
    format: 'bytes',
    accepts: '0, which resets the figure',
    meaning: `${what} in use at most`,
  },
  [`memory.${infix}failcnt`]: {
    access: 'read-write',
    format: 'count',
    accepts: '0, which resets the counter',
    meaning: `Times the limit was reached; kernels since 6.13 may not count it`,
  },
})

const own: Keys = {
  cache: ['bytes', 'Page cache, including tmpfs and shared memory'],
  rss: ['bytes', 'Anonymous memory, such as heaps and stacks'],
  rss_huge: ['bytes', 'of that, in huge pages'],
  shmem: ['bytes', 'tmpfs and shared memory'],
  mapped_file: ['bytes', 'Page cache mapped into programs'],
  dirty: ['bytes', 'Dirty page cache'],
  writeback: ['bytes', 'Page cache under writeback'],
  workingset_refault_anon: ['count', 'Anonymous pages read back after being swapped out'],
  workingset_refault_file: ['count', 'Cached pages read back after being dropped'],
  swap: ['bytes', 'Swap in use'],
  swapcached: ['bytes', 'In memory and in swap at once'],
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
  hierarchical_memory_limit: ['bytes', 'Tightest memory limit, here or above'],
  hierarchical_memsw_limit: ['bytes', 'Tightest limit on memory and swap, here or above'],
  anon_cost: ['count', 'How costly reclaim of anonymous memory has been'],
  file_cost: ['count', 'How costly reclaim of page cache has been'],
  ...Object.fromEntries(
    Object.entries(own).map(([key, [unit, meaning]]) => [
      `total_${key}`,
      [unit, `Here and below: ${meaning}`] as const,
    ]),
  ),
}

const nodeKeys: Keys = {
  total: ['pages', 'All that counts below'],
  file: ['pages', 'Page cache'],
  anon: ['pages', 'Anonymous memory'],
  unevictable: ['pages', 'Memory that cannot be reclaimed'],
  hierarchical_total: ['pages', 'Total of this group and its descendants'],
  hierarchical_file: ['pages', 'Page cache, here and below'],
  hierarchical_anon: ['pages', 'Anonymous memory, here and below'],
  hierarchical_unevictable: ['pages', 'Memory that cannot be reclaimed, here and below'],
  'N<node>': ['pages', 'On that NUMA node'],
}

const writeOnly = (meaning: string): FileEntry => ({ access: 'write', format: 'count', accepts: '0', meaning })

export const legacyMemory: Entries = {
  ...counted('', 'Memory', 'Hard limit; if reclaim fails, a process is killed'),
  ...counted('memsw.', 'Memory and swap together', 'Hard limit on memory and swap together'),
  ...counted('kmem.', 'Kernel memory', 'Limit on kernel memory; not enforced since 5.16'),
  ...counted('kmem.tcp.', 'Buffers of TCP', 'Limit on buffers of TCP'),
  'memory.soft_limit_in_bytes': {
    access: 'read-write',
    format: 'bytes-or-max',
    noLimit: '-1',
    default: 'no limit',
    meaning: 'Soft limit: when memory is short, groups above it are reclaimed first',
  },
  'memory.stat': {
    access: 'read',
    format: 'flat-keyed',
    meaning: 'Memory by use; total_ keys include descendants',
    keys: statKeys,
  },
  'memory.numa_stat': {
    access: 'read',
    format: 'numa',
    unit: 'pages',
    meaning: 'Memory by use and NUMA node',
    keys: nodeKeys,
  },
  'memory.oom_control': {
    access: 'read-write',
    format: 'flat-keyed',
    writes: 'flag',
    default: 'oom_kill_disable 0',
    accepts: '0 to kill when memory runs out, or 1 to make tasks wait',
    meaning: 'What happens when memory runs out, and how often it did',
    keys: {
      oom_kill_disable: ['flag', 'Whether tasks wait for memory rather than being killed'],
      under_oom: ['flag', 'Whether tasks wait for memory now'],
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
    meaning: 'Whether groups below count here too; always since 5.11',
  },
  'memory.move_charge_at_immigrate': {
    access: 'read-write',
    format: 'count',
    unit: '',
    range: [0, 3],
    default: '0',
    meaning: 'Whether the charges of a task move with it to another group; no effect since 6.14',
  },
  'memory.force_empty': writeOnly('Reclaims as much as possible from the group'),
  'memory.pressure_level': {
    access: 'none',
    format: 'text',
    meaning: 'Source of memory pressure events (low, medium, critical) for cgroup.event_control',
  },
  'memory.kmem.slabinfo': { access: 'read', format: 'lines', meaning: 'Kernel objects; empty from 5.9 on' },
}
