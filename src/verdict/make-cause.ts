// SPDX-License-Identifier: Apache-2.0
// Turns a job's end into its Cause: the kind that decide.ts chose, with limit, counts, victims, side events and
// remedies. Called by conclude.ts; pure, except that ancestors' files and the log can be read.

import { parseOwnOoms } from '../cgroup/memory.ts'
import type { KernelKill } from '../host/kernel-record.ts'
import { seccompOrigin } from '../options/seccomp-option.ts'
import type { Plan } from '../plan/plan.ts'
import { systemConstants } from '../system/constants.ts'
import { signalName } from '../system/signals.ts'
import { reasonWouldTell } from './attribute.ts'
import type {
  Cause,
  CauseCounts,
  CauseKind,
  CauseLimit,
  CauseVictim,
  Confidence,
  Figure,
  JobEnd,
  MemoryUse,
  SideEvent,
} from './cause.ts'
import type { Ended } from './collect-end.ts'
import { type DecisionRow, decide, endRows, type Facts } from './decide.ts'
import { computeFacts, ranOut, signalLimit } from './facts.ts'
import { decideHeld, heldDetail, heldFigure, isStoppedForTime } from './held.ts'
import { type Attributed, attributeForks, attributeMemory, lowestAbove, ownLimit } from './limits.ts'
import { measuringLimit } from './memory-need.ts'
import { possibleFigures } from './possible.ts'
import { makeRemedies } from './remedies.ts'
import { figuresOf, omitUndefined } from './usage.ts'

/** Returns the cause of a job's end. */
export function makeCause(ended: Ended): Cause {
  const { plan, outcome } = ended
  const facts = computeFacts(ended)
  const row = decide(endRows, facts)
  const held = facts.execFailed ? undefined : decideHeld(facts, row.kind)
  const happened = detail[row.kind]?.(ended) ?? {}
  const kind = ofHost(row.kind, happened.limit)
  const [command = ''] = plan.argv
  const cause: Cause = {
    kind,
    command,
    ...omitUndefined({ limit: happened.limit, counts: happened.counts, peak: happened.peak }),
    ...omitUndefined({ victims: happened.victims, memoryUse: happened.memoryUse }),
    end: endOf(ended, row.kind),
    durationMs: outcome.durationMs,
    ...(outcome.killed &&
      (row.kind === 'timeout' || row.kind === 'aborted') && { killedAfterMs: plan.spec.killAfterMs }),
    ...((row.kind === 'timeout' || row.kind === 'aborted') && stopSignalOf(plan)),
    ...(row.kind === 'interrupted' && {
      passedOn: [...outcome.sent].map((number) => signalName(number) ?? `signal ${number}`),
    }),
    ...omitUndefined({
      stream: outcome.overflowed,
      errno: outcome.execError,
      interpreterMissing: outcome.interpreterMissing,
    }),
    sideEvents: sideEvents(ended, facts, row.kind, held),
    ...surety(row.likely ? 'likely' : 'certain', happened),
    remedies: [],
    evidence: outcome.execError === undefined ? evidenceOf(ended, row.kind, held) : searched(ended),
  }
  const measuring = (limit: number, group?: string) =>
    measuringLimit(limit, outcome.spareMemory(), lowestAbove(ended, group))
  return { ...cause, remedies: outcome.execFailure?.remedies ?? makeRemedies(cause, plan, measuring) }
}

/** Returns `host-oom` instead of `oom` if the memory of the whole host ran out. */
function ofHost(kind: CauseKind, limit: CauseLimit | undefined): CauseKind {
  return kind === 'oom' && limit?.level === 'host' ? 'host-oom' : kind
}

interface Detail extends Partial<Attributed> {
  counts?: CauseCounts
  peak?: number
  victims?: CauseVictim[]
  memoryUse?: MemoryUse
}

/** Returns the lower of two confidences: of the row, and of the decision on whose limit it was. */
function surety(
  row: Confidence,
  { confidence = 'certain', wouldTell }: Detail,
): Pick<Cause, 'confidence' | 'wouldTell'> {
  const order: Confidence[] = ['certain', 'likely', 'unknown']
  const lowest = order[Math.max(order.indexOf(row), order.indexOf(confidence))]!
  return { confidence: lowest, ...(lowest !== 'certain' && wouldTell !== undefined && { wouldTell }) }
}

