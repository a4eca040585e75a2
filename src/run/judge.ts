// SPDX-License-Identifier: Apache-2.0
// From raw outcome to Result: which reason holds, whose limit it was, where a signal came from. Pure.
import { constants } from 'node:os'
import type { OomLevel } from '../cgroup/diagnosis.ts'
import { readGroupFile } from '../cgroup/files.ts'
import { isFull, memoryKillFile, parseMemory } from '../cgroup/memory.ts'
import { parseRefusedHere, pidsLevelFile } from '../cgroup/pids.ts'
import { type Figures, parseFlat } from '../cgroup/stats.ts'
import { outerOwner } from '../plan/outer-limits.ts'
import type { Plan } from '../plan/plan.ts'
import type { Program } from '../program/ops.ts'
import { parseSize } from '../units.ts'
import type { JobEvent, Reason, Result } from './result.ts'
import { judgeStatus } from './status.ts'
import { figuresOf, groupOf, parseUsage, without } from './usage.ts'
import { fullSpaces, type Used } from './used-up.ts'
import { type Evidence, makeVerdict } from './verdict.ts'

/** What the kernel and hutch-init said of a job that is over. */
export interface Outcome {
  durationMs: number
  /** Wait status of the command as hutch-init told it, -1 if it did not. */
  commandStatus: number
  /** Wait status of the process that was cloned. */
  ownStatus: number
  /** exec's errno by name. */
  execError?: string
  interpreterMissing?: boolean
  /** Why hutch stopped it. */
  stopCause?: 'timeout' | 'aborted' | 'cpu-time' | 'output'
  /** The stream that was longer than it may be. */
  overflowed?: 'stdout' | 'stderr'
  killed: boolean
  /** A call was refused in a way that ends the process. */
  filterKilled?: boolean
  /** v1: the kernel told of an out-of-memory situation. */
  oomNoticed: boolean
  /** A signal that this process sent to it. */
  sent: Set<number>
  userUsec: number
  systemUsec: number
  /** KiB; 0 when nobody told. */
  maxRss: number
  /** Context switches. */
  voluntary: number
  forced: number
  /** Outer step → text. */
  figures: Map<number, string>
  /** What it had used up at its end, or when it was stopped. */
  used: Used
  events: JobEvent[]
  /** Reads a kernel file of a group above the job's, after the end and only for a job that needs it. */
  readLate: (directory: string, file: string) => string | undefined
}

/** Of a job of which nothing is known yet. */
export function noOutcome(sent: Set<number>): Outcome {
  return {
    durationMs: 0,
    commandStatus: -1,
    ownStatus: 0,
    killed: false,
    oomNoticed: false,
    sent,
    userUsec: 0,
    systemUsec: 0,
    maxRss: 0,
    voluntary: 0,
    forced: 0,
    figures: new Map(),
    used: { fullSpaces: 0, fullTables: 0, tableLimit: 0 },
    events: [],
    readLate: readGroupFile,
  }
}

/** Signals that a program brings on itself: a fault, an abort, a write nobody reads. */
const ownFaults = new Set([
  'SIGSEGV',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
  'SIGABRT',
  'SIGSYS',
  'SIGTRAP',
  'SIGPIPE',
  'SIGXCPU',
  'SIGXFSZ',
])

/** Also when it ended by itself, before hutch had seen it or in its extra time: the limit was passed. */
const limitStatus: { [reason in Reason]?: number } = {
  timeout: 124,
  'cpu-time': 124,
  output: 128 + constants.signals.SIGKILL,
}

/** What a shell ends with when its command was killed. */
const killedStatus = 128 + constants.signals.SIGKILL

