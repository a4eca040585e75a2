// SPDX-License-Identifier: Apache-2.0
// The ordered list that decides why a job ended: rows of conditions on named figures, the first that holds. Data and a walker; pure.
import { type CauseKind, causeKinds } from './cause.ts'

/** Figures that rows may ask for, each a whole number; a yes is 1. facts.ts computes them. */
export const figureNames = [
  /** exec failed; the program exists on the host but not inside. */
  'execFailed',
  'notInside',
  /** What hutch stopped the job for. */
  'aborted',
  'outputOver',
  'timedOut',
  'cpuTimeOver',
  /** The end of the job's own process: any end but status 0, its status, its signal. */
  'failed',
  'status',
  'signal',
  /** Processes killed by the kernel for memory, and that the last of them was not just before the end. */
  'oomKills',
  'lastKillEarlier',
  /** memory.oom.group: the whole group was killed, and the kernel counted nothing. */
  'groupKilled',
  /** Memory was out at the job's limit, nothing was killed. */
  'oomWithoutKill',
  /** Forks of the job itself that pids.max refused. */
  'forksRefused',
  /** File systems of the job that were full; processes without a free descriptor. */
  'fullSpaces',
  'fullTables',
  /** A signal that this process passed on or sent for its caller ended it. */
  'interrupted',
  /** The system call filter ended it. */
  'filterKilled',
  /** A resource limit of a process that hutch had set, enforced by signal. */
  'ulimitSignal',
  /** Percent of its periods in which cpu.max held it back. */
  'throttledPercent',
  /** Percent of its time in which memory.high or reclaim held all of it back, and how often memory.high did. */
  'memoryStallPercent',
  'slowed',
  /**
   * For a group or a running process: frozen groups, processes stopped by a signal or a debugger, and processes blocked in the kernel.
   */
  'frozen',
  'stopped',
  'blocked',
  /** Processes that systemd-oomd killed. */
  'oomdKills',
  /** Limits of tasks that are not a group's and have no room now: RLIMIT_NPROC, threads-max, pid_max. */
  'fullTasks',
  /** Periods in which cpu.max throttled it. */
  'throttledPeriods',
  /** Memory at memory.max while its tasks wait for memory; percent of the last minute in which all tasks waited for memory or a disk. */
  'thrashing',
  'stallPercent',
  /** One process was asked for, and it has not ended; processes are there. */
  'living',
  'present',
  /** Limits that were reached without a counted kill or refusal; what could have been hit and cannot be read. */
  'limitsReached',
  'unread',
  /** Times that memory.high of a group above slowed tasks while it ran; memory.max of the job was reached. */
  'slowedAbove',
  'memoryFull',
  /** Page cache and swap that it had to read again after reclaim, in percent of memory.max. */
  'refaultPercent',
  /** io.max is set; percent of its time in which all its tasks waited for a disk, and in which some waited for a CPU. */
  'ioLimited',
  'ioStallPercent',
  'cpuStallPercent',
  /** If its cpuset.cpus are not all CPUs: percent of their time that it used, plus cpuStallPercent. One thread a CPU, or fewer, has no more than 100. */
  'cpusetDemandPercent',
] as const
type FigureName = (typeof figureNames)[number]
export type Facts = { [F in FigureName]: number }

/** A figure, how it is compared, and with what. */
type Condition = readonly [figure: FigureName, compare: '>=' | '=' | '!=', value: number]

/** The kind that holds if all conditions do. */
export interface DecisionRow {
  kind: CauseKind
  when: readonly Condition[]
  /** The figures allow another explanation. */
  likely?: true
  /** What held it up. */
  limit?: HeldLimit
}

/** Limits that slow a job without stopping it; a pressure file represents an unknown limit. */
const heldLimits = [
  'memory.high',
  'memory.max',
  'cpu.max',
  'cpuset.cpus',
  'io.max',
  'memory.pressure',
  'io.pressure',
] as const
export type HeldLimit = (typeof heldLimits)[number]

const [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGKILL, SIGSEGV] = [4, 5, 6, 7, 9, 11]
/** What a shell exits with after its command was killed by SIGKILL. */
const killedStatus = 128 + SIGKILL

/** Statuses with which programs report that a process they started was killed: make, compilers, cargo, xargs (125), Python (-9), others. */
const afterKill = [1, 2, 101, 125, 247, 255]
/** Statuses with which programs report that they could not fork: sh, bash (254), EAGAIN, sysexits.h, 128 + SIGABRT. */
const afterRefusal = [1, 2, 11, 71, 75, 134, 254, 255]

