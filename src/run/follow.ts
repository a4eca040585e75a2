// SPDX-License-Identifier: Apache-2.0
// Follows a job by its events until it ends, and creates its Result. Used by job.ts and by the pool.
import { parseFlat } from '../cgroup/stats.ts'
import { fail, type HutchError } from '../errors/errors.ts'
import { findObstacles } from '../host/privileges.ts'
import { decodeFigures } from '../ops/wire.ts'
import type { CallReader, FilterMaker } from '../seccomp/make-filter.ts'
import { monotonicMs } from '../system/clock.ts'
import { systemConstants } from '../system/constants.ts'
import { unwatchJob, watchedNative, watchJob } from '../system/reactor.ts'
import { locateFigures } from '../verdict/collect-end.ts'
import { conclude as concludeEnd } from '../verdict/conclude.ts'
import type { ExecFailure, ProgramReport } from '../verdict/exec-failure.ts'
import { logReaders } from '../verdict/job-log.ts'
import { noOutcome } from '../verdict/outcome.ts'
import type { JobEvent, Result } from '../verdict/result.ts'
import { decodeProgramReports, explainJobExec } from './exec-facts.ts'
import { explainLeftover, nameFailedCall } from './failed-call.ts'
import { type Input, startFeeds } from './input.ts'
import { type Connecting, sweepNetworks } from './job-network.ts'
import { finishSweep, type Launched } from './launch.ts'
import { decodeTargetState, seenBy, type TargetState } from './mount-target.ts'
import { explainRefusal } from './op-errors.ts'
import type { Cap, Streams } from './stdio.ts'

/** The caller's callbacks and settings for one job. */
export interface Following {
  signal?: AbortSignal | undefined
  onEvent?: ((event: JobEvent) => void) | undefined
  reads?: true
  /** The whole standard input of the job. */
  input?: Input | undefined
  /** The inputs that are written to descriptors 3, 4, … of the command, by number. */
  inputs?: readonly (Input | undefined)[]
  /** Starts to connect the job's network. Calls `failed` with the reason if that fails. */
  connect?: (failed: (error: unknown) => void) => Connecting | undefined
  /** The module that compiled the job's filter; it also reads the calls that the filter reports. */
  filter?: FilterMaker | undefined
  /** Called if the command could not be executed, before the result resolves. */
  execFailed?: (failure: ExecFailure, errno: string) => void
  /** Called if a pool's sandbox ended before it had read the request for the job. */
  unread?: () => void
}

