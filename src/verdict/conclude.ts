// SPDX-License-Identifier: Apache-2.0
// Turns the raw outcome of a job into a Result. Called by run/job.ts and pool/pool.ts at a job's end.

import type { Program } from '../ops/ops.ts'
import type { Plan } from '../plan/plan.ts'
import { systemConstants } from '../system/constants.ts'
import { signalName } from '../system/signals.ts'
import type { Cause } from './cause.ts'
import { collectEnd } from './collect-end.ts'
import { contestStatus } from './contest-status.ts'
import { execVerdict } from './exec-failure.ts'
import { makeCause, senderOf } from './make-cause.ts'
import { noOutcome, type Outcome } from './outcome.ts'
import type { JobEvent, Reason, Result } from './result.ts'
import { groupOf } from './usage.ts'
import { describe } from './words.ts'

/**
 * Exit statuses of `hutch run` for a job that exceeded one of hutch's limits. They also apply if the job ended before
 * hutch could stop it.
 */
const limitStatus: { [reason in Reason]?: number } = {
  timeout: 124,
  'cpu-time': 124,
  output: 128 + systemConstants.signals.SIGKILL,
}

/** Returns the Result of a job's outcome. */
export function conclude(plan: Plan, program: Program, outcome: Outcome): Result {
  const ended = collectEnd(plan, program, outcome)
  const cause = makeCause(ended)
  const reason = reasonOf(cause, ended.signal)
  const usage = ended.shared ? withoutShared(ended.usage) : ended.usage
  const { exitCode } = ended
  const signal = ended.signal === 0 ? null : (signalName(ended.signal) ?? `signal ${ended.signal}`)
  const from = signal === null ? undefined : sideOf(senderOf(ended))
  const execStatus = reason === 'not-found' ? 127 : reason === 'not-executable' ? 126 : undefined
  const path = groupOf(plan, 'memory')?.directory ?? plan.groups[0]?.directory
  return {
    command: plan.argv,
    exitCode: execStatus ?? exitCode,
    signal,
    ...(from && { signalFrom: from }),
    reason,
    judge: contestStatus({ reason, exitCode, signal }),
    status: execStatus ?? limitStatus[reason] ?? exitCode ?? 128 + ended.signal,
    durationMs: outcome.durationMs,
    limits: Object.fromEntries(
      plan.spec.limits.map(({ file, value }) => [file, /^\d{1,15}$/.test(value) ? Number(value) : value]),
    ),
    usage,
    events: closeEvents(outcome, usage),
    cgroup: { layout: plan.layout, ...(path && !outcome.notBegun && { path }) },
    cause,
    verdict: outcome.execFailure ? execVerdict(outcome.execFailure) : describe(cause, plan.spec.frontend),
  }
}

/** Returns the Result of a job that its caller stopped before it started. */
export function concludeUnstarted(plan: Plan, program: Program): Result {
  const { SIGTERM } = systemConstants.signals
  const aborted = { stopCause: 'aborted', notBegun: true, ownStatus: SIGTERM } as const
  return conclude(plan, program, { ...noOutcome(new Set([SIGTERM])), ...aborted })
}

/** Returns the field `reason` of a result. It is older than `cause`, and has fewer kinds. */
function reasonOf({ kind, errno, interpreterMissing }: Cause, signal: number): Reason {
  switch (kind) {
    case 'exec-failed':
    case 'not-inside':
      return errno === 'ENOENT' && !interpreterMissing ? 'not-found' : 'not-executable'
    case 'fork-refused':
      return 'pids'
    case 'host-oom':
      return 'oom'
    case 'oom':
    case 'timeout':
    case 'cpu-time':
    case 'output':
    case 'aborted':
    case 'space':
      return kind
    default:
      return signal === 0 ? 'exit' : 'signal'
  }
}

function sideOf(from: ReturnType<typeof senderOf>): NonNullable<Result['signalFrom']> {
  return from === 'inside' || from === 'unknown' ? from : 'outside'
}

/**
 * Returns the usage without OOM kills that were counted in a group shared with other processes. The evidence still
 * contains them.
 */
function withoutShared({ oomKills: _, ...usage }: Result['usage']): Result['usage'] {
  return usage
}

/** Returns the job's events. Adds events that are known only from the figures at the end. */
function closeEvents(outcome: Outcome, usage: Result['usage']): JobEvent[] {
  const last = (kind: JobEvent['kind']) => outcome.events.filter((event) => event.kind === kind).at(-1)?.count ?? 0
  const events = [...outcome.events]
  if ((usage.oomKills ?? 0) > last('oom-kill'))
    events.push({ at: outcome.durationMs, kind: 'oom-kill', count: usage.oomKills! })
  if ((usage.pidsDenied ?? 0) > last('pids-denied'))
    events.push({ at: outcome.durationMs, kind: 'pids-denied', count: usage.pidsDenied! })
  return events
}
