// SPDX-License-Identifier: Apache-2.0
// The pids controller's files: cgroup-v2.rst, "PID Interface Files"; the same ones on v1.
import type { Entries } from './entry.ts'

export const pids = {
  'pids.max': {
    access: 'read-write',
    root: 'never',
    format: 'count-or-max',
    default: 'max',
    meaning: 'Tasks (processes and threads) the group may have; a fork beyond it fails with EAGAIN',
    v1: ['pids.max'],
  },
  'pids.current': {
    access: 'read',
    root: 'never',
    format: 'count',
    meaning: 'Tasks here and below now',
    v1: ['pids.current'],
  },
  'pids.peak': {
    access: 'read',
    root: 'never',
    format: 'count',
    since: '6.1',
    meaning: 'Peak number of tasks since the group was created',
    v1: ['pids.peak'],
  },
  'pids.events': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '4.8',
    meaning: 'How often the limit was reached; can be watched',
    keys: { max: ['count', 'Forks refused; since 6.11 including descendants'] },
    v1: ['pids.events'],
  },
  'pids.events.local': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '6.11',
    meaning: 'How often this group’s own limit was reached; can be watched',
    keys: { max: ['count', 'Forks refused because of this group’s limit'] },
  },
} satisfies Entries
