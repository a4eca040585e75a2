// SPDX-License-Identifier: Apache-2.0
// What stopped it, in plain words, from the kernel's figures alone: pure.
import {
  describeForks,
  describeForksAbove,
  describeKills,
  describeLevel,
  type Line,
  memoryLine,
  type OomLevel,
  pidsLine,
  quotaLine,
  suggestMemory,
} from '../cgroup/diagnosis.ts'
import { quote } from '../errors.ts'
import type { Plan } from '../plan/plan.ts'
import { seccompOrigin } from '../plan/seccomp-option.ts'
import { shellWord } from '../quote.ts'
import { formatDuration, formatSize } from '../units.ts'
import type { Reason, Verdict } from './result.ts'
import type { Usage } from './usage.ts'
import { endedByLimit, type Space, spaceLines, tableLine, type Used, usedUpRemedy } from './used-up.ts'

/** All that a verdict is drawn from. */
export interface Evidence {
  reason: Reason
  exitCode: number | null
  signal: string | null
  signalFrom?: 'inside' | 'outside' | 'unknown'
  usage: Usage
  oomLevel?: OomLevel
  /** Forks that pids.max of a group above refused while it ran; where the kernel does not count by level, which group is not known. */
  forksAbove?: { count: number; directory?: string }
  /** SIGKILL had to follow. */
  killed: boolean
  /** The stream that was longer than it may be. */
  overflowed?: 'stdout' | 'stderr'
  durationMs: number
  /** File systems that were full. */
  full?: readonly Space[]
  tables?: Used
  /** exec's errno. */
  execError?: string
  /** exec answered ENOENT, but the file is there. */
  interpreterMissing?: boolean
  /** A listener ended the process for a call. */
  filterKilled?: boolean
}

/** The words for it. */
export function makeVerdict(plan: Plan, evidence: Evidence): Verdict {
  const { reason } = evidence
  const words = headlines[reason](plan, evidence)
  const ran = evidence.execError === undefined
  const lines = ran ? figureLines(plan, evidence) : []
  const { oomLevel, forksAbove } = evidence
  const level =
    oomLevel ??
    (forksAbove && {
      whose: 'ancestor' as const,
      directory: forksAbove.directory ?? 'this kernel does not tell which',
    })
  const whose = level ? [['whose limit', describeLevel(level)] as Line] : []
  return {
    headline: words.headline,
    evidence: [...(words.evidence ?? []), ...lines, ...whose],
    ...(words.remedy && { remedy: words.remedy }),
  }
}

/** Whether something was stopped, so that a user should hear of it. */
export function isWorthTelling(reason: Reason, usage: Usage): boolean {
  return reason !== 'exit' || (usage.oomKills ?? 0) > 0 || (usage.pidsDenied ?? 0) > 0
}

type Words = { headline: string; evidence?: [string, string][]; remedy?: string }

