// SPDX-License-Identifier: Apache-2.0
// The ordered lists that decide why a job ended. Each row has conditions on named figures; the first row that matches wins. Called by
// facts.ts, make-cause.ts and why/; pure.
import { type CauseKind, causeKinds } from './cause.ts'

/** Figures that rows can test; each is a whole number, and 1 means yes. facts.ts computes them. */
export const figureNames = [
  /** exec failed; the program exists on the host but not inside. */
  'execFailed',
  'notInside',
  /** Reasons for which hutch stopped the job. */
  'aborted',
  'outputOver',
  'timedOut',
  'cpuTimeOver',
  /** End of the job's own process: any end except status 0, the status, the signal. */
  'failed',
  'status',
  'signal',
  /** Number of processes killed for memory; whether the last kill was too early to have caused the end. */
  'oomKills',
  'lastKillEarlier',
  /** memory.oom.group killed the whole group, and the kernel counted no kill. */
  'groupKilled',
  /** Memory ran out at the job's limit, and the kernel killed no process. */
  'oomWithoutKill',
  /** Number of the job's own forks that pids.max refused. */
  'forksRefused',
  /** Number of the job's file systems that were full; number of processes without a free descriptor. */
  'fullSpaces',
  'fullTables',
  /** A signal that this process passed on, or sent for its caller, ended the job. */
  'interrupted',
  /** The system call filter ended the job. */
  'filterKilled',
  /** A resource limit that hutch set ended the process by a signal. */
  'ulimitSignal',
  /** Percent of its periods in which cpu.max throttled the job. */
  'throttledPercent',
  /** Percent of run time in which all tasks waited for memory; number of times memory.high throttled the job. */
  'memoryStallPercent',
  'slowed',
  /**
   * Frozen groups and processes stopped by a signal: of a group, of a running process, or of a job when hutch stopped it. For a group or a
   * process also those stopped by a debugger, and processes blocked in the kernel.
   */
  'frozen',
  'stopped',
  'blocked',
  /** Processes that systemd-oomd killed. */
  'oomdKills',
  /** Number of full task limits that belong to no group: RLIMIT_NPROC, threads-max, pid_max. */
  'fullTasks',
  /** Number of periods in which cpu.max throttled the group. */
  'throttledPeriods',
  /** Memory is at memory.max while tasks wait for memory; percent of the last minute in which all tasks waited for memory or a disk. */
  'thrashing',
  'stallPercent',
  /** The question is about one process, which has not ended; the group contains processes. */
  'living',
  'present',
  /** Limits that were reached although the kernel counted no kill or refusal; figures that could not be read. */
  'limitsReached',
  'unread',
  /** Number of times memory.high of an ancestor throttled tasks while the job ran; usage reached the job's memory.max. */
  'slowedAbove',
  /** cpu.max of an ancestor has throttled its tasks. */
  'throttledAbove',
  'memoryFull',
  /** Page cache and swap read again after reclaim, in percent of memory.max. */
  'refaultPercent',
  /**
   * io.max is set; percent of run time in which all tasks waited for a disk; percent in which some tasks waited for a CPU. Of a group: percent
   * of a recent time.
   */
  'ioLimited',
  'ioStallPercent',
  'cpuStallPercent',
  /**
   * If cpuset.cpus is not all CPUs: percent of their time that the job used, plus cpuStallPercent. With at most one thread per CPU, the sum
   * is at most 100. Of a group it is only cpuStallPercent.
   */
  'cpusetDemandPercent',
] as const
export type FactName = (typeof figureNames)[number]
export type Facts = { [F in FactName]: number }

/** A figure, a comparison, and the value to compare with. */
type Condition = readonly [figure: FactName, compare: '>=' | '=' | '!=', value: number]

/** A kind of cause, and the conditions that must all hold. */
export interface DecisionRow {
  kind: CauseKind
  when: readonly Condition[]
  /** True if the figures allow another explanation. */
  likely?: true
  /** The limit that slowed the job. */
  limit?: HeldLimit
}

/** Limits that slow a job without stopping it. A pressure file represents an unknown limit. */
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
/** Status with which a shell reports that SIGKILL ended its command. */
const killedStatus = 128 + SIGKILL

/** Statuses with which programs report that a child was killed: make, compilers, cargo, xargs (125), Python (-9), others. */
const afterKill = [1, 2, 101, 125, 247, 255]
/** Statuses with which programs report that fork failed: sh, bash (254), EAGAIN, sysexits.h, 128 + SIGABRT. */
const afterRefusal = [1, 2, 11, 71, 75, 134, 254, 255]

