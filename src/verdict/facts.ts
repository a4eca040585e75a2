// SPDX-License-Identifier: Apache-2.0
// Computes the figures that decide.ts asks for from a job's outcome. Pure, except for the late readers in the outcome.

import { daemonNote, isFull, memoryKillFile, parseMemory } from '../cgroup/memory.ts'
import { parseRefusedHere, pidsLevelFile } from '../cgroup/pids.ts'
import { type FileTexts, parseFlat, parseNumber } from '../cgroup/stats.ts'
import type { Program } from '../ops/ops.ts'
import type { Plan } from '../plan/plan.ts'
import { systemConstants } from '../system/constants.ts'
import { parseSize } from '../text/units.ts'
import { type Facts, noFacts } from './decide.ts'
import { fullSpaces, type Space } from './exhausted.ts'
import { heldFacts } from './held.ts'
import type { JobLog } from './job-log.ts'
import type { Outcome } from './outcome.ts'
import { figuresOf, groupOf, omitUndefined, parseUsage, type Usage } from './usage.ts'

/** A job's end, with all that was read of it. */
export interface Ended {
  plan: Plan
  outcome: Outcome
  /** Files before the start and after the end, by path. */
  before: Map<string, string>
  after: Map<string, string>
  /** `oomKills` also has those of a group that the job shared with its caller. */
  usage: Usage
  exitCode: number | null
  /** Number of the signal that ended it, or 0. */
  signal: number
  /** The command's own end is known, not just that of its PID 1. */
  stayed: boolean
  failed: boolean
  groupKilled: boolean
  /** Its kills were counted in a group that it shares with others. */
  shared: boolean
  full: Space[]
  /** Forks refused by pids.max of a group above while the job ran, in any group below that one. */
  refusedAbove?: { directory: string; count: number }
  log?: JobLog
}

const { SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ } = systemConstants.signals
/** What a shell ends with when its command was killed. */
const killedStatus = 128 + SIGKILL

/** Collects what is known. The kernel's log is read only if a kill or a refused fork has to be attributed. */
export function collectEnd(plan: Plan, program: Program, outcome: Outcome): Ended {
  const { before, after } = splitFigures(program, outcome.figures)
  // without a v2 tree: what the process and all that it waited for used
  const usage: Usage = {
    ...omitUndefined({
      cpuUsec: outcome.userUsec + outcome.systemUsec,
      userUsec: outcome.userUsec,
      systemUsec: outcome.systemUsec,
      maxRss: outcome.maxRss > 0 ? outcome.maxRss * 1024 : undefined,
      voluntarySwitches: outcome.voluntary,
      forcedSwitches: outcome.forced,
    }),
    ...parseUsage(plan, (path) => after.get(path)),
  }
  const stayed = outcome.commandStatus !== -1
  const status = stayed ? outcome.commandStatus : outcome.ownStatus
  const signal = status & 0x7f
  const exitCode = signal === 0 ? status >> 8 : null
  // v1's oom.group: hutch may have killed all of it before the kernel picked one, whose count then stays 0
  const groupKilled = outcome.oomNoticed && asksForGroupKill(plan) && signal === SIGKILL
  const killed = signal === SIGKILL || exitCode === killedStatus
  const beside = killed ? killsBeside(plan, usage, before, after) : 0
  const ended: Ended = {
    plan,
    outcome,
    before,
    after,
    usage: beside > 0 ? { ...usage, oomKills: beside } : usage,
    exitCode,
    signal,
    stayed,
    failed: exitCode !== 0,
    groupKilled,
    shared: beside > 0,
    full: fullSpaces(program, outcome.used),
    ...omitUndefined({ refusedAbove: forksRefusedAbove(plan, before, after) }),
  }
  const kills = (ended.usage.oomKills ?? 0) > 0 || groupKilled
  const log = kills || (ended.refusedAbove && ended.failed) ? outcome.readLog?.(plan) : undefined
  return log ? { ...ended, log } : ended
}

/** Milliseconds between a kill and the end that it caused; 5000. */
const maxDelay = 5000

/** Computes the figures. */
export function computeFacts(ended: Ended): Facts {
  const { plan, outcome, usage, exitCode, signal, failed, full, log } = ended
  const { stopCause } = outcome
  const oomKills = usage.oomKills ?? 0
  const lastKill = log?.kills.at(-1)
  const facts: Facts = {
    ...noFacts(),
    execFailed: Number(outcome.execError !== undefined),
    notInside: Number(outcome.execFailure?.notInside === true),
    aborted: Number(stopCause === 'aborted'),
    outputOver: Number(stopCause === 'output'),
    timedOut: Number(stopCause === 'timeout'),
    // also if it ended by itself, in its extra time or before hutch had looked
    cpuTimeOver: Number(
      stopCause === 'cpu-time' ||
        (plan.spec.cpuTimeMs !== undefined && (usage.cpuUsec ?? 0) > plan.spec.cpuTimeMs * 1000),
    ),
    failed: Number(failed),
    status: exitCode ?? 0,
    signal,
    oomKills,
    lastKillEarlier: Number(lastKill !== undefined && Date.now() - lastKill.at > maxDelay && log!.complete),
    groupKilled: Number(ended.groupKilled),
    oomWithoutKill: Number(oomKills === 0 && ranOut(ended)),
    forksRefused: forksRefused(ended),
    fullSpaces: full.length,
    fullTables: outcome.used.fullTables,
    oomdKills: daemonKills(ended),
    interrupted: Number(isInterrupted(ended)),
    filterKilled: Number(
      plan.filter !== undefined &&
        (signal === systemConstants.signals.SIGSYS || (outcome.filterKilled === true && signal === SIGKILL)),
    ),
    ulimitSignal: Number(signalLimit(ended) !== undefined),
    ...heldFacts(ended),
  }
  return facts
}