const detail: { [K in CauseKind]?: (ended: Ended) => Detail } = {
  oom: (ended) => {
    const { usage, log, plan, after } = ended
    const ownOoms = parseOwnOoms(figuresOf(plan, 'memory', after))
    const level = attributeMemory(ended)
    return {
      ...level,
      counts: omitUndefined({
        oomKills: usage.oomKills,
        // v1 does not count how often memory ran out
        ooms: ownOoms ?? (ranOut(ended) ? 1 : undefined),
        limitHits: usage.memoryLimitHits,
      }) as CauseCounts,
      ...omitUndefined({ peak: level.limit.level === 'own' ? usage.memoryPeak : undefined }),
      ...(log && log.kills.length > 0 && { victims: log.kills.map(makeVictim) }),
      ...omitUndefined({ memoryUse: log?.kills.findLast(({ use }) => use)?.use }),
    }
  },
  'fork-refused': (ended) => {
    const { usage, refusedAbove } = ended
    const level = attributeForks(ended)
    const refused = (usage.pidsDenied ?? 0) || (refusedAbove?.count ?? 0)
    return {
      wouldTell: reasonWouldTell,
      ...level,
      counts: { forksRefused: refused },
      ...omitUndefined({ peak: level.limit.level === 'own' ? usage.pidsPeak : undefined }),
    }
  },
  timeout: ({ plan }) => ({ limit: { file: 'timeout', value: plan.spec.timeoutMs } }),
  'cpu-time': ({ plan, usage }) => ({
    limit: { file: 'cpuTime', value: plan.spec.cpuTimeMs ?? 0 },
    ...omitUndefined({ peak: usage.cpuUsec }),
  }),
  output: ({ plan }) => ({ limit: { file: 'maxOutput', value: plan.spec.maxOutput ?? 0 } }),
  space: ({ full }) => ({ limit: { file: 'size', group: full[0]!.target } }),
  descriptors: ({ outcome: { used } }) => ({
    limit: { file: 'RLIMIT_NOFILE', value: used.tableLimit },
    counts: { fullTables: used.fullTables },
  }),
  frozen: ({ plan }) => ({ limit: { file: 'cgroup.freeze', ...omitUndefined({ group: plan.groups[0]?.directory }) } }),
  stopped: ({ outcome: { used } }) => ({ counts: { stoppedProcesses: used.stoppedProcesses ?? 0 } }),
  ulimit: (ended) => {
    const { name, value } = signalLimit(ended)!
    const sure = ended.signal !== systemConstants.signals.SIGKILL
    return {
      limit: { file: `RLIMIT_${name.toUpperCase()}`, value },
      confidence: sure ? 'certain' : 'likely',
      ...(!sure && {
        wouldTell:
          'the kernel does not record the sender of SIGKILL; with a soft limit below the hard one it sends SIGXCPU first',
      }),
    }
  },
  throttled: (ended) => ({ limit: ownLimit(ended, 'cpu.max'), counts: throttling(ended) }),
  oomd: () => ({
    confidence: 'likely',
    wouldTell: 'the journal of systemd-oomd, which names the groups that it killed',
  }),
  signal: (ended) => (senderOf(ended) === 'unknown' ? unknownSender : {}),
}

/** The confidence and its reason, for a signal that any process may have sent. */
export const unknownSender = {
  confidence: 'unknown',
  wouldTell: 'auditd can record who sends signals: auditctl -a always,exit -S kill',
} as const

function makeVictim({ pid, name, anon, file, shmem, virtual }: KernelKill): CauseVictim {
  return { pid, name, anon, file, shmem, virtual }
}

function throttling({ usage: { periods, throttledPeriods, throttledUsec, cpuUsec } }: Ended): CauseCounts {
  return omitUndefined({ periods, throttledPeriods, throttledUsec, cpuUsec }) as CauseCounts
}

function endOf(ended: Ended, kind: CauseKind): JobEnd {
  const { exitCode, signal, outcome } = ended
  if (outcome.execError !== undefined || outcome.notBegun) return { status: null, signal: null }
  if (signal === 0) return { status: exitCode, signal: null }
  const name = signalName(signal) ?? `signal ${signal}`
  return {
    status: null,
    signal: name,
    from:
      kind === 'oom' || kind === 'ulimit' || kind === 'filter'
        ? 'kernel'
        : kind === 'oomd'
          ? 'outside'
          : senderOf(ended),
  }
}

/** Signals that a program usually causes itself: by a fault, an abort, or a write to a closed pipe. */
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

/** Returns true if this is a signal that a program usually causes itself. */
export function isOwnFault(signal: string): boolean {
  return ownFaults.has(signal)
}

/** Returns who sent the signal that ended the job. */
export function senderOf({ plan, outcome, signal, stayed }: Ended): NonNullable<JobEnd['from']> {
  if (outcome.stopCause) return 'hutch'
  if (outcome.sent.has(signal)) return 'caller'
  if (ownFaults.has(signalName(signal) ?? '')) return 'inside'
  // processes in a pid namespace cannot kill its PID 1, so an outside process did (pid_namespaces(7))
  return !stayed && plan.isolate.includes('pid') ? 'outside' : 'unknown'
}

