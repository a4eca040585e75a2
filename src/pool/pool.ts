// SPDX-License-Identifier: Apache-2.0
// Manages a pool of prestarted sandboxes, so that starting a job takes only one message. Each sandbox runs one job and
// is then replaced by a new one.

import { fail, type HutchError } from '../errors/errors.ts'
import { type OutputOptions, type OutputSpec, splitArguments } from '../options/library.ts'
import { parseOptions, type RunOptions, refuseUnknown, runOptionKeys } from '../options/options.ts'
import type { Spec } from '../options/spec.ts'
import type { Input } from '../run/input.ts'
import { endWriting, type Job } from '../run/job.ts'
import { loadFileReader, loadFilter } from '../run/load-parsers.ts'
import { collectOutput, emptyOutput } from '../run/output.ts'
import { checkResult } from '../run/run-error.ts'
import {
  type Encoding,
  type OutputOf,
  type ResultOf,
  readCallOptions,
  type StartOptions,
  type StdioOption,
  type Typed,
} from '../run/start-options.ts'
import { openStdio, type StdioSources } from '../run/stdio-sources.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'
import { closeSync } from '../system/files.ts'
import { availableParallelism } from '../system/machine.ts'
import { concludeUnstarted } from '../verdict/conclude.ts'
import type { Output, Result } from '../verdict/result.ts'
import { makeOrder, type OrderOptions, parseOrder } from './job-request.ts'
import { type JobOrder, launchWaiting, orderJob, type WaitingSandbox } from './prestarted.ts'
import { Stock } from './ready-queue.ts'

/**
 * Options of `createPool`: those of `run` for each sandbox. `timeout` and `cpuTime` are counted from the start of the
 * job, not of the sandbox.
 */
export interface PoolOptions extends RunOptions {
  /** Number of sandboxes that wait for a job, and of jobs that run at the same time: 1 to 1000. The number of CPUs by default. */
  size?: number
  /** The options of each sandbox as an object of its own, instead of next to `size`. None by default. */
  plan?: RunOptions
}

/** Options of a single job of a pool. */
export interface JobOptions
  extends OrderOptions,
    OutputOptions,
    Pick<StartOptions, 'stdio' | 'signal' | 'onEvent' | 'input'> {}

/** A pool's current counts, and its totals since the pool was created. */
export interface PoolStats {
  /** Number of jobs that can run at the same time. */
  size: number
  /** Number of sandboxes that wait for a job. */
  waiting: number
  /** Number of sandboxes that are being launched. */
  launching: number
  /** Number of jobs that run now. */
  running: number
  /** Number of jobs that wait for a sandbox. */
  queued: number
  /** Number of jobs started so far, including the running ones. */
  started: number
  /** Number of jobs that have ended. */
  finished: number
  /** Number of sandboxes that ended while they waited for a job, and were replaced. */
  lost: number
}

/** A job that waits until a sandbox is free. */
interface Turn {
  command: string
  /** How many launches of sandboxes have failed in a row while the job waited. */
  failures: number
  begin: (sandbox: WaitingSandbox) => void
  failed: (error: HutchError) => void
}

/**
 * Number of failed launches in a row after which a waiting job gets the error. A single failure can be an accident,
 * such as a kill.
 */
const patience = 3
const patienceWithKills = 10

/**
 * Waiting sandboxes and the jobs that run in them. `await using` ends everything at the end of the block.
 *
 * @example
 * const pool = await createPool({ size: 1 })
 * await Promise.all([pool.run('true'), pool.run('true')])
 * console.log(pool.stats().finished) // 2
 * await pool.close()
 */
export class Pool {
  readonly #spec: Spec
  readonly #size: number
  readonly #stock: Stock
  readonly #queue: Turn[] = []
  readonly #jobs = new Map<Job, Promise<unknown>>()
  #started = 0
  #finished = 0
  #closing: Promise<void> | undefined
  /** Any sandbox of the pool, for the facts in the result of a job that never starts. */
  #sample: WaitingSandbox | undefined
  #opening: { opened: () => void; failed: (error: HutchError) => void } | undefined

  /** @internal Creates an empty pool; users call `createPool`. */
  constructor(size: number, spec: Spec, filter: FilterMaker | undefined) {
    this.#size = size
    this.#spec = spec
    const launch = (events: Parameters<typeof launchWaiting>[2]) => {
      const one = launchWaiting(spec, filter, events)
      this.#sample ??= one
      return one
    }
    this.#stock = new Stock(size, launch, {
      ready: () => {
        if (this.#stock.waiting === size) this.#opening?.opened()
        for (const turn of this.#queue) turn.failures = 0
        this.#next()
      },
      failed: (error) => {
        this.#opening?.failed(error)
        this.#noteFailure(error)
        this.#next()
      },
    })
  }

