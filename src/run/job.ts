// SPDX-License-Identifier: Apache-2.0
// The API's Job, `start` and `run`; and startSpec and follow, which the CLI and pools also use. Not pure.
import { readGroupFile } from '../cgroup/files.ts'
import type { FileReader } from '../cgroup/format-file.ts'
import { parseFlat } from '../cgroup/stats.ts'
import { fail, type HutchError } from '../errors/errors.ts'
import { findObstacles } from '../host/privileges.ts'
import { decodeFigures } from '../ops/wire.ts'
import { namesFiles, parseOptions, type RunOptions, refuseUnknown, runOptionKeys } from '../options/options.ts'
import { seccompOrigin } from '../options/seccomp-option.ts'
import type { Spec } from '../options/spec.ts'
import type { AppliedOuterLimit } from '../plan/outer-limits.ts'
import type { CallReader, FilterMaker } from '../seccomp/make-filter.ts'
import { monotonicMs } from '../system/clock.ts'
import { systemConstants } from '../system/constants.ts'
import { closeDescriptor } from '../system/native.ts'
import { unwatchJob, watchedNative, watchJob } from '../system/reactor.ts'
import { type Readable, StringDecoder, type Writable } from '../system/streams.ts'
import { conclude as concludeEnd } from '../verdict/conclude.ts'
import type { ExecFailure, ProgramLook } from '../verdict/exec-failure.ts'
import { logReaders } from '../verdict/job-log.ts'
import { noOutcome } from '../verdict/outcome.ts'
import type { JobEvent, Result } from '../verdict/result.ts'
import { parseUsage, type Usage } from '../verdict/usage.ts'
import { decodeLook, explainJobExec } from './exec-facts.ts'
import { explainLeftover, nameFailedCall } from './failed-call.ts'
import { beginConnection, sweepNetworks } from './job-network.ts'
import { finishSweep, type Launched, launch, type Ways } from './launch.ts'
import { decodeTargetLook, seenBy, type TargetLook } from './mount-target.ts'
import { explainRefusal } from './op-errors.ts'
import { type Cap, closeEnds, connectStreams, openStreams, type Stdio, type Streams } from './stdio.ts'

/** Options of `start` and `run`. */
export interface StartOptions extends RunOptions {
  /** Destination of all three streams, or one destination each for stdin, stdout and stderr; 'pipe' by default. */
  stdio?: Stdio | readonly [Stdio, Stdio, Stdio]
  /** Stops the job when it aborts: SIGTERM, then SIGKILL after `killAfter`, as at a timeout. */
  signal?: AbortSignal
  /** Called for each event as it happens. An error that the function throws becomes an uncaught exception of this process. */
  onEvent?: (event: JobEvent) => void
}

/** A running command. `await using` stops it at the end of the block. */
export class Job {
  /** Process id, as this process sees it: of hutch-init if it stays (as PID 1, or without a control group), otherwise of the command. */
  readonly pid: number
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** Resolves when all processes of the job have ended and its groups are removed. Rejects only if hutch itself failed. */
  readonly result: Promise<Result>
  readonly #launched: Launched
  readonly #sent: Set<number>
  #over = false

