// SPDX-License-Identifier: Apache-2.0
// Collects a job's figures at its end. Called by conclude.ts; pure, except that it can call functions that read the
// kernel's log.
import { isFull, memoryKillFile } from '../cgroup/memory.ts'
import { parseRefusedHere, pidsLevelFile } from '../cgroup/pids.ts'
import { type FileTexts, parseFlat } from '../cgroup/stats.ts'
import type { FigurePlace, Program } from '../ops/ops.ts'
import type { Plan } from '../plan/plan.ts'
import { systemConstants } from '../system/constants.ts'
import { parseSize } from '../text/units.ts'
import { fullSpaces, type Space } from './exhausted.ts'
import type { JobLog } from './job-log.ts'
import type { Outcome } from './outcome.ts'
import { figuresOf, type GroupTexts, groupOf, omitUndefined, parseUsage, type Usage } from './usage.ts'

/** A job's end, with all figures that were read. */
export interface Ended {
  plan: Plan
  outcome: Outcome
  /** Texts of the files with figures: read before the start, and after the end. */
  before: GroupTexts
  after: GroupTexts
  /** What the job used. `oomKills` can include kills in a group that the job shared with its caller; see `shared`. */
  usage: Usage
  exitCode: number | null
  /** Number of the signal that ended the command; 0 if no signal did. */
  signal: number
  /** True if the end of the command itself is known, not only the end of its PID 1. */
  stayed: boolean
  failed: boolean
  groupKilled: boolean
  /** True if the OOM kills were counted in a group that also contains other processes. */
  shared: boolean
  full: Space[]
  /** Forks that an ancestor's pids.max refused while the job ran. Other groups below that ancestor are included. */
  refusedAbove?: { directory: string; count: number }
  log?: JobLog
}

const { SIGKILL } = systemConstants.signals
/** Exit status with which a shell reports that SIGKILL ended its command. */
const killedStatus = 128 + SIGKILL

/**
 * Collects a job's figures at its end. Reads the kernel's log only if a kill, or a failure after a refused fork, must
 * be attributed.
 */
export function collectEnd(plan: Plan, program: Program, outcome: Outcome): Ended {
  const { before, after } = splitFigures(plan, program, outcome.figures)
  // without a v2 tree, these are the figures of the cloned process and of all children that it waited for
  const usage: Usage = {
    ...omitUndefined({
      cpuUsec: outcome.userUsec + outcome.systemUsec,
      userUsec: outcome.userUsec,
      systemUsec: outcome.systemUsec,
      maxRss: outcome.maxRss > 0 ? outcome.maxRss * 1024 : undefined,
      voluntarySwitches: outcome.voluntary,
      forcedSwitches: outcome.forced,
    }),
    ...parseUsage(plan, after),
  }
  const stayed = outcome.commandStatus !== -1
  const status = stayed ? outcome.commandStatus : outcome.ownStatus
  const signal = status & 0x7f
  const exitCode = signal === 0 ? status >> 8 : null
  // v1 with oom.group: hutch may have killed the whole group before the kernel killed a process, so the kernel's count stays 0
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

/** v1: returns true if the group has reached its own memory limit. Page cache alone can also cause that. */
export function ownIsFull(plan: Plan, after: GroupTexts): boolean {
  const figures = figuresOf(plan, 'memory', after)
  const write = (file: string) => groupOf(plan, 'memory')?.writes.find((entry) => entry.file === file)
  return isFull(figures, (file) => figures(file) ?? String(parseSize(write(file)?.value)))
}

function asksForGroupKill(plan: Plan): boolean {
  return plan.spec.limits.some((limit) => limit.file === 'memory.oom.group' && limit.value === '1')
}

/** Returns which files the readFile operations of a program read. */
export function figurePlaces({ groups }: Plan, { outer }: Program): FigurePlace[] {
  const wait = outer.findIndex((op) => op.op === 'wait')
  return outer.flatMap((op, step): FigurePlace[] => {
    if (op.op !== 'readFile' && op.op !== 'readIfFailed') return []
    const slash = op.path.lastIndexOf('/')
    const [directory, file] = [op.path.slice(0, slash), op.path.slice(slash + 1)]
    const group = groups.findIndex((one) => one.directory === directory)
    return [{ step, isAfter: step > wait, group, directory, file }]
  })
}

/** Returns the program with the places of its figures, which `collectEnd` needs. */
export function locateFigures(plan: Plan, program: Program): Program {
  return program.places ? program : { ...program, places: figurePlaces(plan, program) }
}

/** Splits the texts that readFile operations read into those from before and from after the wait. A path can be in both. */
function splitFigures(
  plan: Plan,
  program: Program,
  figures: Map<number, string>,
): { before: GroupTexts; after: GroupTexts } {
  const before = new Map<string, { [file: string]: string }>()
  const after = new Map<string, { [file: string]: string }>()
  for (const place of program.places ?? figurePlaces(plan, program)) {
    const text = figures.get(place.step)
    if (text === undefined) continue
    const texts = place.isAfter ? after : before
    const directory = plan.groups[place.group]?.directory ?? place.directory
    const group = texts.get(directory) ?? {}
    group[place.file] = text
    texts.set(directory, group)
  }
  return {
    before: (directory, file) => before.get(directory)?.[file],
    after: (directory, file) => after.get(directory)?.[file],
  }
}

/** Returns the number of OOM kills in the nearest ancestor that counts them, if none of the job's own groups does. */
function killsBeside(plan: Plan, { oomKills }: Usage, before: GroupTexts, after: GroupTexts): number {
  if (oomKills !== undefined) return 0
  const file = memoryKillFile[plan.layout === 'v2' ? 'v2' : 'v1']
  const counting = plan.ancestors.find(({ directory }) => before(directory, file) !== undefined)
  if (!counting) return 0
  const kills = (texts: GroupTexts) => parseFlat(texts(counting.directory, file)).oom_kill ?? 0
  return kills(after) - kills(before)
}

/** v2 since Linux 6.11: returns the nearest ancestor whose own pids.max refused forks while the job ran, and how many. */
function forksRefusedAbove(plan: Plan, before: GroupTexts, after: GroupTexts): Ended['refusedAbove'] | undefined {
  if (plan.layout !== 'v2') return undefined
  for (const { directory } of plan.ancestors) {
    const [then, now] = [before, after].map((texts) => parseRefusedHere(texts(directory, pidsLevelFile)))
    if (now !== undefined && now > (then ?? now)) return { count: now - then!, directory }
  }
  return undefined
}

/** v2: returns the ancestor at whose memory limit memory ran out while the job ran. */
export function oomAbove({ plan, before, after }: Ended): string | undefined {
  const ooms = (texts: GroupTexts, directory: string) => parseFlat(texts(directory, 'memory.events.local')).oom ?? 0
  return plan.ancestors.find(({ directory }) => ooms(after, directory) > ooms(before, directory))?.directory
}

/** Returns a function that reads files of an ancestor group after the job's end. */
export function lateFigures({ outcome }: Ended, directory: string): FileTexts {
  return (file) => outcome.readLate(directory, file)
}