/** How often systemd-oomd acted on the job's group, which is new: v2 alone. */
function daemonKills({ plan, after }: Ended): number {
  return parseNumber(figuresOf(plan, 'memory', (path) => after.get(path))(daemonNote)) ?? 0
}

/** The kernel counts this limit in ticks, which may count time that a process did not use. */
const tickShare = 0.8

/** The limit of a process whose signal ended it, as hutch had set it. */
export function signalLimit({ plan, outcome, usage, signal }: Ended): { name: string; value: number } | undefined {
  const find = (name: string) => plan.spec.privileges.ulimits.find((limit) => limit.name === name)
  const [fsize, cpu] = [find('fsize'), find('cpu')]
  if (signal === SIGXFSZ && fsize && fsize.soft >= 0) return { name: 'fsize', value: fsize.soft }
  if (signal === SIGXCPU && cpu && cpu.soft >= 0) return { name: 'cpu', value: cpu.soft }
  // at the hard limit the kernel sends SIGKILL (setrlimit(2))
  const used = (usage.cpuUsec ?? 0) / 1e6
  const atHard = cpu !== undefined && cpu.hard >= 0 && used >= cpu.hard * tickShare
  if (signal === SIGKILL && atHard && !(usage.oomKills ?? 0) && !outcome.sent.has(SIGKILL) && !outcome.stopCause)
    return { name: 'cpu', value: cpu!.hard }
  return undefined
}

/** Ended by a signal that this process sent or passed on, or by a status that stands for it. */
function isInterrupted({ outcome, signal, exitCode, failed }: Ended): boolean {
  const { sent } = outcome
  if (signal > 0) return sent.has(signal)
  if (!failed || exitCode === null) return false
  if (exitCode > 128 && sent.has(exitCode - 128)) return true
  return [SIGINT, SIGTERM, SIGQUIT].some((number) => outcome.forwarded.has(number))
}

/** Memory was out at the job's own limit, and nothing was killed for it. */
function ranOut({ plan, after }: Ended): boolean {
  const figures = figuresOf(plan, 'memory', (path) => after.get(path))
  const { ownOoms } = parseMemory(figures)
  if (ownOoms !== undefined) return ownOoms > 0
  // v1 does not count this: a process that may not be killed, in a group that is full
  return plan.spec.privileges.oomScoreAdj === -1000 && ownIsFull(plan, after)
}

/** v1: whether the group has been at its own limit, which page cache alone can bring it to. */
export function ownIsFull(plan: Plan, after: Map<string, string>): boolean {
  const figures = figuresOf(plan, 'memory', (path) => after.get(path))
  const write = (file: string) => groupOf(plan, 'memory')?.writes.find((entry) => entry.file === file)
  return isFull(figures, (file) => figures(file) ?? String(parseSize(write(file)?.value)))
}

/** Refused forks of the job itself. A count of a group above is evidence only together with the kernel's log. */
function forksRefused({ usage, refusedAbove, log }: Ended): number {
  const own = usage.pidsDenied ?? 0
  return own > 0 || !refusedAbove || !log?.refusedFork ? own : refusedAbove.count
}

function asksForGroupKill(plan: Plan): boolean {
  return plan.spec.limits.some((limit) => limit.file === 'memory.oom.group' && limit.value === '1')
}

/** readFile ops before the wait and after it: the same paths may stand in both. */
function splitFigures(
  program: Program,
  figures: Map<number, string>,
): { before: Map<string, string>; after: Map<string, string> } {
  const before = new Map<string, string>()
  const after = new Map<string, string>()
  const wait = program.outer.findIndex((op) => op.op === 'wait')
  for (const [step, text] of figures) {
    const op = program.outer[step]
    if (op?.op === 'readFile' || op?.op === 'readIfFailed') (step < wait ? before : after).set(op.path, text)
  }
  return { before, after }
}

/** Processes that were killed for memory in the nearest group that counts, when the job has no group that does. */
function killsBeside(plan: Plan, { oomKills }: Usage, before: Map<string, string>, after: Map<string, string>): number {
  if (oomKills !== undefined) return 0
  const file = memoryKillFile[plan.layout === 'v2' ? 'v2' : 'v1']
  const counting = plan.ancestors.find(({ directory }) => before.has(`${directory}/${file}`))
  if (!counting) return 0
  const kills = (texts: Map<string, string>) => parseFlat(texts.get(`${counting.directory}/${file}`)).oom_kill ?? 0
  return kills(after) - kills(before)
}

/** From Linux 6.11 on, on v2: the nearest group above whose own limit refused forks while the job ran. */
function forksRefusedAbove(
  plan: Plan,
  before: Map<string, string>,
  after: Map<string, string>,
): Ended['refusedAbove'] | undefined {
  for (const { directory } of plan.ancestors) {
    const [then, now] = [before, after].map((texts) => parseRefusedHere(texts.get(`${directory}/${pidsLevelFile}`)))
    if (now !== undefined && now > (then ?? now)) return { count: now - then!, directory }
  }
  return undefined
}

/** The v2 group above whose count of out-of-memory situations grew while the job ran. */
export function oomAbove({ plan, before, after }: Ended): string | undefined {
  const ooms = (texts: Map<string, string>, directory: string) =>
    parseFlat(texts.get(`${directory}/memory.events.local`)).oom ?? 0
  return plan.ancestors.find(({ directory }) => ooms(after, directory) > ooms(before, directory))?.directory
}

/** Reads a group above the job as it is now. */
export function lateFigures({ outcome }: Ended, directory: string): FileTexts {
  return (file) => outcome.readLate(directory, file)
}