const headlines: { [R in Reason]: (plan: Plan, e: Evidence) => Words } = {
  oom: (plan, e) => ({
    headline: describeKills(e.usage.oomKills ?? 0, nameOf(plan), e.oomLevel),
    remedy: oomRemedy(plan, e),
  }),
  pids: (plan, e) => ({
    headline: e.forksAbove
      ? describeForksAbove(e.forksAbove.count, nameOf(plan), e.forksAbove.directory)
      : describeForks(e.usage.pidsDenied ?? 0, nameOf(plan)),
    remedy: pidsRemedy(plan, e),
  }),
  space: (plan, e) => ({
    headline: `${nameOf(plan)} ended with status ${e.exitCode}, and ${e.full![0]!.target} was full`,
    remedy: usedUpRemedy(plan, e.full!)!,
  }),
  timeout: (plan, e) => ({
    headline: `timed out after ${formatDuration(plan.spec.timeoutMs)}: ${stopped(plan, e)}`,
    remedy:
      heldUp(plan, e) ?? `raise ${plan.spec.door === 'cli' ? '--timeout' : 'timeout'}, or look at what it waits for`,
  }),
  'cpu-time': (plan, e) => ({
    headline: `used more than ${formatDuration(plan.spec.cpuTimeMs ?? 0)} of CPU time: ${nameOf(plan)} ${e.signal === null ? 'ended by itself later' : 'was killed'}`,
    evidence: cpuTimeLine(plan, e),
    remedy: `raise ${plan.spec.door === 'cli' ? '--cpu-time' : 'cpuTime'}, or look at what it computes`,
  }),
  output: (plan, e) => ({
    headline: `wrote more than ${formatSize(plan.spec.maxOutput ?? 0)} to ${e.overflowed ?? 'stdout'}: ${nameOf(plan)} ${e.signal === null ? 'had ended by then' : 'was killed'}`,
    remedy: `raise ${plan.spec.door === 'cli' ? '--max-output' : 'maxOutput'}, or see what it prints`,
  }),
  aborted: (plan, e) => ({
    headline: `stopped by its caller after ${formatDuration(e.durationMs)}: ${stopped(plan, e)}`,
  }),
  signal: (plan, e) =>
    killedByFilter(plan, e) ??
    endedByLimit(plan, e.signal, nameOf(plan)) ?? {
      headline: `${nameOf(plan)} was ended by ${e.signal}, ${signalOrigin(e)}`,
      remedy:
        e.signalFrom === 'inside'
          ? 'this is a fault of the program, or its own wish'
          : 'see who may send signals to it',
    },
  'not-found': (plan) => ({
    headline: `cannot run ${quote(plan.argv[0]!)}: no such program (ENOENT)`,
    ...(plan.argv[0]!.includes('/')
      ? {
          remedy: plan.spec.root
            ? 'give a path that is there inside, or bring it in: --volume'
            : 'give a path that is there',
        }
      : { evidence: [['looked in', plan.searchPath]], remedy: 'give its path, or set PATH with --env' }),
  }),
  'not-executable': (plan, e) => ({
    headline: e.interpreterMissing
      ? `cannot run ${quote(plan.argv[0]!)}: the interpreter that it names is missing (${e.execError})`
      : `cannot run ${quote(plan.argv[0]!)}: it is not an executable program (${e.execError})`,
    remedy:
      plan.spec.landlock && e.execError === 'EACCES'
        ? 'let it be executed, and its interpreter and libraries be read, each mount by itself: --landlock /usr:rx --landlock /lib:rx --landlock /lib64:rx'
        : e.execError === 'ENOEXEC'
          ? 'start a script with a line such as #!/bin/sh; a program may be for another kind of processor, or cut off: file(1) tells'
          : e.interpreterMissing
            ? 'install its interpreter, or mend the first line'
            : 'chmod +x it, or run it through its interpreter; a directory, and what lies on a noexec mount, cannot be run',
  }),
  exit: (plan, e) => ({
    headline: `${nameOf(plan)} ended with status ${e.exitCode} after ${formatDuration(e.durationMs)}`,
  }),
}

/** Nothing else ends a program by SIGSYS but one that sends it to itself. */
function killedByFilter({ filter, ...plan }: Plan, e: Evidence): Words | undefined {
  if (!filter || (e.signal !== 'SIGSYS' && !(e.filterKilled && e.signal === 'SIGKILL'))) return undefined
  const { door, seccomp } = plan.spec
  const flag = door === 'cli' ? '--seccomp' : 'seccomp'
  return {
    headline: `${nameOf(plan)} was killed by seccomp: it made a system call that its profile ends it for`,
    ...(seccomp && { evidence: [['profile', seccompOrigin(seccomp, door)]] }),
    remedy: `allow the call in the profile, or give it another one: ${flag} default, or none`,
  }
}

function pidsRemedy({ spec, groups }: Plan, { forksAbove }: Evidence): string {
  if (forksAbove?.directory) return `raise pids.max of ${forksAbove.directory}, or run elsewhere with --parent`
  if (forksAbove) {
    const parent = (groups.find(({ controller }) => controller === 'pids') ?? groups[0])?.parent
    return `raise pids.max of the group above it that is full, or run elsewhere with --parent; hutch why ${shellWord(parent ?? '/')} tells which`
  }
  return `raise ${spec.door === 'cli' ? '--pids' : 'limits.pids'}: processes and threads count, and hutch's PID 1`
}

