// SPDX-License-Identifier: Apache-2.0
// Exports the API's Job, `start` and `run`, and startSpec for the command line and pools. Not pure.
import { readGroupFile } from '../cgroup/files.ts'
import { fail } from '../errors/errors.ts'
import { type OutputSpec, type StartCall, splitArguments } from '../options/library.ts'
import { parseOptions, type RunOptions } from '../options/options.ts'
import type { Spec } from '../options/spec.ts'
import type { AppliedOuterLimit } from '../plan/outer-limits.ts'
import { monotonicMs } from '../system/clock.ts'
import { systemConstants } from '../system/constants.ts'
import { closeSync } from '../system/files.ts'
import { closeDescriptor } from '../system/native.ts'
import { watchedNative } from '../system/reactor.ts'
import { type Duplex, pipeline, type Readable, type Writable } from '../system/streams.ts'
import { concludeUnstarted } from '../verdict/conclude.ts'
import type { Output, Result } from '../verdict/result.ts'
import { parseUsage, type Usage } from '../verdict/usage.ts'
import { openDecoder } from './decode.ts'
import { type Following, follow } from './follow.ts'
import { beginConnection } from './job-network.ts'
import { knownSpec } from './known-spec.ts'
import { type Launched, type LaunchHooks, launch, prepare } from './launch.ts'
import { readLines } from './lines.ts'
import { loadFileReader, loadFilter } from './load-parsers.ts'
import { collectOutput, emptyOutput } from './output.ts'
import { checkResult } from './run-error.ts'
import {
  type CallWays,
  type Encoding,
  type OutputOf,
  type ResultOf,
  readCallOptions,
  type StartOptions,
  type StdioOption,
  type Typed,
} from './start-options.ts'
import { type Cap, closeEnds, connectStreams, openStreams, type StreamEnd, type Streams } from './stdio.ts'
import { copyOutput, mergeStreams, openStdio, type StdioSources } from './stdio-sources.ts'

/**
 * A running command. With `await using`, the job is stopped at the end of the block.
 *
 * @example
 * const [from, to] = [await start('echo', ['b\na']), await start('sort')]
 * const lines = []
 * for await (const line of from.pipe(to)) lines.push(line)
 * console.log(lines) // [ 'a', 'b' ]
 */
export class Job {
  /**
   * The job's process id, as this process sees it. This is the id of hutch-init if hutch-init keeps running (as PID 1,
   * or without a control group), otherwise the id of the command.
   */
  readonly pid: number
  /** The standard input of the command. Null if it is not a pipe. */
  readonly stdin: Writable | null
  /** The standard output of the command. Null if it is not a pipe. */
  readonly stdout: Readable | null
  /** The standard error of the command. Null if it is not a pipe. */
  readonly stderr: Readable | null
  /**
   * All streams of the job by number: `stdin`, `stdout`, `stderr`, then descriptors 3, 4, … in the option `stdio`. Null
   * for a stream that is not a pipe.
   */
  readonly stdio: readonly (Writable | Readable | Duplex | null)[]
  /** Resolves when all processes of the job have ended and its groups are removed. Rejects only if hutch itself failed. */
  readonly result: Promise<Result>
  /**
   * With `all`: stdout and stderr in the order of arrival; otherwise null. Both streams wait until this stream is read.
   */
  readonly all: Readable | null
  readonly #launched: Launched
  readonly #sent: Set<number>
  readonly #output: OutputSpec | undefined
  #over = false
  #replaced = 0

