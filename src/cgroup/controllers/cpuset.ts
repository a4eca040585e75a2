// SPDX-License-Identifier: Apache-2.0
// Files of the cpuset controller on v2: cgroup-v2.rst, "Cpuset Interface Files".
import type { Entries } from './entry.ts'

export const cpuset = {
  'cpuset.cpus': {
    access: 'read-write',
    root: 'never',
    format: 'list',
    since: '5.0',
    default: "empty: the parent's",
    accepts: 'numbers and ranges of CPUs, such as 0-3,6',
    meaning: 'Requested CPUs; cpuset.cpus.effective shows the CPUs that were granted',
    v1: ['cpuset.cpus'],
    atEnd: { v2: 'if-set', v1: 'if-set' },
  },
  'cpuset.cpus.effective': {
    access: 'read',
    format: 'list',
    since: '5.0',
    meaning: 'CPUs that tasks of the group can actually use',
    v1: ['cpuset.effective_cpus'],
  },
  'cpuset.mems': {
    access: 'read-write',
    root: 'never',
    format: 'list',
    since: '5.0',
    default: "empty: the parent's",
    accepts: 'numbers and ranges of memory nodes, such as 0-1',
    meaning: 'Requested NUMA nodes; the memory of the group’s tasks is moved to them',
    v1: ['cpuset.mems'],
  },
  'cpuset.mems.effective': {
    access: 'read',
    format: 'list',
    since: '5.0',
    meaning: 'NUMA nodes from which tasks of the group actually get memory',
    v1: ['cpuset.effective_mems'],
  },
  'cpuset.cpus.exclusive': {
    access: 'read-write',
    root: 'never',
    format: 'list',
    since: '6.7',
    default: 'empty',
    accepts: 'numbers and ranges of CPUs, such as 2-3, that no sibling group has',
    meaning: 'CPUs reserved for partitions in descendants',
  },
  'cpuset.cpus.exclusive.effective': {
    access: 'read',
    root: 'never',
    format: 'list',
    since: '6.7',
    meaning: 'CPUs that a partition of this group could have exclusively',
  },
  'cpuset.cpus.isolated': {
    access: 'read',
    root: 'only',
    format: 'list',
    since: '6.8',
    meaning: 'CPUs that isolated partitions have taken out of load balancing',
  },
  'cpuset.cpus.partition': {
    access: 'read-write',
    root: 'never',
    format: 'text',
    writes: 'choice',
    choices: ['member', 'root', 'isolated'],
    since: '5.0',
    default: 'member',
    meaning:
      'Partition type: member (none), root (exclusive CPUs), isolated (no load balancing either), or the failure',
  },
} satisfies Entries