/** Returns events that did not end the job: kills and refusals that the job survived, and limits that slowed it. */
function sideEvents(ended: Ended, facts: Facts, kind: CauseKind, held: DecisionRow | undefined): SideEvent[] {
  if (facts.execFailed) return []
  const event = (of: CauseKind, row?: DecisionRow): SideEvent => {
    const found: Detail = row?.limit && of === 'slowed' ? heldDetail(ended, row.limit) : detail[of]!(ended)
    const { limit, counts, victims, confidence = 'certain' } = found
    return {
      kind: ofHost(of, limit),
      ...omitUndefined({ limit, counts, victims }),
      confidence: row ? 'likely' : confidence,
    }
  }
  const isReason = isStoppedForTime(kind)
  const events = held && isReason ? [event(held.kind, held)] : []
  const add = (of: CauseKind, happened: boolean) => {
    if (happened && kind !== of && !(isReason && held?.kind === of)) events.push(event(of))
  }
  add('oom', facts.oomKills > 0 || (facts.oomWithoutKill > 0 && facts.failed > 0))
  add('fork-refused', facts.forksRefused > 0)
  add('space', facts.fullSpaces > 0 && (facts.failed > 0 || kind === 'timeout'))
  add('descriptors', facts.fullTables > 0)
  const above = refusedToSomeone(ended, facts)
  if (above) events.push(above)
  // a limit that only slowed the job is listed last, because it is not the reason for the end
  return held && !isReason ? [...events, event(held.kind, held)] : events
}

/**
 * Since Linux 6.11, a group counts all forks that its limit refuses in the groups below. Without the kernel's log it is
 * unknown whether these were the job's. Returns the refusals as a side event.
 */
function refusedToSomeone({ refusedAbove, log, failed }: Ended, facts: Facts): SideEvent | undefined {
  if (!refusedAbove || !failed || facts.forksRefused > 0 || log?.complete) return undefined
  const limit: CauseLimit = { file: 'pids.max', group: refusedAbove.directory, level: 'ancestor' }
  return { kind: 'fork-refused', limit, counts: { forksRefused: refusedAbove.count }, confidence: 'unknown' }
}

function searched({ plan, outcome }: Ended): Figure[] {
  const looked = outcome.execError === 'ENOENT' && !outcome.interpreterMissing && !plan.argv[0]!.includes('/')
  return looked ? [{ figure: 'searched', path: plan.searchPath }] : []
}

/** Returns the evidence about the system call filter that ended the job: where its profile comes from. */
export function profileFigure({ spec: { seccomp, frontend } }: Plan): Figure[] {
  return seccomp ? [{ figure: 'profile', origin: seccompOrigin(seccomp, frontend) }] : []
}

function evidenceOf(ended: Ended, kind: CauseKind, held: DecisionRow | undefined): Figure[] {
  const { plan, usage, full, outcome, failed } = ended
  const [memory, pids, cpu] = ['memory.max', 'pids.max', 'cpu.max'].map((file) => ownLimit(ended, file)) as [
    CauseLimit,
    CauseLimit,
    CauseLimit,
  ]
  const {
    memoryPeak,
    memoryLimitHits,
    oomKills,
    periods,
    throttledPeriods = 0,
    throttledUsec,
    cpuUsec,
    userUsec,
    systemUsec,
  } = usage
  const figures: Figure[] = []
  if (kind === 'cpu-time')
    figures.push({
      figure: 'cpu time',
      limitMs: plan.spec.cpuTimeMs ?? 0,
      wallMs: outcome.durationMs,
      ...omitUndefined({ extraMs: plan.spec.extraTimeMs, usedUsec: cpuUsec, userUsec, systemUsec }),
    })
  if (kind === 'filter') figures.push(...profileFigure(plan))
  if (memoryPeak !== undefined || memory.value !== undefined)
    figures.push({
      figure: 'memory',
      limit: memory,
      ...omitUndefined({ peak: memoryPeak, hits: memoryLimitHits, kills: oomKills }),
    })
  const use = ended.log?.kills.findLast((kill) => kill.use)?.use
  if (use) figures.push({ figure: 'memory use', use })
  if (pids.value !== undefined)
    figures.push({ figure: 'pids', limit: pids, ...omitUndefined({ peak: usage.pidsPeak, denied: usage.pidsDenied }) })
  for (const { target, options } of full) figures.push({ figure: 'space', target, options: [...options] })
  const { fullTables, tableLimit } = outcome.used
  if (fullTables > 0) figures.push({ figure: 'descriptors', limit: tableLimit, processes: fullTables })
  if (held?.kind === 'stopped') figures.push({ figure: 'stopped', processes: outcome.used.stoppedProcesses ?? 0 })
  if (cpu.value !== undefined && periods)
    figures.push({ figure: 'cpu', limit: cpu, periods, throttledPeriods, ...omitUndefined({ throttledUsec }) })
  figures.push(...heldFigure(ended, held))
  return failed && (kind === 'signal' || kind === 'exited') ? [...figures, ...possibleFigures(ended)] : figures
}

/** Returns the first signal that hutch sends to stop the job, unless it is SIGTERM. */
export function stopSignalOf({ spec: { stopSignal } }: Plan): { stopSignal?: string } {
  const name = signalName(stopSignal) ?? `signal ${stopSignal}`
  return name === 'SIGTERM' ? {} : { stopSignal: name }
}
