// SPDX-License-Identifier: Apache-2.0
// Files of the rdma controller, the same on v1 and v2: cgroup-v2.rst, "RDMA Interface Files".
import type { Entries, Keys } from './entry.ts'

const keys: Keys = {
  hca_handle: ['count', 'RDMA handles (contexts) of the adapter'],
  hca_object: ['count', 'RDMA objects of the adapter, such as queues and memory regions'],
}
const eventKeys: Keys = {
  'hca_handle.max': ['count', 'How often a limit of handles was reached'],
  'hca_handle.alloc_fail': ['count', 'Handles that were refused'],
  'hca_object.max': ['count', 'How often a limit of objects was reached'],
  'hca_object.alloc_fail': ['count', 'Objects that were refused'],
}

export const rdma = {
  'rdma.max': {
    access: 'read-write',
    root: 'never',
    format: 'nested-keyed',
    since: '4.11',
    default: 'max',
    accepts: 'an adapter and limits, such as mlx4_0 hca_handle=2 hca_object=2000; max removes a limit',
    meaning: 'RDMA resources that the group may hold, by adapter',
    lines: 'adapter',
    keys,
    v1: ['rdma.max'],
  },
  'rdma.current': {
    access: 'read',
    root: 'never',
    format: 'nested-keyed',
    since: '4.11',
    meaning: 'RDMA resources held, by adapter',
    lines: 'adapter',
    keys,
    v1: ['rdma.current'],
  },
  'rdma.peak': {
    access: 'read',
    root: 'never',
    format: 'nested-keyed',
    since: '7.2',
    meaning: 'Peak use of RDMA resources, by adapter',
    lines: 'adapter',
    keys,
    v1: ['rdma.peak'],
  },
  'rdma.events': {
    access: 'read',
    root: 'never',
    format: 'nested-keyed',
    since: '7.2',
    meaning: 'How often limits of the group or a descendant were reached, by adapter; changes can be watched',
    lines: 'adapter',
    keys: eventKeys,
    v1: ['rdma.events'],
  },
  'rdma.events.local': {
    access: 'read',
    root: 'never',
    format: 'nested-keyed',
    since: '7.2',
    meaning: 'How often this group’s own limits were reached, by adapter; changes can be watched',
    lines: 'adapter',
    keys: eventKeys,
    v1: ['rdma.events.local'],
  },
} satisfies Entries
