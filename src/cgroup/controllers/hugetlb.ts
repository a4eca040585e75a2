// SPDX-License-Identifier: Apache-2.0
// Files of the hugetlb controller on v2, one set per page size: cgroup-v2.rst, "HugeTLB Interface Files".
import type { Entries, Keys } from './entry.ts'

const eventKeys: Keys = { max: ['count', 'Allocations of huge pages that the limit refused'] }

export const hugetlb = {
  'hugetlb.<size>.current': {
    access: 'read',
    root: 'never',
    format: 'bytes',
    since: '5.6',
    meaning: 'Huge pages of this size that the group and its descendants use',
    v1: ['hugetlb.<size>.usage_in_bytes'],
  },
  'hugetlb.<size>.max': {
    access: 'read-write',
    root: 'never',
    format: 'bytes-or-max',
    since: '5.6',
    default: 'max',
    meaning: 'Huge pages of this size that the group may use; a program that needs more gets SIGBUS',
    v1: ['hugetlb.<size>.limit_in_bytes'],
  },
  'hugetlb.<size>.rsvd.current': {
    access: 'read',
    root: 'never',
    format: 'bytes',
    since: '5.7',
    meaning: 'Huge pages of this size that mappings have reserved, used or not',
    v1: ['hugetlb.<size>.rsvd.usage_in_bytes'],
  },
  'hugetlb.<size>.rsvd.max': {
    access: 'read-write',
    root: 'never',
    format: 'bytes-or-max',
    since: '5.7',
    default: 'max',
    meaning: 'Huge pages of this size that may be reserved; an mmap that needs more fails with ENOMEM',
    v1: ['hugetlb.<size>.rsvd.limit_in_bytes'],
  },
  'hugetlb.<size>.events': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '5.6',
    meaning: 'How often the limit of the group or a descendant was reached; changes can be watched',
    keys: eventKeys,
  },
  'hugetlb.<size>.events.local': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '5.6',
    meaning: 'How often this group’s own limit was reached; changes can be watched',
    keys: eventKeys,
    v1: ['hugetlb.<size>.failcnt'],
  },
  'hugetlb.<size>.numa_stat': {
    access: 'read',
    root: 'never',
    format: 'numa',
    since: '5.17',
    meaning: 'Huge pages of this size in use, split by NUMA node',
    keys: { total: ['bytes', 'Amount on all NUMA nodes'], 'N<node>': ['bytes', 'Amount on this NUMA node'] },
    v1: ['hugetlb.<size>.numa_stat'],
  },
} satisfies Entries
