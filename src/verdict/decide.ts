// SPDX-License-Identifier: Apache-2.0
// Lists the rules that decide why a job ended, in order. Each row has conditions on named figures, and the first row
// whose conditions hold is used. Called by facts.ts, make-cause.ts and why/; pure.
import { type CauseKind, causeKinds } from './cause.ts'

/** Names of the figures that rows can test. Each is a whole number; 1 means yes. facts.ts computes them. */
export const figureNames = [
  /** execFailed: exec failed. notInside: the program exists on the host, but not in the job's root. */
  'execFailed',
  'notInside',
  /** Why hutch stopped the job: the caller aborted it, or a limit of output, time or CPU time was exceeded. */
  'aborted',
  'outputOver',
  'timedOut',
  'cpuTimeOver',
  /**
   * How the job's own process ended. failed: any end except exit status 0. status: the exit status. signal: the number
   * of the signal.
   */
  'failed',
  'status',
  'signal',
  /**
   * oomKills: number of processes that the OOM killer killed. lastKillEarlier: the last kill was too early to have
   * caused the job's end.
   */
  'oomKills',
  'lastKillEarlier',
  /** memory.oom.group killed all processes of the group, but the kernel counted no kill. */
  'groupKilled',
  /** Memory ran out at the job's limit, but the kernel found no process that it could kill. */
  'oomWithoutKill',
  /** Number of the job's own forks that a pids.max refused. */
  'forksRefused',
  /**
   * fullSpaces: number of the job's file systems that were full. fullTables: number of processes that had used up their
   * descriptors.
   */
  'fullSpaces',
  'fullTables',
  /** The job was ended by a signal that this process passed on, or sent for its caller. */
  'interrupted',
  /** The system call filter killed the job. */
  'filterKilled',
  /** A resource limit that hutch set ended the process by its signal, such as SIGXCPU. */
  'ulimitSignal',
  /** In how many percent of its periods cpu.max throttled the job. */
  'throttledPercent',
  /**
   * memoryStallPercent: percent of the run time in which all tasks waited for memory. slowed: how often memory.high
   * throttled the job.
   */
  'memoryStallPercent',
  'slowed',
  /**
   * frozen: number of frozen groups. stopped: number of processes that a signal had stopped when hutch stopped the job.
   * For a running group or process, `stopped` includes processes stopped by a debugger, and `blocked` counts those
   * blocked in the kernel.
   */
  'frozen',
  'stopped',
  'blocked',
  /** Number of processes that systemd-oomd killed. */
  'oomdKills',
  /** Number of exhausted limits on tasks that do not belong to a group: RLIMIT_NPROC, threads-max, pid_max. */
  'fullTasks',
  /** Number of periods in which cpu.max throttled the group. */
  'throttledPeriods',
  /**
   * thrashing: memory is at memory.max while tasks wait for memory. stallPercent: percent of the last minute in which
   * all tasks waited for memory or a disk.
   */
  'thrashing',
  'stallPercent',
  /** living: the user asks about one process that has not ended. present: the group contains processes. */
  'living',
  'present',
  /**
   * limitsReached: number of limits that were reached, although the kernel counted no kill or refusal. unread: number
   * of figures that could not be read.
   */
  'limitsReached',
  'unread',
  /** How often memory.high of an ancestor throttled tasks while the job ran. */
  'slowedAbove',
  /** throttledAbove: an ancestor's cpu.max has throttled the ancestor's tasks. memoryFull: usage reached the job's memory.max. */
  'throttledAbove',
  'memoryFull',
  /** Page cache and swap that were read again after reclaim, in percent of memory.max. */
  'refaultPercent',
  /**
   * ioLimited: io.max is set. ioStallPercent: percent of the run time in which all tasks waited for a disk.
   * cpuStallPercent: percent in which any task waited for a CPU. For a running group: percent of a recent time.
   */
  'ioLimited',
  'ioStallPercent',
  'cpuStallPercent',
  /**
   * Demand for the CPUs of cpuset.cpus, if these are not all CPUs. The percentage of their time that the job used, plus
   * cpuStallPercent. With at most one thread for each CPU, the sum is at most 100. For a running group, only
   * cpuStallPercent.
   */
  'cpusetDemandPercent',
] as const
export type FactName = (typeof figureNames)[number]
export type Facts = { [F in FactName]: number }

