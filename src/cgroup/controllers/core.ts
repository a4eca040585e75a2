// SPDX-License-Identifier: Apache-2.0
// Files and figures that every v2 group has: cgroup-v2.rst, "Core Interface Files", and accounting/psi.rst.

import type { Entries, Keys } from './entry.ts'
import type { Figures, GroupFigure, RecalledOf } from './figure.ts'

const stallKeys: Keys = {
  avg10: ['%', 'Share of the last 10 seconds lost to waiting'],
  avg60: ['%', 'Share of the last minute lost to waiting'],
  avg300: ['%', 'Share of the last five minutes lost to waiting'],
  total: ['µs', 'Total time lost to waiting'],
}

const pressure = (what: string, since: string) =>
  ({
    access: 'read-write',
    format: 'pressure',
    writes: 'trigger',
    since,
    accepts: 'a trigger: some or full, a stall and a window in µs, such as some 150000 1000000',
    meaning: `Time during which some, or all, tasks here waited for ${what}`,
    keys: stallKeys,
  }) as const

export const core = {
  'cgroup.procs': {
    access: 'read-write',
    format: 'pids',
    accepts: 'the id of a process, such as 4711; 0 stands for the writing process',
    meaning: 'Processes in this group; writing an id moves that process into the group with all its threads',
    v1: ['cgroup.procs'],
  },
  'cgroup.threads': {
    access: 'read-write',
    format: 'pids',
    since: '4.14',
    accepts: 'the id of a thread, such as 4711',
    meaning: 'Threads in this group; a single thread can be moved within its threaded subtree',
    v1: ['tasks'],
  },
  'cgroup.type': {
    access: 'read-write',
    root: 'never',
    format: 'text',
    writes: 'choice',
    choices: ['threaded'],
    since: '4.14',
    default: 'domain',
    meaning: 'Whether the group holds processes (domain) or single threads (threaded)',
  },
  'cgroup.controllers': {
    access: 'read',
    format: 'words',
    meaning: 'Controllers that the parent enables for this group',
  },
  'cgroup.subtree_control': {
    access: 'read-write',
    format: 'words',
    writes: 'toggles',
    accepts: 'names of controllers with + or -, such as +memory -cpu',
    meaning: 'Controllers that this group enables for its children',
  },
  'cgroup.events': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    meaning: 'State of the group; a change of the state can be watched (poll, inotify)',
    keys: {
      populated: ['flag', 'Whether the group or a descendant has a live process'],
      frozen: ['flag', 'Whether the group and its descendants are frozen'],
    },
  },
  'cgroup.max.descendants': {
    access: 'read-write',
    format: 'count-or-max',
    since: '4.14',
    default: 'max',
    meaning: 'Maximum number of descendant groups',
  },
  'cgroup.max.depth': {
    access: 'read-write',
    format: 'count-or-max',
    since: '4.14',
    default: 'max',
    meaning: 'Maximum number of levels of descendant groups',
  },
  'cgroup.stat': {
    access: 'read',
    format: 'flat-keyed',
    since: '4.14',
    meaning: 'Number of descendant groups, including removed ones that the kernel has not freed yet',
    keys: {
      nr_descendants: ['count', 'Live groups below'],
      nr_dying_descendants: ['count', 'Removed descendants that the kernel has not freed yet'],
      'nr_subsys_<controller>': ['count', 'Live groups, including this one, that have this controller’s state'],
      'nr_dying_subsys_<controller>': [
        'count',
        'Removed groups whose state of this controller the kernel has not freed yet',
      ],
    },
  },
  'cgroup.stat.local': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '6.18',
    meaning: 'Figures of this group only, without its descendants',
    keys: { frozen_usec: ['µs', 'Time for which the group was frozen, by its own cgroup.freeze or an ancestor’s'] },
  },
  'cgroup.freeze': {
    access: 'read-write',
    root: 'never',
    format: 'flag',
    since: '5.2',
    default: '0',
    meaning: 'Freezes the group and its descendants (1), or thaws them (0)',
    v1: ['freezer.state'],
  },
  'cgroup.kill': {
    access: 'write',
    root: 'never',
    format: 'count',
    range: [1, 1],
    since: '5.14',
    accepts: '1',
    meaning: 'Kills every process of the group and its descendants with SIGKILL',
  },
  'cgroup.pressure': {
    access: 'read-write',
    format: 'flag',
    since: '6.1',
    default: '1',
    meaning: 'Whether stall times (the pressure files) are counted for this group',
  },
  'cpu.pressure': pressure('CPU time', '4.20'),
  'memory.pressure': pressure('memory', '4.20'),
  'io.pressure': pressure('I/O', '4.20'),
  'irq.pressure': pressure('CPU time taken by interrupts', '6.1'),
} satisfies Entries