/** Collects the job's events until the job ends, and resolves with its Result. `begun` is the launch time. */
export function follow(
  launched: Launched,
  begun: number,
  sent: Set<number>,
  options: Following,
  streams: Streams,
  cap: Cap | undefined,
): Promise<Result> {
  const { signal: abort, onEvent } = options
  const { job, plan } = launched
  // while the job makes its namespaces, so that its end has less to do
  const program = locateFigures(plan, launched.program)
  const outcome = { ...noOutcome(sent), ...logReaders(Date.now(), launched.pid) }
  const looks: ProgramReport[] = []
  let failure: unknown
  let explainStep: ((state?: TargetState) => HutchError) | undefined
  let aborted = false
  // an error in the caller's function does not change the job: throw it outside of this function, as for any event listener
  const report = (event: JobEvent) => {
    try {
      onEvent?.(event)
    } catch (error) {
      setImmediate(() => {
        throw error
      })
    }
  }
  const note = (kind: JobEvent['kind'], count?: number) => {
    if (count !== undefined && count <= (outcome.events.filter((event) => event.kind === kind).at(-1)?.count ?? 0))
      return
    const event = { at: Math.round(monotonicMs() - begun), kind, ...(count !== undefined && { count }) }
    outcome.events.push(event)
    report(event)
  }
  const failed = (error: unknown) => {
    failure ??= error
  }
  const onAbort = () => {
    aborted = true
    watchedNative().stop(job)
  }
  if (cap)
    cap.reached = (stream) => {
      outcome.stopCause ??= 'output'
      outcome.overflowed ??= stream
      if (watchedNative().signal(job, systemConstants.signals.SIGKILL) === 0) note('kill')
    }
  const giveUp = (error: unknown) => {
    failed(error)
    watchedNative().signal(job, systemConstants.signals.SIGKILL)
  }
  const written = options.reads && streams.read ? Promise.all([streams.poured, streams.read]) : streams.poured
  written?.catch(failed)
  const stopFeeds = startFeeds(streams, options, giveUp)
  const connecting = launched.connecting ?? options.connect?.(giveUp)
  if (connecting) launched.connecting = connecting
  return new Promise((resolve, reject) => {
    watchJob(job, (event) => {
      if (event.kind === 'failed') {
        const { step, errno, part, call } = event
        const op = program.inner[step]
        if (op && (op.op !== 'exec' || part > 0)) {
          explainStep = (state) => {
            const seen = state && seenBy(plan, program.inner.slice(0, step), state)
            return nameFailedCall(explainRefusal(op, errno, plan, findObstacles, part, '', seen), call, errno)
          }
          failure = explainStep()
        } else if (!op)
          failure = fail('STEP_REFUSED', {
            what: 'read the program',
            operation: 'hutch-init',
            origin: 'run',
            errno,
            remedy: 'rebuild hutch',
          })
        else outcome.execError = errno
      } else if (event.kind === 'program') {
        looks.push(...decodeProgramReports(event.bytes))
        const target = decodeTargetState(event.bytes)
        if (target && explainStep) failure = explainStep(target)
      } else if (event.kind === 'noticed') {
        const watched = program.outer[event.step]?.op
        outcome.oomNoticed ||= watched === 'watchOom'
        noteCounts(watched, event.text, note)
      } else if (event.kind === 'refused') {
        const refusal = event.bytes && options.filter?.reader?.take(event.which, event.bytes)
        if (refusal?.answer === 'killed') outcome.filterKilled = true
        if (refusal) report({ at: Math.round(monotonicMs() - begun), kind: 'refused', refusal })
      } else if (event.kind === 'stopped') {
        outcome.stopCause ??= event.cpuTime ? 'cpu-time' : aborted || sent.has(event.signal) ? 'aborted' : 'timeout'
        outcome.killed = event.signal === systemConstants.signals.SIGKILL
        note(outcome.killed ? 'kill' : 'stop')
      } else if (event.kind === 'unread') options.unread?.()
      else if (event.kind === 'ended') {
        unwatchJob(job)
        const cleared = finishSweep()
        const came = launched.forwards ? watchedNative().forward(0) : 0
        for (let number = 1; number < 32; number++) if (came & (1 << number)) outcome.forwarded.add(number)
        for (const number of outcome.forwarded) sent.add(number)
        abort?.removeEventListener('abort', onAbort)
        for (const stop of stopFeeds) stop()
        const { kind: _, figures, leftover, ...end } = event
        Object.assign(outcome, {
          ...end,
          durationMs: Math.round(monotonicMs() - begun),
          figures: decodeFigures(figures),
        })
        const left = leftover && program.outer[leftover.step]
        const conclude = () => {
          if (outcome.execError) {
            Object.assign(outcome, explainJobExec(plan, program, outcome.execError, looks))
            options.execFailed?.(outcome.execFailure!, outcome.execError)
          }
          if (failure) reject(failure)
          else if (left) reject(explainLeftover(left, leftover, plan))
          else
            resolve({
              ...concludeEnd(plan, program, outcome),
              ...toldCalls(options.filter?.reader),
              ...(outcome.stopCause === 'aborted' && abort?.aborted && { abortReason: abort.reason }),
            })
        }
        const swept = sweepNetworks()
        streams.over()
        if (!connecting && !cleared && !swept && !written) conclude()
        else void Promise.all([connecting?.end(), cleared, swept, written]).catch(failed).then(conclude)
      }
    })
    if (abort?.aborted) onAbort()
    else abort?.addEventListener('abort', onAbort, { once: true })
  })
}

function toldCalls(reader: CallReader | undefined): Pick<Result, 'seccomp' | 'learned'> {
  if (!reader) return {}
  const { refused, others, learned } = reader.calls
  return learned ? { learned } : { seccomp: { refused, others } }
}

/**
 * Turns the text of a changed event file into events for the caller. A v1 eventfd has no text, so its OOM kills are
 * counted only at the end.
 */
function noteCounts(
  op: string | undefined,
  text: string,
  note: (kind: JobEvent['kind'], count?: number) => void,
): void {
  if (op !== 'watchFile') return
  const counts = parseFlat(text)
  if (counts.oom_kill) note('oom-kill', counts.oom_kill)
  else if (counts.max && counts.oom_kill === undefined) note('pids-denied', counts.max)
}