const isKilled: Condition = ['oomKills', '>=', 1]
const oomAlone: Condition = ['oomWithoutKill', '>=', 1]
const daemonKilled: Condition = ['oomdKills', '>=', 1]
const failed: Condition = ['failed', '=', 1]
/** Signals that end programs after a failed allocation. */
const onFailedAllocation = [SIGBUS, SIGSEGV, SIGABRT, SIGTRAP, SIGILL]
/** Signals that end run-time systems after a thread could not be created. */
const onFailedThread = [SIGABRT, SIGTRAP, SIGSEGV]

/** Returns one row per end that can follow from an event. */
function likelyFor(
  kind: CauseKind,
  event: Condition,
  end: 'signal' | 'status',
  values: readonly number[],
): DecisionRow[] {
  return values.map((value) => ({ kind, when: [event, [end, '=', value]], likely: true }))
}

/**
 * Rows in this order: actions of hutch, actions of the kernel on the job itself, consequences of a killed child or a refusal, everything
 * else.
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
  // a shell exits with 128 + SIGBUS
  ...likelyFor('oom', oomAlone, 'status', [...afterKill, 128 + SIGBUS]),
  { kind: 'space', when: [['fullSpaces', '>=', 1], failed, ['signal', '=', 0]], likely: true },
  { kind: 'signal', when: [['signal', '>=', 1]] },
  { kind: 'exited', when: [] },
]

/** Returns the row of a limit that slowed the job. */
function slowedBy(limit: HeldLimit, ...when: Condition[]): DecisionRow {
  return { kind: limit === 'cpu.max' ? 'throttled' : 'slowed', when, likely: true, limit }
}

/** All tasks waited for memory in at least 20 percent of the run time. */
const memoryStall: Condition = ['memoryStallPercent', '>=', 20]

/**
 * Limits that slowed a job that timed out or ended late; `exited` means that no limit was found. For a limit that was reached, the share of
 * waiting time is evidence. Without such a limit, the share counts only from 50 percent.
 */
export const heldRows: readonly DecisionRow[] = [
  { kind: 'frozen', when: [['frozen', '>=', 1]], likely: true },
  { kind: 'stopped', when: [['stopped', '>=', 1]], likely: true },
  { kind: 'oom', when: [isKilled], likely: true },
  // a page fault that finds no memory and nothing to kill is tried again without end
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
  // the job's own periods say nothing: it waits for a CPU that its ancestor may not use
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
/** Tasks that cpu.max throttles wait for a CPU, too. */
const unthrottled: Condition = ['throttledPeriods', '=', 0]

/**
 * Events that stopped or slowed a group or a process that has not ended. Every matching row is reported, in this order. A running process
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
  { kind: 'slowed', when: [['cpusetDemandPercent', '>=', 10], unthrottled], likely: true },
  { kind: 'slowed', when: [['cpuStallPercent', '>=', 25], unthrottled], likely: true },
  { kind: 'oom', when: [isKilled, ofOthers] },
  { kind: 'oomd', when: [daemonKilled, ofOthers] },
  { kind: 'oom', when: [oomAlone, ofOthers], likely: true },
]

const nothingReached: Condition = ['limitsReached', '=', 0]
const allRead: Condition = ['unread', '=', 0]

/** The result if no row above matches. The kernel is ruled out only if all relevant figures could be read. */
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

/** Returns the first row whose conditions all hold. The last row of each list has no conditions. */
export function decide(rows: readonly DecisionRow[], facts: Facts): DecisionRow {
  return rows.find(({ when }) => when.every((condition) => holds(facts, condition)))!
}

/** Returns the kinds of all rows whose conditions hold, in their order, each with the figures of its rows. */
export function decideAll(rows: readonly DecisionRow[], facts: Facts): Map<CauseKind, ReadonlySet<FactName>> {
  const found = rows.filter(({ when }) => when.every((condition) => holds(facts, condition)))
  const figuresOf = (of: CauseKind) =>
    found.flatMap(({ kind, when }) => (kind === of ? when.map(([figure]) => figure) : []))
  return new Map(found.map(({ kind }) => [kind, new Set(figuresOf(kind))]))
}

const comparisons = ['>=', '=', '!='] as const

/**
 * Encodes the rows as numbers for compiled files; native/compiled/decide.c reads them. Each row has the kind, the number of its limit
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

/** Returns figures that are all 0, for a job without known facts. */
export function noFacts(): Facts {
  return Object.fromEntries(figureNames.map((name) => [name, 0])) as Facts
}