/** Draws the conclusion. */
export function judge(plan: Plan, program: Program, outcome: Outcome): Result {
  const { before, after } = splitFigures(program, outcome.figures)
  const read = (path: string) => after.get(path)
  const measured = parseUsage(plan, read)
  // without a v2 tree: what the process and all that it waited for used
  const usage = {
    ...without({
      cpuUsec: outcome.userUsec + outcome.systemUsec,
      userUsec: outcome.userUsec,
      systemUsec: outcome.systemUsec,
      maxRss: outcome.maxRss > 0 ? outcome.maxRss * 1024 : undefined,
      voluntarySwitches: outcome.voluntary,
      forcedSwitches: outcome.forced,
    }),
    ...measured,
  }
  const stayed = outcome.commandStatus !== -1
  const status = stayed ? outcome.commandStatus : outcome.ownStatus
  const number = status & 0x7f
  const signal = number === 0 ? null : (signalName(number) ?? `signal ${number}`)
  const exitCode = number === 0 ? status >> 8 : null
  const failed = signal !== null || exitCode !== 0
  // v1's oom.group: hutch may have killed all of it before the kernel picked one, whose count then stays 0
  const groupKilled = outcome.oomNoticed && asksForGroupKill(plan) && signal === 'SIGKILL'
  // without figures of its own: the kernel killed in the group that it shares with its caller
  const shared = signal === 'SIGKILL' || exitCode === killedStatus ? killsBeside(plan, usage, before, after) : 0
  const oomed = (usage.oomKills ?? 0) > 0 || groupKilled || shared > 0
  const full = fullSpaces(program, outcome.used)
  const forks = forksAbove(plan, usage, before, after)
  const reason = pickReason(plan, outcome, usage, failed, signal, oomed, full.length > 0, forks !== undefined)
  const from = signal === null ? undefined : signalFrom(plan, outcome, signal, number, stayed)
  const level = oomed ? oomLevel(plan, before, after, outcome.readLate) : undefined
  const evidence: Evidence = {
    reason,
    exitCode,
    signal,
    usage: shared > 0 ? { ...usage, oomKills: shared } : usage,
    killed: outcome.killed,
    ...(outcome.overflowed && { overflowed: outcome.overflowed }),
    durationMs: outcome.durationMs,
    full,
    tables: outcome.used,
    ...without({
      signalFrom: from,
      oomLevel: level,
      forksAbove: forks,
      execError: outcome.execError,
      interpreterMissing: outcome.interpreterMissing,
      filterKilled: outcome.filterKilled,
    }),
  }
  const execStatus = reason === 'not-found' ? 127 : reason === 'not-executable' ? 126 : undefined
  const path = groupOf(plan, 'memory')?.directory ?? plan.groups[0]?.directory
  return {
    command: plan.argv,
    exitCode: execStatus ?? exitCode,
    signal,
    ...(from && { signalFrom: from }),
    reason,
    judge: judgeStatus({ reason, exitCode, signal }),
    status: execStatus ?? limitStatus[reason] ?? exitCode ?? 128 + number,
    durationMs: outcome.durationMs,
    limits: Object.fromEntries(
      plan.spec.limits.map(({ file, value }) => [file, /^\d{1,15}$/.test(value) ? Number(value) : value]),
    ),
    usage,
    events: closeEvents(outcome, usage),
    cgroup: { layout: plan.layout, ...(path && { path }) },
    verdict: makeVerdict(plan, evidence),
  }
}

function pickReason(
  plan: Plan,
  outcome: Outcome,
  usage: Result['usage'],
  failed: boolean,
  signal: string | null,
  oomed: boolean,
  filled: boolean,
  refused: boolean,
): Reason {
  if (outcome.execError)
    return outcome.execError === 'ENOENT' && !outcome.interpreterMissing ? 'not-found' : 'not-executable'
  if (outcome.stopCause) return outcome.stopCause
  // it ended by itself, in the extra time or before anyone had looked
  if (plan.spec.cpuTimeMs !== undefined && (usage.cpuUsec ?? 0) > plan.spec.cpuTimeMs * 1000) return 'cpu-time'
  if (oomed && failed) return 'oom'
  if (((usage.pidsDenied ?? 0) > 0 || refused) && failed) return 'pids'
  if (filled && failed && signal === null) return 'space'
  return signal === null ? 'exit' : 'signal'
}

function asksForGroupKill(plan: Plan): boolean {
  return plan.spec.limits.some((limit) => limit.file === 'memory.oom.group' && limit.value === '1')
}