  /** @internal Creates a job; users call `start`. */
  constructor(
    launched: Launched,
    streams: Pick<Streams, 'stdin' | 'stdout' | 'stderr' | 'more'>,
    settle: (sent: Set<number>) => Promise<Result>,
    output?: OutputSpec,
  ) {
    this.pid = launched.pid
    this.stdin = streams.stdin
    this.stdout = streams.stdout
    this.stderr = streams.stderr
    this.stdio = [streams.stdin, streams.stdout, streams.stderr, ...streams.more]
    this.all = output?.all ? mergeStreams([streams.stdout, streams.stderr]) : null
    this.#output = output
    this.#launched = launched
    this.#sent = new Set()
    this.result = settle(this.#sent).finally(() => {
      this.#over = true
    })
    // avoid an unhandled rejection, because a caller may only read the streams and never await the result
    this.result.catch(() => {})
  }

  /**
   * Limits of v2 groups that contain this process but not the job. Each entry tells whether the job's own group has the
   * same limit.
   */
  get outerLimits(): readonly AppliedOuterLimit[] {
    return this.#launched.plan.outer
  }

  /** @internal The directories of the job's control groups. */
  get directories(): readonly string[] {
    return [...new Set(this.#launched.plan.groups.map(({ directory }) => directory))]
  }

  /** @internal Passes signals that this process receives on to the job until it ends. Used by the command line. */
  forwardSignals(): void {
    this.#launched.forwards = true
    watchedNative().forward(this.#launched.job)
  }

  /**
   * Sends a signal to all processes of the job: `stopSignal` by default, which is SIGTERM. Returns false if the job has
   * ended. No other signal follows; `stop` also sends SIGKILL.
   */
  kill(signal: NodeJS.Signals | number = this.#launched.plan.spec.stopSignal): boolean {
    const number = typeof signal === 'number' ? signal : systemConstants.signals[signal]
    if (this.#over || number === undefined) return false
    this.#sent.add(number)
    return watchedNative().signal(this.#launched.job, number) === 0
  }

  /**
   * Stops the job: sends `stopSignal` (SIGTERM by default) to all processes, and SIGKILL after `killAfter`. Resolves
   * when the job has ended.
   */
  async stop(): Promise<Result> {
    this.#sent.add(this.#launched.plan.spec.stopSignal).add(systemConstants.signals.SIGKILL)
    if (!this.#over) watchedNative().stop(this.#launched.job)
    return this.result
  }

  /**
   * Resolves with the job's addresses, such as `10.88.0.2/16`, when the network is connected. They are known only with
   * `network: 'cni:NAME'`.
   */
  async addresses(): Promise<string[]> {
    return this.#launched.connecting?.addresses ?? []
  }

  /** Returns what the job has used so far: memory, CPU time and so on. */
  async usage(): Promise<Usage> {
    return parseUsage(this.#launched.plan, readGroupFile)
  }

  /**
   * Sends the output of this job to the input of another job, and returns that job. `a.pipe(b)` is like `a | b` in a
   * shell.
   *
   * @throws OPTION_CONFLICT if stdout of this job or stdin of the other is not a pipe
   */
  pipe(to: Job): Job {
    if (!this.stdout || !to.stdin)
      throw fail('OPTION_CONFLICT', {
        name: 'pipe',
        why: this.stdout ? 'stdin of the other job is not a pipe' : 'stdout of this job is not a pipe',
        remedy: "start both jobs with 'pipe' for these streams, and the other job without input",
      })
    // ignore the error: if the reading job ends early, this pipe is closed, and the writing job gets SIGPIPE as in a shell
    pipeline(this.stdout, to.stdin, () => {})
    return to
  }

  /** Number of byte sequences that `encoding` could not represent, in the lines returned so far by iterating over the job. */
  get replaced(): number {
    return this.#replaced
  }

  /**
   * Yields the lines of stdout, or of `all` with that option, without their newlines. Leaving the loop early closes the
   * stream. With `reject`, the loop throws a `RunError` at its end unless the command exited with status 0.
   *
   * @throws OPTION_CONFLICT if the stream is not a pipe, or if `encoding` is not a text encoding
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    const stream = this.all ?? this.stdout
    const encoding = this.#output?.encoding ?? 'utf8'
    if (!stream || encoding === 'buffer')
      throw fail('OPTION_CONFLICT', {
        name: 'for await',
        why: stream ? 'bytes have no lines' : 'stdout is not a pipe',
        remedy: stream ? 'read job.stdout, or give the encoding of the text' : "give 'pipe' for it in stdio",
      })
    const decoder = openDecoder(encoding)
    for await (const line of readLines(stream, decoder)) {
      this.#replaced = decoder.replaced
      yield line
    }
    this.#replaced = decoder.replaced
    if (this.#output?.reject) await this.result
  }

  /** Stops the job, as `stop` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL')
    await this.result.catch(() => {})
  }
}

/** A job started with the option `stdio` of type `S`. Without the option, or with `'pipe'`, its three streams are pipes. */
export type JobOf<S> = Job &
  (S extends undefined | 'pipe' ? { stdin: Writable; stdout: Readable; stderr: Readable } : unknown)

/**
 * Starts a command with limits and namespaces. Resolves as soon as its process exists. The job's streams carry bytes.
 *
 * @throws CAPABILITY_MISSING, CGROUP_CONTROLLER_MISSING, CGROUP_LEFT, CGROUP_LIMIT_REFUSED, CGROUP_LIMIT_UNSUPPORTED, CGROUP_MISSING,
 * CGROUP_NOT_EVACUATED, CGROUP_NO_DELEGATION, CGROUP_PARENT_INVALID, CGROUP_PARENT_MISSING, CGROUP_POPULATED, CGROUP_REFUSED,
 * CGROUP_THREADED, COMMAND_MISSING, FILE_REFUSED, IDMAP_NOT_DELEGATED, IDS_USED_UP, LANDLOCK_MISSING, MOUNT_REFUSED,
 * NAMESPACE_REFUSED, NETWORK_REFUSED, NETWORK_TOOL_MISSING, OPTION_CONFLICT, OPTION_INVALID, OPTION_UNKNOWN, PROC_COVERED,
 * STEP_REFUSED, STREAM_FAILED, STREAM_REFUSED, USERNS_FORBIDDEN, USER_UNKNOWN if the job
 * could not be started; nothing is left behind. If the signal is already aborted, `start` throws its reason.
 * @example
 * const job = await start('cat')
 * job.stdin.end('hello')
 * for await (const line of job) console.log(line) // hello
 * console.log((await job.result).exitCode) // 0
 */
export function start<const S extends StdioOption = undefined>(
  file: string,
  args?: readonly string[],
  options?: Typed<StartOptions, Encoding, boolean, S>,
): Promise<JobOf<S>>
export function start<const S extends StdioOption = undefined>(
  file: string,
  options: Typed<StartOptions, Encoding, boolean, S>,
): Promise<JobOf<S>>
export async function start(
  file: string,
  args?: readonly string[] | StartOptions,
  options?: StartOptions,
): Promise<Job> {
  const request = await readRequest('start', file, args, options)
  if (request.callOptions.signal?.aborted) throw request.callOptions.signal.reason
  return startRequest(request)
}

/**
 * Runs a command to its end. Never rejects because of what the command did, unless `reject` is true.
 *
 * @throws the same errors as `start`
 * @throws RunError with `reject`, if the command did not exit with status 0
 * @example
 * const { stdout } = await run('echo', ['hello'], { limits: { memory: '64M' }, stripFinalNewline: true })
 * console.log(stdout) // hello
 * const { reason, cause } = await run('sleep', ['60'], { timeout: 100 })
 * console.log(reason, cause.kind) // timeout timeout
 */
export function run<
  const E extends Encoding = 'utf8',
  const L extends boolean = false,
  const S extends StdioOption = undefined,
>(file: string, args?: readonly string[], options?: Typed<StartOptions, E, L, S>): Promise<ResultOf<OutputOf<E, L>, S>>
export function run<
  const E extends Encoding = 'utf8',
  const L extends boolean = false,
  const S extends StdioOption = undefined,
>(file: string, options: Typed<StartOptions, E, L, S>): Promise<ResultOf<OutputOf<E, L>, S>>
export async function run(
  file: string,
  args?: readonly string[] | StartOptions,
  options?: StartOptions,
): Promise<Result<Output>> {
  const request = await readRequest('run', file, args, options)
  const { output, callOptions } = request
  if (callOptions.signal?.aborted)
    return checkResult({ ...unstarted(request), ...(await emptyOutput(callOptions.stdio, output)) }, output.reject)
  const job = startRequest({ ...request, callOptions: { ...callOptions, reads: true } })
  endWriting(job)
  const [fields, result] = await Promise.all([collectOutput(job, output), job.result])
  return checkResult({ ...result, ...fields }, output.reject)
}

/** A call of `run` or `start` whose options have been checked. */
interface Request {
  spec: Spec
  output: OutputSpec
  callOptions: CallWays & LaunchHooks & { reads?: true }
}

/** Checks the arguments and options of `run` or `start`. @throws HutchError for an invalid option */
async function readRequest(
  call: StartCall & ('run' | 'start'),
  file: string,
  second: readonly string[] | StartOptions | undefined,
  third: StartOptions | undefined,
): Promise<Request> {
  const { args, options } = splitArguments<StartOptions>(call, second, third)
  const { output, callOptions, job } = readCallOptions(call, options)
  const reader = await loadFileReader(job)
  const parse = (input: RunOptions) => parseOptions(file, args, input, 'library', reader, call)
  // limits that are read from a file can change
  const spec = reader ? parse(job) : knownSpec(file, args, job, parse)
  const filter = await loadFilter(spec)
  const before = takeTurn()
  if (before) await before
  return { spec, output, callOptions: { ...callOptions, filter } as Request['callOptions'] }
}

function startRequest({ spec, output, callOptions }: Request): Job {
  const sources = openStdio(callOptions.stdio)
  try {
    const input = callOptions.input ?? sources.input
    return startSpec(spec, { ...callOptions, ...sources, input, output })
  } finally {
    for (const fd of sources.opened) closeSync(fd)
  }
}

/** Returns the result of a command that was aborted before it started. */
function unstarted({ spec, callOptions }: Request): Result {
  const { plan, program } = prepare(spec, callOptions.filter)
  return { ...concludeUnstarted(plan, program), abortReason: callOptions.signal?.reason }
}

let last: Promise<void> | undefined

/**
 * Delays a start if another one began in this turn of the event loop, so that each has its own turn. Returns undefined
 * if this start can begin now.
 */
function takeTurn(): Promise<void> | undefined {
  const before = last
  const own = Promise.resolve(before).then(() => new Promise<void>((resolve) => setImmediate(resolve)))
  last = own
  void own.then(() => {
    if (last === own) last = undefined
  })
  return before
}

/** Starts a job from a Spec; called by the command line. `reads` is true if the caller reads all pipes of the job. */
export function startSpec(
  spec: Spec,
  callOptions: Omit<Following, 'connect' | 'unread' | 'filter'> &
    LaunchHooks & {
      stdio?: StreamEnd | readonly StreamEnd[] | undefined
      writables?: StdioSources['writables']
      output?: OutputSpec
    },
): Job {
  const cap: Cap | undefined = spec.maxOutput === undefined ? undefined : { max: spec.maxOutput }
  const ends = openStreams(callOptions.stdio ?? 'pipe', cap !== undefined && !spec.capsPipes)
  let launched: Launched
  const begun = monotonicMs()
  try {
    launched = launch(spec, ends.theirs, callOptions)
  } catch (error) {
    closeEnds(ends)
    throw error
  }
  for (const fd of ends.opened) closeDescriptor(fd)
  const own = connectStreams(ends, cap)
  const streams = callOptions.writables ? copyOutput(own, callOptions.writables) : own
  const connect = (failed: (error: unknown) => void) =>
    launched.plan.network && beginConnection(launched, startSpec, failed)
  return new Job(
    launched,
    visible(streams, callOptions),
    (sent) => {
      const result = follow(launched, begun, sent, { ...callOptions, connect }, streams, cap)
      return callOptions.output?.reject && !callOptions.reads
        ? result.then((ended) => checkResult(ended, true))
        : result
    },
    callOptions.output,
  )
}

/** Returns the streams that the caller of a job gets. A stream is null if hutch itself writes its input. */
export function visible(
  streams: Streams,
  { input, inputs = [] }: Pick<Following, 'input' | 'inputs'>,
): Pick<Streams, 'stdin' | 'stdout' | 'stderr' | 'more'> {
  if (input === undefined && inputs.length === 0) return streams
  return {
    ...streams,
    stdin: input === undefined ? streams.stdin : null,
    more: streams.more.map((stream, i) => (inputs[i + 3] === undefined ? stream : null)),
  }
}

/** Ends those input streams of the job (stdin, and descriptors 3, 4, …) that no caller can write to. */
export function endWriting({ stdin, stdio }: Job): void {
  stdin?.end()
  for (const stream of stdio.slice(3)) if (stream && 'end' in stream) stream.end()
}