  /** @internal Jobs are made by `start`. */
  constructor(launched: Launched, streams: Streams, settle: (sent: Set<number>) => Promise<Result>) {
    this.pid = launched.pid
    this.stdin = streams.stdin
    this.stdout = streams.stdout
    this.stderr = streams.stderr
    this.#launched = launched
    this.#sent = new Set()
    this.result = settle(this.#sent).finally(() => {
      this.#over = true
    })
    // a caller that reads only the streams does not have to await the result
    this.result.catch(() => {})
  }

  /** Limits on v2 of groups that contain this process but not the job. Each entry says whether the job's own group has the same limit. */
  get outerLimits(): readonly AppliedOuterLimit[] {
    return this.#launched.plan.outer
  }

  /** @internal The directories of the job's groups. */
  get directories(): readonly string[] {
    return [...new Set(this.#launched.plan.groups.map(({ directory }) => directory))]
  }

  /** @internal Passes signals of this process on to the job until it ends. Used by the CLI. */
  forwardSignals(): void {
    this.#launched.forwards = true
    watchedNative().forward(this.#launched.job)
  }

  /** Sends a signal to all processes of the job; SIGKILL by default. Returns false if the job has ended. */
  kill(signal: NodeJS.Signals | number = 'SIGKILL'): boolean {
    const number = typeof signal === 'number' ? signal : systemConstants.signals[signal]
    if (this.#over || number === undefined) return false
    this.#sent.add(number)
    return watchedNative().signal(this.#launched.job, number) === 0
  }

  /** Sends SIGTERM to all processes, and SIGKILL after `killAfter`. Resolves when the job has ended. */
  async stop(): Promise<Result> {
    this.#sent.add(this.#launched.plan.spec.stopSignal).add(systemConstants.signals.SIGKILL)
    if (!this.#over) watchedNative().stop(this.#launched.job)
    return this.result
  }

  /**
   * With `network: 'cni:NAME'`: resolves with the job's addresses, such as `10.88.0.2/16`, when the network is connected.
   */
  async addresses(): Promise<string[]> {
    return this.#launched.connecting?.addresses ?? []
  }

  /** Returns what the job has used so far. */
  async usage(): Promise<Usage> {
    return parseUsage(this.#launched.plan, (path) => {
      const slash = path.lastIndexOf('/')
      return readGroupFile(path.slice(0, slash), path.slice(slash + 1))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    await this.result.catch(() => {})
  }
}

/**
 * Starts a command inside limits and namespaces, and returns after the clone.
 * @throws HutchError for what hutch could not do; nothing is left behind
 */
export async function start(command: string, args: readonly string[] = [], options: StartOptions = {}): Promise<Job> {
  return startWith(command, args, options)
}

/**
 * Runs a command to its end. The promise never rejects because of how the command ended.
 *
 * @throws HutchError for what hutch could not do
 */
export async function run(command: string, args: readonly string[] = [], options: StartOptions = {}): Promise<Result> {
  const job = await startWith(command, args, options, { reads: true })
  job.stdin?.end()
  const texts = await Promise.all([collect(job.stdout), collect(job.stderr), job.result])
  const [stdout, stderr, result] = texts
  return { ...result, ...(stdout !== undefined && { stdout }), ...(stderr !== undefined && { stderr }) }
}

async function startWith(
  command: string,
  args: readonly string[],
  options: StartOptions,
  reads: { reads?: true } = {},
): Promise<Job> {
  refuseUnknown(options, [...runOptionKeys, 'stdio', 'signal', 'onEvent'], '', 'option')
  const { stdio, signal, onEvent, ...rest } = options
  checkEars(options)
  const spec = parseOptions(command, args, rest, 'library', await loadFileReader(rest))
  const filter = await loadFilter(spec)
  const before = takeTurn()
  if (before) await before
  return startSpec(spec, { stdio, signal, onEvent, filter, ...reads })
}

/** Checks the types of `signal` and `onEvent`. @throws OPTION_INVALID */
export function checkEars({ signal, onEvent }: Pick<StartOptions, 'signal' | 'onEvent'>): void {
  const invalid = (name: string, value: unknown, accepted: string) => fail('OPTION_INVALID', { name, value, accepted })
  // accepts AbortSignals of other realms and of polyfills
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    throw invalid('signal', signal, 'the signal of an AbortController')
  if (onEvent !== undefined && typeof onEvent !== 'function') throw invalid('onEvent', onEvent, 'a function')
}

let last: Promise<void> | undefined

/** Queues simultaneous starts, so that each gets its own turn of the event loop. Returns undefined if this start can begin now. */
function takeTurn(): Promise<void> | undefined {
  const before = last
  const own = Promise.resolve(before).then(() => new Promise<void>((resolve) => setImmediate(resolve)))
  last = own
  void own.then(() => {
    if (last === own) last = undefined
  })
  return before
}

/**
 * Returns the parser of limits that are named by their kernel file. Returns undefined, and loads no tables, if `options` name no such
 * limit.
 */
export async function loadFileReader(options: RunOptions): Promise<FileReader | undefined> {
  return namesFiles(options) ? (await import('../cgroup/format-file.ts')).formatFile : undefined
}

/** Returns the maker of the requested filter. Returns undefined, and loads no filter code, if no filter is requested. */
export async function loadFilter(spec: Spec): Promise<FilterMaker | undefined> {
  const { seccomp, frontend, root, privileges } = spec
  const origin = seccomp === undefined ? '' : seccompOrigin(seccomp, frontend)
  if (spec.seccompReport || spec.learn)
    return (await import('../seccomp/notify-filter.ts')).readSupervised(seccomp, origin, spec.learn === true)
  if (seccomp === undefined) return undefined
  const { capAdd, capDrop } = privileges
  const usual =
    root?.directory !== undefined && capAdd.length === 0 && (capDrop.length === 0 || capDrop.includes('ALL'))
  if ('own' in seccomp && (usual || seccomp.own === 'strict'))
    return (await import('../seccomp/load-builtin.ts')).readOwnFilter(seccomp.own)
  return (await import('../seccomp/load-profile.ts')).loadProfileFilter(seccomp, origin)
}

/** Starts a job from a Spec; called by the CLI. `reads` means that the caller reads all pipes of the job. */
export function startSpec(
  spec: Spec,
  how: { [K in 'stdio' | 'signal' | 'onEvent']?: StartOptions[K] | undefined } & Ways &
    Pick<Following, 'reads' | 'execFailed'>,
): Job {
  const cap: Cap | undefined = spec.maxOutput === undefined ? undefined : { most: spec.maxOutput }
  const ends = openStreams(how.stdio ?? 'pipe', cap !== undefined && !spec.capsPipes)
  let launched: Launched
  const begun = monotonicMs()
  try {
    launched = launch(spec, ends.theirs, how)
  } catch (error) {
    closeEnds(ends)
    throw error
  }
  for (const fd of ends.opened) closeDescriptor(fd)
  const streams = connectStreams(ends, cap)
  return new Job(launched, streams, (sent) => follow(launched, begun, sent, how, streams, cap))
}

/** Callbacks and settings of a caller. */
export interface Following {
  signal?: AbortSignal | undefined
  onEvent?: StartOptions['onEvent'] | undefined
  reads?: true
  /** Reads the calls that the job's filter reports. */
  filter?: FilterMaker | undefined
  /** Called before the result resolves, if the command cannot be executed. */
  execFailed?: (failure: ExecFailure, errno: string) => void
  /** Called if the job ended before it had read its request. */
  unread?: () => void
}

/** Collects the job's events until it ends and resolves with its Result. `begun` is the launch time. */
export function follow(
  launched: Launched,
  begun: number,
  sent: Set<number>,
  how: Following,
  streams: Streams,
  cap: Cap | undefined,
): Promise<Result> {
  const { signal: abort, onEvent } = how
  const { job, plan, program } = launched
  const outcome = { ...noOutcome(sent), ...logReaders(Date.now(), launched.pid) }
  const looks: ProgramLook[] = []
  let failure: unknown
  let explainStep: ((look?: TargetLook) => HutchError) | undefined
  let aborted = false
  // an error of the caller's function does not change the job: it is thrown again outside, as in any event listener
  const tell = (event: JobEvent) => {
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
    tell(event)
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
  const written = how.reads && streams.read ? Promise.all([streams.poured, streams.read]) : streams.poured
  written?.catch(failed)
  const connecting =
    launched.connecting ??
    (plan.network &&
      beginConnection(launched, startSpec, (error) => {
        failed(error)
        watchedNative().signal(job, systemConstants.signals.SIGKILL)
      }))
  if (connecting) launched.connecting = connecting
  return new Promise((resolve, reject) => {
    watchJob(job, (event) => {
      if (event.kind === 'failed') {
        const { step, errno, part, call } = event
        const op = program.inner[step]
        if (op && (op.op !== 'exec' || part > 0)) {
          explainStep = (look) => {
            const seen = look && seenBy(plan, program.inner.slice(0, step), look)
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
        looks.push(...decodeLook(event.bytes))
        const target = decodeTargetLook(event.bytes)
        if (target && explainStep) failure = explainStep(target)
      } else if (event.kind === 'noticed') {
        const watched = program.outer[event.step]?.op
        outcome.oomNoticed ||= watched === 'watchOom'
        noteCounts(watched, event.text, note)
      } else if (event.kind === 'refused') {
        const refusal = event.bytes && how.filter?.reader?.take(event.which, event.bytes)
        if (refusal?.answer === 'killed') outcome.filterKilled = true
        if (refusal) tell({ at: Math.round(monotonicMs() - begun), kind: 'refused', refusal })
      } else if (event.kind === 'stopped') {
        outcome.stopCause ??= event.cpuTime ? 'cpu-time' : aborted || sent.has(event.signal) ? 'aborted' : 'timeout'
        outcome.killed = event.signal === systemConstants.signals.SIGKILL
        note(outcome.killed ? 'kill' : 'stop')
      } else if (event.kind === 'unread') how.unread?.()
      else if (event.kind === 'ended') {
        unwatchJob(job)
        const cleared = finishSweep()
        const came = launched.forwards ? watchedNative().forward(0) : 0
        for (let number = 1; number < 32; number++) if (came & (1 << number)) outcome.forwarded.add(number)
        for (const number of outcome.forwarded) sent.add(number)
        abort?.removeEventListener('abort', onAbort)
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
            how.execFailed?.(outcome.execFailure!, outcome.execError)
          }
          if (failure) reject(failure)
          else if (left) reject(explainLeftover(left, leftover, plan))
          else resolve({ ...concludeEnd(plan, program, outcome), ...toldCalls(how.filter?.reader) })
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

/** Turns an event file's text into events. A v1 eventfd has no text, so its OOM kills are counted at the end. */
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

/** Collects a stream's text, up to 64 MiB, so that a command cannot exhaust this process's memory. */
export async function collect(stream: Readable | null): Promise<string | undefined> {
  if (!stream) return undefined
  // decode each chunk: decoding all of the output at the end would block the event loop
  const decoder = new StringDecoder('utf8')
  let text = ''
  let length = 0
  for await (const chunk of stream) {
    if (length < 2 ** 26) text += decoder.write(chunk)
    length += chunk.length
  }
  return text + decoder.end()
}