/** A condition of a row: a figure, a comparison, and the value to compare the figure with. */
type Condition = readonly [figure: FactName, compare: '>=' | '=' | '!=', value: number]

/** A row of a list: a kind of cause, and the conditions that must all hold for it. */
export interface DecisionRow {
  kind: CauseKind
  when: readonly Condition[]
  /** True if the same figures could also have another explanation. */
  likely?: true
  /** The limit that slowed the job. */
  limit?: HeldLimit
}

/** Files of limits that slow a job without stopping it. A pressure file stands for a limit that is not known. */
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
/** Exit status with which a shell reports that SIGKILL ended its command. */
const killedStatus = 128 + SIGKILL

/** Exit statuses with which programs report that a child was killed: make, compilers, cargo, xargs (125), Python (-9) and so on. */
const afterKill = [1, 2, 101, 125, 247, 255]
/** Exit statuses with which programs report that fork failed: sh, bash (254), the number of EAGAIN, sysexits.h, 128 + SIGABRT. */
const afterRefusal = [1, 2, 11, 71, 75, 134, 254, 255]

const isKilled: Condition = ['oomKills', '>=', 1]
const oomAlone: Condition = ['oomWithoutKill', '>=', 1]
const daemonKilled: Condition = ['oomdKills', '>=', 1]
const failed: Condition = ['failed', '=', 1]
/** Signals by which programs end after an allocation of memory failed. */
const onFailedAllocation = [SIGBUS, SIGSEGV, SIGABRT, SIGTRAP, SIGILL]
/** Signals by which language runtimes end if a thread cannot be created. */
const onFailedThread = [SIGABRT, SIGTRAP, SIGSEGV]

/** Returns a row for each way in which a program can end after an event. */
function likelyFor(
  kind: CauseKind,
  event: Condition,
  end: 'signal' | 'status',
  values: readonly number[],
): DecisionRow[] {
  return values.map((value) => ({ kind, when: [event, [end, '=', value]], likely: true }))
}

/**
 * Rows for a job's end. First come actions of hutch, then actions of the kernel on the job itself. Then come
 * consequences of a killed child or a refusal, and last everything else.
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
  ...likelyFor('oom', oomAlone, 'signal', onFailedAllocation),
  ...likelyFor('oom', isKilled, 'status', afterKill),
  ...likelyFor('fork-refused', ['forksRefused', '>=', 1], 'signal', onFailedThread),
  ...likelyFor('fork-refused', ['forksRefused', '>=', 1], 'status', afterRefusal),
  // the last value is the status with which a shell reports SIGBUS
  ...likelyFor('oom', oomAlone, 'status', [...afterKill, 128 + SIGBUS]),
  { kind: 'space', when: [['fullSpaces', '>=', 1], failed, ['signal', '=', 0]], likely: true },
  { kind: 'signal', when: [['signal', '>=', 1]] },
  { kind: 'exited', when: [] },
]

/** Returns the row for a limit that slowed the job. */
function slowedBy(limit: HeldLimit, ...when: Condition[]): DecisionRow {
  return { kind: limit === 'cpu.max' ? 'throttled' : 'slowed', when, likely: true, limit }
}

/** In at least 20 percent of the run time, all tasks waited for memory. */
const memoryStall: Condition = ['memoryStallPercent', '>=', 20]

/**
 * Rows for limits that slowed a job which timed out or ended late. The kind `exited` means that no limit was found. If
 * a limit was reached, a smaller share of waiting time is enough evidence. Otherwise the share must be at least 50
 * percent.
 */
