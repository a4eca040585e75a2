// SPDX-License-Identifier: Apache-2.0
// Files and figures of the pids controller, the same on v1 and v2: cgroup-v2.rst, "PID Interface Files".

import type { Entries } from './entry.ts'
import type { Figures } from './figure.ts'

export const pids = {
  'pids.max': {
    access: 'read-write',
    root: 'never',
    format: 'count-or-max',
    default: 'max',
    meaning: 'Maximum number of tasks (processes and threads); a fork beyond it fails with EAGAIN',
    v1: ['pids.max'],
    atEnd: { v2: 'always', v1: 'always' },
  },
  'pids.current': {
    access: 'read',
    root: 'never',
    format: 'count',
    meaning: 'Number of tasks in the group and its descendants',
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
    meaning: 'How often the limit was reached; changes can be watched',
    keys: { max: ['count', 'Forks refused; since 6.11 including descendants'] },
    v1: ['pids.events'],
  },
  'pids.events.local': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '6.11',
    meaning: 'How often this group’s own limit was reached; changes can be watched',
    keys: { max: ['count', 'Forks that this group’s limit refused'] },
  },
} satisfies Entries

export const pidsFigures = {
  pids: {
    kind: 'count',
    v2: { file: 'pids.current' },
    unit: 'tasks',
    meaning: 'Tasks: processes and threads',
    limit: 'pidsMax',
    metrics: [{ name: 'container_threads', help: 'Number of tasks (processes and threads).' }],
    recorded: 20,
    peak: true,
    page: true,
    track: 'pids',
    section: 'tasks',
    recalled: { label: 'tasks', order: 2, by: ['why'] },
    listed: { title: 'MOST PIDS', order: 3, text: 'count' },
    columns: [
      { name: 'pids', title: 'PIDS', width: 10, rank: 3, order: 7, sorts: 4, words: 'tasks', text: 'of-limit' },
    ],
    cells: [{ title: 'PIDS', order: 5, text: 'count' }],
    report: 'pidsCurrent',
    live: true,
    levels: 'read',
  },
  pidsMax: {
    kind: 'limit',
    v2: { file: 'pids.max' },
    unit: 'tasks',
    meaning: 'Maximum number of tasks of the group',
    metrics: [{ name: 'container_threads_max', help: 'Maximum number of tasks; 0 means no limit.' }],
    recorded: 21,
    page: true,
    levels: 'read',
  },
  pidsPeak: {
    kind: 'count',
    v2: { file: 'pids.peak' },
    unit: 'tasks',
    meaning: 'Peak number of tasks',
    only: 'report',
    report: 'pidsPeak',
    levels: 'read',
  },
  pidsRefused: {
    kind: 'count',
    v2: { file: 'pids.events', key: 'max' },
    v1: { file: 'pids.events', key: 'max' },
    unit: 'count',
    meaning: 'Forks refused because of pids.max',
    page: true,
    report: 'pidsDenied',
    levels: 'counts',
  },
} as const satisfies Figures