export const coreFigures = {
  populated: {
    kind: 'flag',
    v2: { file: 'cgroup.events', key: 'populated' },
    unit: '',
    meaning: 'Whether the group or a descendant has a process',
    // on a hybrid host, all processes of the group may be in v1's hierarchies, which the v2 file does not count
    complete: (populated, of) => {
      const pids = of('pids') as number | undefined
      return pids === undefined ? populated : pids > 0 || populated === true
    },
    metrics: [{ name: 'hutch_populated', help: 'Whether the group or a descendant has a process.' }],
    recorded: 1,
    page: true,
  },
  frozen: {
    kind: 'flag',
    v2: { file: 'cgroup.events', key: 'frozen' },
    v1: 'none',
    unit: '',
    meaning: 'Whether the tasks of the group are frozen',
    // on a hybrid host, v1's freezer may have frozen the group, which the v2 file does not show
    complete: (frozen, of) => (of('frozenByV1') === true ? true : (frozen ?? of('frozenByV1'))),
    metrics: [{ name: 'hutch_frozen', help: 'Whether the tasks are frozen.' }],
    recorded: 2,
    page: true,
  },
  frozenByV1: {
    kind: 'flag',
    v1: { file: 'freezer.state', is: 'FROZEN' },
    unit: '',
    meaning: 'Whether v1’s freezer has frozen the tasks of the group',
    hidden: true,
  },
} as const satisfies Figures

/** Returns the figure of one resource's stall times. */
const stallFigure = <Name extends string>(
  resource: string,
  rate: Name,
  recorded: number,
  file: string,
  recalled: RecalledOf,
) =>
  ({
    kind: 'stalls',
    v2: { file },
    unit: 'µs',
    meaning: `Time in which some, or all, tasks waited for ${resource}`,
    metrics: [
      {
        name: `container_pressure_${resource}_waiting_seconds_total`,
        help: `Time in which at least one task waited for ${resource}.`,
        of: 'some',
      },
      {
        name: `container_pressure_${resource}_stalled_seconds_total`,
        help: `Time in which all tasks waited for ${resource}.`,
        of: 'full',
      },
    ],
    rates: [
      {
        name: rate,
        by: 'time',
        per: 1e6,
        meaning: `Share of the time in which some task waited for ${resource}: 0 to 1`,
        page: 10_000,
        track: rate,
      },
    ],
    recorded,
    recalled,
    report: 'pressure',
  }) as const satisfies GroupFigure

export const stallFigures = {
  cpuPressure: stallFigure('cpu', 'cpuStalled', 22, 'cpu.pressure', {
    label: 'pressure',
    order: 4,
    waitedFor: 'a CPU',
    by: ['verdict'],
  }),
  memoryPressure: stallFigure('memory', 'memoryStalled', 26, 'memory.pressure', {
    label: 'pressure',
    order: 3,
    waitedFor: 'memory',
    by: ['why', 'verdict'],
  }),
  ioPressure: stallFigure('io', 'ioStalled', 30, 'io.pressure', {
    label: 'pressure',
    order: 5,
    waitedFor: 'a disk',
    by: ['verdict'],
  }),
} as const satisfies Figures