const isKilled: Condition = ['oomKills', '>=', 1]
const daemonKilled: Condition = ['oomdKills', '>=', 1]
const failed: Condition = ['failed', '=', 1]
/** Signals with which a program answers an allocation that failed. */
const onFailedAllocation = [SIGBUS, SIGSEGV, SIGABRT, SIGTRAP, SIGILL]
/** Signals with which run-time systems answer a thread that cannot be made. */
const onFailedThread = [SIGABRT, SIGTRAP, SIGSEGV]

/** A row for each end that such an event brings about. */
function likelyFor(
  kind: CauseKind,
  event: Condition,
  end: 'signal' | 'status',
  values: readonly number[],
): DecisionRow[] {
  return values.map((value) => ({ kind, when: [event, [end, '=', value]], likely: true }))
}

/**
 * In this order: actions of hutch, actions of the kernel on the job itself, consequences of a child's death or of a refusal, the rest.
 */
export const endRows: readonly DecisionRow[] = [
  {
    kind: 'not-inside',
    when: [
      ['execFailed', '=', 1],
      ['notInside', '=', 1],
    ],
  },
  { kind: 'exec-failed', when: [['execFailed', '=', 1]] },
  { kind: 'output', when: [['outputOver', '=', 1]] },
  { kind: 'aborted', when: [['aborted', '=', 1]] },
  { kind: 'timeout', when: [['timedOut', '=', 1]] },
  { kind: 'cpu-time', when: [['cpuTimeOver', '=', 1]] },
  { kind: 'filter', when: [['filterKilled', '=', 1]] },
  { kind: 'oom', when: [isKilled, ['signal', '=', SIGKILL], ['lastKillEarlier', '=', 0], ['interrupted', '=', 0]] },
  { kind: 'oom', when: [['groupKilled', '=', 1]] },
  { kind: 'oom', when: [isKilled, ['status', '=', killedStatus]] },
  { kind: 'oomd', when: [daemonKilled, ['signal', '=', SIGKILL], ['interrupted', '=', 0]], likely: true },
  { kind: 'interrupted', when: [failed, ['interrupted', '=', 1]] },
  { kind: 'ulimit', when: [['ulimitSignal', '=', 1]] },
  {
    kind: 'space',
    when: [
      ['fullSpaces', '>=', 1],
      ['signal', '=', SIGBUS],
    ],
    likely: true,
  },
  ...likelyFor('oom', ['oomWithoutKill', '>=', 1], 'signal', onFailedAllocation),
  ...likelyFor('oom', isKilled, 'status', afterKill),
  ...likelyFor('fork-refused', ['forksRefused', '>=', 1], 'signal', onFailedThread),
  ...likelyFor('fork-refused', ['forksRefused', '>=', 1], 'status', afterRefusal),
  // a shell exits with 128 + SIGBUS
  ...likelyFor('oom', ['oomWithoutKill', '>=', 1], 'status', [...afterKill, 128 + SIGBUS]),
  { kind: 'space', when: [['fullSpaces', '>=', 1], failed, ['signal', '=', 0]], likely: true },
  { kind: 'signal', when: [['signal', '>=', 1]] },
  { kind: 'exited', when: [] },
]

/** A limit that slowed it. */
function slowedBy(limit: HeldLimit, ...when: Condition[]): DecisionRow {
  return { kind: limit === 'cpu.max' ? 'throttled' : 'slowed', when, likely: true, limit }
}

/** Percent of its time. */
const memoryStall: Condition = ['memoryStallPercent', '>=', 20]

/**
 * Limits that slowed a job that timed out or ended late; exited: nothing was measured. The share of time that tasks waited is evidence for
 * a limit that was reached. Alone it counts only from half of the time.
 */