  /** @internal Launches the sandboxes, and resolves when all of them wait for a job. */
  async open(): Promise<void> {
    const opened = new Promise<void>((resolve, reject) => {
      this.#opening = { opened: resolve, failed: reject }
    })
    this.#stock.fill()
    try {
      await opened
    } catch (error) {
      await this.close()
      throw error
    } finally {
      this.#opening = undefined
    }
  }

  /**
   * Runs a command to its end in a prestarted sandbox. At most `size` jobs run at the same time; further jobs wait in
   * order. Time limits count from the job's start. Never rejects because of what the command did, unless `reject` is
   * true.
   *
   * @throws the same errors as `start`
   * @throws POOL_CLOSED if the pool was closed before the job started, POOL_SANDBOX_LOST if its sandboxes were killed
   * @throws RunError with `reject`, if the command did not exit with status 0
   */
  run<const E extends Encoding = 'utf8', const L extends boolean = false, const S extends StdioOption = undefined>(
    file: string,
    args?: readonly string[],
    options?: Typed<JobOptions, E, L, S>,
  ): Promise<ResultOf<OutputOf<E, L>, S>>
  run<const E extends Encoding = 'utf8', const L extends boolean = false, const S extends StdioOption = undefined>(
    file: string,
    options: Typed<JobOptions, E, L, S>,
  ): Promise<ResultOf<OutputOf<E, L>, S>>
  /** Runs a command to its end. The command and its arguments are given as one list. */
  run<const E extends Encoding = 'utf8', const L extends boolean = false, const S extends StdioOption = undefined>(
    argv: readonly string[],
    options?: Typed<JobOptions, E, L, S>,
  ): Promise<ResultOf<OutputOf<E, L>, S>>
  async run(
    file: string | readonly string[],
    second?: readonly string[] | JobOptions,
    third?: JobOptions,
  ): Promise<Result<Output>> {
    const { args, options } = splitArguments<JobOptions>('pool.run', second, third)
    const argv = typeof file === 'object' ? [...file, ...args] : [file, ...args]
    const { output, callOptions, job: order } = readCallOptions('pool.run', options)
    const spec = parseOrder(argv, order, this.#spec)
    const sources = openStdio(
      callOptions.stdio ?? [callOptions.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    )
    try {
      const ways = { ...callOptions, sources, input: callOptions.input ?? sources.input }
      return checkResult(await this.#run(spec, order, output, ways), output.reject)
    } finally {
      for (const fd of sources.opened) closeSync(fd)
    }
  }

  async #run(spec: Spec, order: OrderOptions, output: OutputSpec, callOptions: JobWays): Promise<Result<Output>> {
    const { signal, onEvent, input, sources, stdio } = callOptions
    for (let lost = 1; ; lost++) {
      let unread = false
      const heard = () => {
        unread = true
        this.#stock.lost++
      }
      const { inputs } = sources
      const request = { options: order, sources, signal, onEvent, input, inputs, unread: heard, reads: true as const }
      const job = await this.#turn(spec, request, lost > 1)
      if (job === 'aborted') {
        const fields = await emptyOutput(stdio, output)
        return { ...notBegun(this.#sample!, spec, order), ...fields, abortReason: signal?.reason }
      }
      const result = job && (await this.#follow(job, output))
      if (result && !unread) return result
      if (unread) {
        this.#started--
        this.#finished--
      }
      // do not try again if every sandbox is killed because the limit is too low, or if a stream was already read or written
      const isUsed =
        unread &&
        ((typeof input === 'object' && !(input instanceof Uint8Array)) ||
          sources.writables.length > 0 ||
          inputs.length > 0)
      if (lost === (order.limits ? patience : patienceWithKills) || isUsed)
        throw fail('POOL_SANDBOX_LOST', { times: lost, ending: 'it was killed' })
    }
  }

  /** Returns the pool's current counts and lifetime totals. */
  stats(): PoolStats {
    const { waiting, launching, lost } = this.#stock
    return {
      size: this.#size,
      waiting,
      launching,
      running: this.#jobs.size,
      queued: this.#queue.length,
      started: this.#started,
      finished: this.#finished,
      lost,
    }
  }

  /**
   * Closes the pool: accepts no more jobs, and rejects those that have not started. Resolves when the running jobs have
   * ended and all sandboxes are removed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Closes the pool and kills the running jobs. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.close()
    for (const job of this.#jobs.keys()) job.kill('SIGKILL')
    await closed
  }

  async #close(): Promise<void> {
    for (const turn of this.#queue.splice(0)) turn.failed(fail('POOL_CLOSED', turn))
    await Promise.all([this.#stock.close(), ...this.#jobs.values()])
  }

  /**
   * Starts the job in the next free sandbox. Returns undefined if that sandbox has ended. Jobs start in order, but a
   * job that is tried again comes first.
   */
  #turn(spec: Spec, callOptions: JobOrder, again: boolean): Promise<Job | 'aborted' | undefined> {
    const { command } = spec
    const { signal } = callOptions
    return new Promise((resolve, reject) => {
      if (this.#closing) return reject(fail('POOL_CLOSED', { command }))
      if (signal?.aborted) return resolve('aborted')
      const onAbort = () => {
        this.#queue.splice(this.#queue.indexOf(turn), 1)
        resolve('aborted')
      }
      const turn: Turn = {
        command,
        failures: 0,
        begin: (sandbox) => {
          signal?.removeEventListener('abort', onAbort)
          try {
            resolve(this.#begin(sandbox, spec, callOptions))
          } catch (error) {
            reject(error)
          }
        },
        failed: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      if (again) this.#queue.unshift(turn)
      else this.#queue.push(turn)
      this.#next()
    })
  }

  #noteFailure(error: HutchError): void {
    const maxFailures = error.code === 'POOL_SANDBOX_LOST' ? patienceWithKills : patience
    for (const turn of this.#queue) turn.failures++
    if (this.#stock.waiting > 0) return
    for (const turn of this.#queue.filter(({ failures }) => failures >= maxFailures)) {
      this.#queue.splice(this.#queue.indexOf(turn), 1)
      turn.failed(error)
    }
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#jobs.size < this.#size && this.#stock.waiting > 0)
      this.#queue.shift()!.begin(this.#stock.take()!)
    if (this.#queue.length > 0 && this.#jobs.size < this.#size) this.#stock.fill()
  }

  #begin(sandbox: WaitingSandbox, spec: Spec, callOptions: JobOrder): Job | undefined {
    let job: Job | undefined
    try {
      job = orderJob(sandbox, spec, callOptions)
    } catch (error) {
      // a sandbox whose groups may already have this job's limits is not used for another job
      this.#stock.giveBack(sandbox, callOptions.options.limits === undefined)
      throw error
    }
    if (job) {
      this.#started++
      this.#jobs.set(job, job.result.then(nothing, nothing))
    }
    return job
  }

  async #follow(job: Job, output: OutputSpec): Promise<Result<Output>> {
    endWriting(job)
    const ended = job.result.finally(() => {
      this.#jobs.delete(job)
      this.#finished++
      this.#stock.fill()
      this.#next()
    })
    const [fields, result] = await Promise.all([collectOutput(job, output), ended])
    return { ...result, ...fields }
  }
}

/** The streams and callbacks of a single job. */
interface JobWays extends Pick<JobOptions, 'signal' | 'onEvent' | 'stdio'> {
  sources: StdioSources
  input?: Input | undefined
}

function nothing(): void {}

/**
 * Creates a pool, and resolves when its sandboxes wait for jobs. The pool keeps this process running until it is
 * closed.
 *
 * @throws the same errors as `start`; nothing is left behind
 * @example
 * const pool = await createPool({ size: 1, sandbox: true })
 * const { stdout } = await pool.run('echo', ['hello'], { stripFinalNewline: true })
 * console.log(stdout) // hello
 * await pool.close()
 */
export async function createPool(options: PoolOptions = {}): Promise<Pool> {
  refuseUnknown('createPool', options)
  if (options.plan !== undefined) refuseUnknown('createPool', options.plan, { name: 'plan', keys: runOptionKeys })
  const { size = Math.min(availableParallelism(), 1000), plan: inside, ...beside } = options
  if (!Number.isInteger(size) || size < 1 || size > 1000)
    throw fail('OPTION_INVALID', {
      name: 'size',
      value: size,
      accepted: 'a whole number from 1 to 1000',
    })
  const twice = inside && Object.keys(beside).find((key) => beside[key as keyof RunOptions] !== undefined)
  if (twice !== undefined)
    throw fail('OPTION_CONFLICT', {
      name: twice,
      why: 'the options of the sandboxes are also given in plan',
      remedy: 'give all options in plan, or all of them next to size',
    })
  const plan = inside ?? beside
  const spec = parseOptions('true', [], plan, 'library', await loadFileReader(plan), 'createPool')
  if (spec.seccompReport || spec.learn)
    throw fail('OPTION_CONFLICT', {
      name: `${inside ? 'plan.' : ''}${spec.learn ? 'learn' : 'seccompReport'}`,
      why: 'the sandboxes of a pool do not report calls',
      remedy: 'use run for it',
    })
  const pool = new Pool(size, spec, await loadFilter(spec))
  await pool.open()
  return pool
}

/** Returns the result of a job that was aborted before it started. */
function notBegun(sample: WaitingSandbox, spec: Spec, options: OrderOptions): Result {
  const { plan, program } = makeOrder(spec, options, { ...sample.launched, rest: sample.rest }, {})
  return concludeUnstarted(plan, program)
}
