// SPDX-License-Identifier: Apache-2.0
// Files and figures that every v2 group has: cgroup-v2.rst, "Core Interface Files", and accounting/psi.rst.

import type { Entries, Keys } from './entry.ts'
import type { Figures } from './figure.ts'

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
    accepts: 'the id of a process, such as 4711; 0 is the writer itself',
    meaning: 'Processes in this group; writing an id moves that process here with all its threads',
    v1: ['cgroup.procs'],
  },
  'cgroup.threads': {
    access: 'read-write',
    format: 'pids',
    since: '4.14',
    accepts: 'the id of a thread, such as 4711',
    meaning: 'Threads in this group; a single one can be moved within its threaded subtree',
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
    meaning: 'State of the group; the file can be watched for its changes',
    keys: {
      populated: ['flag', 'Whether a live process is here or below'],
      frozen: ['flag', 'Whether everything here and below is frozen'],
    },
  },
  'cgroup.max.descendants': {
    access: 'read-write',
    format: 'count-or-max',
    since: '4.14',
    default: 'max',
    meaning: 'How many groups may exist below this one',
  },
  'cgroup.max.depth': {
    access: 'read-write',
    format: 'count-or-max',
    since: '4.14',
    default: 'max',
    meaning: 'How many levels of groups may exist below this one',
  },
  'cgroup.stat': {
    access: 'read',
    format: 'flat-keyed',
    since: '4.14',
    meaning: 'Number of descendant groups, including removed ones that the kernel has not freed yet',
    keys: {
      nr_descendants: ['count', 'Live groups below'],
      nr_dying_descendants: ['count', 'Removed groups below that are still in use'],
      'nr_subsys_<controller>': ['count', 'Live groups, including this one, that have this controller’s state'],
      'nr_dying_subsys_<controller>': ['count', 'Removed groups whose state of this controller is still in use'],
    },
  },
  'cgroup.stat.local': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '6.18',
    meaning: 'Figures of this group only, without its descendants',
    keys: { frozen_usec: ['µs', 'Time between freezing and thawing, by itself or by an ancestor'] },
  },
  'cgroup.freeze': {
    access: 'read-write',
    root: 'never',
    format: 'flag',
    since: '5.2',
    default: '0',
    meaning: 'Freezes everything here and below (1), or thaws it (0)',
    v1: ['freezer.state'],
  },
  'cgroup.kill': {
    access: 'write',
    root: 'never',
    format: 'count',
    range: [1, 1],
    since: '5.14',
    accepts: '1',
    meaning: 'Kills every process here and below with SIGKILL',
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
    meaning: 'Whether a process is in the group or below it',
    // on a hybrid host, all processes may be in v1's hierarchies
    complete: (populated, of) => {
      const pids = of('pids') as number | undefined
      return pids === undefined ? populated : pids > 0 || populated === true
    },
    metrics: [{ name: 'hutch_populated', help: 'Whether it or a descendant has processes.' }],
    recorded: 1,
    page: true,
  },
  frozen: {
    kind: 'flag',
    v2: { file: 'cgroup.events', key: 'frozen' },
    v1: 'none',
    unit: '',
    meaning: 'Whether the freezer has stopped its tasks',
    // on a hybrid host, v1's freezer may have frozen the group
    complete: (frozen, of) => (of('frozenByV1') === true ? true : (frozen ?? of('frozenByV1'))),
    metrics: [{ name: 'hutch_frozen', help: 'Whether the tasks are frozen.' }],
    recorded: 2,
    page: true,
  },
  frozenByV1: {
    kind: 'flag',
    v1: { file: 'freezer.state', is: 'FROZEN' },
    unit: '',
    meaning: 'The same in the hierarchy of v1',
    hidden: true,
  },
} as const satisfies Figures

/** Returns the row of one resource's stall times. `waiting` is the word for the resource in `hutch why` and verdicts. */
const stallFigure = <Name extends string>(resource: string, rate: Name, recorded: number, file: string) =>
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
        course: rate,
      },
    ],
    recorded,
    report: 'pressure',
  }) as const

export const stallFigures = {
  cpuPressure: stallFigure('cpu', 'cpuStalled', 22, 'cpu.pressure'),
  memoryPressure: stallFigure('memory', 'memoryStalled', 26, 'memory.pressure'),
  ioPressure: stallFigure('io', 'ioStalled', 30, 'io.pressure'),
} as const satisfies Figures