export const heldRows: readonly DecisionRow[] = [
  { kind: 'oom', when: [isKilled], likely: true },
  { kind: 'fork-refused', when: [['forksRefused', '>=', 1]], likely: true },
  { kind: 'space', when: [['fullSpaces', '>=', 1]], likely: true },
  { kind: 'descriptors', when: [['fullTables', '>=', 1]], likely: true },
  slowedBy('memory.high', ['slowed', '>=', 1], memoryStall),
  slowedBy('cpu.max', ['throttledPercent', '>=', 50]),
  slowedBy('memory.max', ['memoryFull', '>=', 1], memoryStall),
  slowedBy('memory.max', ['memoryFull', '>=', 1], ['refaultPercent', '>=', 200], ['memoryStallPercent', '>=', 5]),
  slowedBy('io.max', ['ioLimited', '>=', 1], ['ioStallPercent', '>=', 20]),
  slowedBy('cpuset.cpus', ['cpusetDemandPercent', '>=', 120], ['cpuStallPercent', '>=', 50]),
  slowedBy('memory.high', ['slowedAbove', '>=', 1], memoryStall),
  slowedBy('memory.pressure', ['memoryStallPercent', '>=', 50]),
  slowedBy('io.pressure', ['ioStallPercent', '>=', 50]),
  { kind: 'exited', when: [] },
]

const ofOthers: Condition = ['living', '=', 1]
const ofItself: Condition = ['living', '=', 0]
const oomAlone: Condition = ['oomWithoutKill', '>=', 1]

/**
 * Events that stopped or slowed a group or a process without a known end; every matching row is reported, in this order. A running process
 * was not killed, so kills in its group come after what blocks it now.
 */
export const foundRows: readonly DecisionRow[] = [
  { kind: 'frozen', when: [['frozen', '>=', 1]] },
  { kind: 'stopped', when: [['stopped', '>=', 1]] },
  { kind: 'blocked', when: [['blocked', '>=', 1]] },
  { kind: 'oom', when: [isKilled, ofItself] },
  { kind: 'oomd', when: [daemonKilled, ofItself] },
  { kind: 'oom', when: [oomAlone, ofItself], likely: true },
  { kind: 'fork-refused', when: [['forksRefused', '>=', 1]] },
  { kind: 'fork-refused', when: [['fullTasks', '>=', 1]] },
  { kind: 'space', when: [['fullSpaces', '>=', 1]] },
  { kind: 'throttled', when: [['throttledPeriods', '>=', 1]] },
  { kind: 'slowed', when: [['slowed', '>=', 1]] },
  { kind: 'slowed', when: [['thrashing', '>=', 1]], likely: true },
  { kind: 'slowed', when: [['stallPercent', '>=', 10]], likely: true },
  { kind: 'oom', when: [isKilled, ofOthers] },
  { kind: 'oomd', when: [daemonKilled, ofOthers] },
  { kind: 'oom', when: [oomAlone, ofOthers], likely: true },
]

const nothingReached: Condition = ['limitsReached', '=', 0]
const allRead: Condition = ['unread', '=', 0]

/** The result if no row above matches. The kernel is ruled out only if everything that could have been hit was read. */
export const restRows: readonly DecisionRow[] = [
  { kind: 'running', when: [['present', '=', 1], nothingReached, allRead] },
  { kind: 'running', when: [['present', '=', 1]], likely: true },
  { kind: 'not-kernel', when: [nothingReached, allRead] },
  { kind: 'unknown', when: [] },
]

function holds(facts: Facts, [figure, compare, value]: Condition): boolean {
  const found = facts[figure]
  if (compare === '>=') return found >= value
  return compare === '=' ? found === value : found !== value
}

/** Returns the first row whose conditions all hold; the last row of each list has none. */
export function decide(rows: readonly DecisionRow[], facts: Facts): DecisionRow {
  return rows.find(({ when }) => when.every((condition) => holds(facts, condition)))!
}

/** Returns the kinds of all rows whose conditions hold, each once. */
export function decideAll(rows: readonly DecisionRow[], facts: Facts): CauseKind[] {
  const found = rows.filter(({ when }) => when.every((condition) => holds(facts, condition)))
  return [...new Set(found.map(({ kind }) => kind))]
}

const comparisons = ['>=', '=', '!='] as const

/**
 * Returns the rows as numbers for compiled files; native/compiled/decide.c walks them. Each row has the kind, the number of its limit
 * counted from 1, the number of conditions, and the conditions.
 */
export function encodeRows(rows: readonly DecisionRow[]): number[] {
  return rows.flatMap(({ kind, limit, when }) => [
    causeKinds.indexOf(kind),
    limit === undefined ? 0 : heldLimits.indexOf(limit) + 1,
    when.length,
    ...when.flatMap(([figure, compare, value]) => [figureNames.indexOf(figure), comparisons.indexOf(compare), value]),
  ])
}

/** Facts of a job of which nothing is known. */
export function noFacts(): Facts {
  return Object.fromEntries(figureNames.map((name) => [name, 0])) as Facts
}