function signalFrom(
  plan: Plan,
  outcome: Outcome,
  signal: string,
  number: number,
  stayed: boolean,
): 'inside' | 'outside' | 'unknown' {
  if (outcome.sent.has(number) || outcome.stopCause) return 'outside'
  if (ownFaults.has(signal)) return 'inside'
  // nobody inside can kill PID 1 of a pid namespace (pid_namespaces(7))
  return !stayed && plan.isolate.includes('pid') ? 'outside' : 'unknown'
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
    if (op?.op === 'readFile') (step < wait ? before : after).set(op.path, text)
  }
  return { before, after }
}

/** The level whose own count of out-of-memory situations grew: the job's, one above it, or none of them and so the host's. */
function oomLevel(
  plan: Plan,
  before: Map<string, string>,
  after: Map<string, string>,
  readLate: Outcome['readLate'],
): OomLevel {
  const figures = figuresOf(plan, 'memory', (path) => after.get(path))
  const write = (file: string) => groupOf(plan, 'memory')?.writes.find((one) => one.file === file)
  if (parseMemory(figures).ownOoms ?? isFull(figures, (file) => String(parseSize(write(file)?.value)))) {
    const directory = outerOwner(write('memory.max'), plan.outer)
    return directory === undefined ? { whose: 'own' } : { whose: 'ancestor', directory }
  }
  for (const { controller, directory } of plan.ancestors) {
    const level =
      (texts: Map<string, string>): Figures =>
      (file) =>
        texts.get(`${directory}/${file}`)
    const ooms = (texts: Map<string, string>) => parseFlat(level(texts)('memory.events.local')).oom ?? 0
    const full = controller === '' ? ooms(after) > ooms(before) : isFull((file) => readLate(directory, file))
    if (full) return { whose: 'ancestor', directory }
  }
  return { whose: 'host' }
}

/** Processes that were killed for memory in the nearest group that counts, when the job has no group that does. */
function killsBeside(
  plan: Plan,
  { oomKills }: Result['usage'],
  before: Map<string, string>,
  after: Map<string, string>,
): number {
  if (oomKills !== undefined) return 0
  const file = memoryKillFile[plan.layout === 'v2' ? 'v2' : 'v1']
  const counting = plan.ancestors.find(({ directory }) => before.has(`${directory}/${file}`))
  if (!counting) return 0
  const kills = (texts: Map<string, string>) => parseFlat(texts.get(`${counting.directory}/${file}`)).oom_kill ?? 0
  return kills(after) - kills(before)
}

/**
 * Forks that pids.max of a group above refused: from Linux 6.11 on such a group counts them itself, whoever below it asked. Before, and on
 * v1, they count as the job's own, and a job that never had as many tasks as it may have was refused by another's limit.
 */
function forksAbove(
  plan: Plan,
  { pidsDenied = 0, pidsPeak }: Result['usage'],
  before: Map<string, string>,
  after: Map<string, string>,
): Evidence['forksAbove'] {
  for (const { directory } of plan.ancestors) {
    const [then, now] = [before, after].map((texts) => parseRefusedHere(texts.get(`${directory}/${pidsLevelFile}`)))
    if (now !== undefined && now > (then ?? now)) return { count: now - then!, directory }
  }
  const own = Number(plan.spec.limits.find((limit) => limit.file === 'pids.max')?.value)
  const reached = pidsPeak === undefined ? own > 0 : pidsPeak >= own
  const outer = outerOwner(
    groupOf(plan, 'pids')?.writes.find(({ file }) => file === 'pids.max'),
    plan.outer,
  )
  if (pidsDenied > 0 && outer !== undefined) return { count: pidsDenied, directory: outer }
  return pidsDenied > 0 && !reached ? { count: pidsDenied } : undefined
}

/** What the last figures know and no notice told in time. */
function closeEvents(outcome: Outcome, usage: Result['usage']): JobEvent[] {
  const last = (kind: JobEvent['kind']) => outcome.events.filter((event) => event.kind === kind).at(-1)?.count ?? 0
  const events = [...outcome.events]
  if ((usage.oomKills ?? 0) > last('oom-kill'))
    events.push({ at: outcome.durationMs, kind: 'oom-kill', count: usage.oomKills! })
  if ((usage.pidsDenied ?? 0) > last('pids-denied'))
    events.push({ at: outcome.durationMs, kind: 'pids-denied', count: usage.pidsDenied! })
  return events
}

/** SIGKILL for 9. */
export function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
}