export const heldRows: readonly DecisionRow[] = [
  { kind: 'frozen', when: [['frozen', '>=', 1]], likely: true },
  { kind: 'stopped', when: [['stopped', '>=', 1]], likely: true },
  { kind: 'oom', when: [isKilled], likely: true },
  // if no memory is free and no process can be killed, the kernel repeats a page fault forever
  { kind: 'oom', when: [oomAlone], likely: true },
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
  // an ancestor's cpu.max slowed the job, although the job's own cpu.max did not
  {
    kind: 'slowed',
    when: [
      ['throttledAbove', '>=', 1],
      ['cpuStallPercent', '>=', 50],
    ],
    likely: true,
    limit: 'cpu.max',
  },
  slowedBy('memory.pressure', ['memoryStallPercent', '>=', 50]),
  slowedBy('io.pressure', ['ioStallPercent', '>=', 50]),
  { kind: 'exited', when: [] },
]

const ofOthers: Condition = ['living', '=', 1]
const ofItself: Condition = ['living', '=', 0]
/** cpu.max throttled no task. Throttled tasks also wait for a CPU, and would be counted twice. */
const unthrottled: Condition = ['throttledPeriods', '=', 0]

/**
 * Rows for a group or a process that has not ended. All rows that match are reported, in this order. A running process
 * was not killed itself, so kills in its group come last.
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
  { kind: 'slowed', when: [['cpusetDemandPercent', '>=', 10], unthrottled], likely: true },
  { kind: 'slowed', when: [['cpuStallPercent', '>=', 25], unthrottled], likely: true },
  { kind: 'oom', when: [isKilled, ofOthers] },
  { kind: 'oomd', when: [daemonKilled, ofOthers] },
  { kind: 'oom', when: [oomAlone, ofOthers], likely: true },
]

const nothingReached: Condition = ['limitsReached', '=', 0]
const allRead: Condition = ['unread', '=', 0]

/** Rows that are used if no other row matches. To rule out the kernel, all relevant figures must have been read. */
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

/** Returns the first row whose conditions all hold. The last row of a list has no conditions, so there is always one. */
export function decide(rows: readonly DecisionRow[], facts: Facts): DecisionRow {
  return rows.find(({ when }) => when.every((condition) => holds(facts, condition)))!
}

/**
 * Returns the kinds of all rows whose conditions hold, in the order of the rows. Each kind has the names of the figures
 * that its rows test.
 */
export function decideAll(rows: readonly DecisionRow[], facts: Facts): Map<CauseKind, ReadonlySet<FactName>> {
  const found = rows.filter(({ when }) => when.every((condition) => holds(facts, condition)))
  const figuresOf = (of: CauseKind) =>
    found.flatMap(({ kind, when }) => (kind === of ? when.map(([figure]) => figure) : []))
  return new Map(found.map(({ kind }) => [kind, new Set(figuresOf(kind))]))
}

const comparisons = ['>=', '=', '!='] as const

/**
 * Encodes the rows as numbers for compiled files, in which native/compiled/decide.c reads them. A row is its kind, the
 * number of its limit counted from 1, the number of conditions, and the conditions.
 */
export function encodeRows(rows: readonly DecisionRow[]): number[] {
  return rows.flatMap(({ kind, limit, when }) => [
    causeKinds.indexOf(kind),
    limit === undefined ? 0 : heldLimits.indexOf(limit) + 1,
    when.length,
    ...when.flatMap(([figure, compare, value]) => [figureNames.indexOf(figure), comparisons.indexOf(compare), value]),
  ])
}

const nothingKnown = Object.fromEntries(figureNames.map((name) => [name, 0])) as Facts

/** Returns the figures for a job about which nothing is known: all are 0. */
export function noFacts(): Facts {
  return { ...nothingKnown }
}