/** A program whose time was up may have tried the same again and again. */
function heldUp(plan: Plan, e: Evidence): string | undefined {
  if ((e.usage.oomKills ?? 0) > 0) return oomRemedy(plan, e)
  if ((e.usage.pidsDenied ?? 0) > 0 || e.forksAbove) return pidsRemedy(plan, e)
  return e.tables && usedUpRemedy(plan, e.full ?? [], e.tables)
}

function nameOf(plan: Plan): string {
  return quote(plan.argv[0]!.slice(plan.argv[0]!.lastIndexOf('/') + 1) || plan.argv[0])
}

function oomRemedy(plan: Plan, e: Evidence): string {
  if (e.oomLevel?.whose === 'host') return 'free memory on this host, or limit the others'
  if (e.oomLevel?.whose === 'ancestor')
    return `raise the limit of ${e.oomLevel.directory}, or run elsewhere with --parent`
  if (plan.spec.door === 'library') return 'raise limits.memory'
  const limit = plan.spec.limits.find((one) => one.file === 'memory.max')
  const more = limit ? ` --memory ${suggestMemory(Number(limit.value))}` : ''
  return `raise --memory, or see where the memory goes: hutch run${more} --verbose …`
}

function stopped(plan: Plan, e: Evidence): string {
  if (e.killed)
    return `${nameOf(plan)} did not end at SIGTERM and was killed ${formatDuration(plan.spec.killAfterMs)} later`
  return `${nameOf(plan)} ended at SIGTERM`
}

function signalOrigin(e: Evidence): string {
  if (e.signalFrom === 'inside') return 'from inside'
  return e.signalFrom === 'outside' ? 'from outside' : 'from inside or outside: the kernel does not tell'
}

function limitOf(plan: Plan, file: string): string | undefined {
  return plan.spec.limits.find((limit) => limit.file === file)?.value
}

/** Wall time beside it: they differ by what it waited, and by how many CPUs it had. */
function cpuTimeLine(plan: Plan, { usage, durationMs }: Evidence): [string, string][] {
  const { cpuTimeMs = 0, extraTimeMs } = plan.spec
  const part = (usec: number | undefined, word: string) =>
    usec !== undefined && `${word} ${formatDuration(usec / 1000)}`
  const parts = [
    `limit ${formatDuration(cpuTimeMs)}`,
    extraTimeMs !== undefined && `extra ${formatDuration(extraTimeMs)}`,
    part(usage.cpuUsec, 'used'),
    part(usage.userUsec, 'user'),
    part(usage.systemUsec, 'system'),
    `wall ${formatDuration(durationMs)}`,
  ]
  return [['cpu time', parts.filter(Boolean).join('   ')]]
}

/** Where there is something to tell: a peak or a limit, and refusals and waits under a limit. */
function figureLines(plan: Plan, { usage, full, tables }: Evidence): Line[] {
  const [memory, pids, cpu] = ['memory.max', 'pids.max', 'cpu.max'].map((file) => limitOf(plan, file))
  const {
    memoryPeak: peak,
    memoryLimitHits: hits,
    oomKills: kills,
    periods,
    throttledPeriods = 0,
    throttledUsec,
  } = usage
  const lines: Line[] = []
  if (peak !== undefined || memory !== undefined) lines.push(memoryLine(memory, { peak, hits, kills }))
  if (pids !== undefined) lines.push(pidsLine(pids, { peak: usage.pidsPeak, denied: usage.pidsDenied }))
  lines.push(...spaceLines(full ?? []), ...(tables ? tableLine(tables) : []))
  if (cpu !== undefined && periods) lines.push(quotaLine(cpu, { periods, throttledPeriods, throttledUsec }))
  return lines
}
