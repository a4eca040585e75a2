// SPDX-License-Identifier: Apache-2.0
// A pool of waiting sandboxes, so that a start costs one message. Each sandbox serves one job; a new one replaces it.

import { fail, type HutchError } from '../errors/errors.ts'
import { parseOptions, type RunOptions, refuseUnknown } from '../options/options.ts'
import type { Spec } from '../options/spec.ts'
import { checkEars, collect, type Job, loadFileReader, loadFilter, type StartOptions } from '../run/job.ts'
import type { Stdio } from '../run/stdio.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'
import { systemConstants } from '../system/constants.ts'
import { conclude } from '../verdict/conclude.ts'
import { noOutcome } from '../verdict/outcome.ts'
import type { Result } from '../verdict/result.ts'
import { makeOrder, type OrderOptions, parseOrder } from './job-request.ts'
import { type JobOrder, launchWaiting, orderJob, type WaitingSandbox } from './prestarted.ts'
import { Stock } from './ready-queue.ts'

/** Options of `createPool`. */
export interface PoolOptions {
  /** Number of waiting sandboxes, and of jobs that run simultaneously: 1 to 1000. */
  size: number
  /** Options of each sandbox, as for `run`. `timeout` and `cpuTime` are counted from the start of each job. */
  plan?: RunOptions
}

/** Options of one job of a pool. */
export interface JobOptions extends OrderOptions, Pick<StartOptions, 'stdio' | 'signal' | 'onEvent'> {
  /** The whole standard input; empty by default. */
  stdin?: string | Uint8Array
}

/** A pool's current counts, and its totals since it was created. */
export interface PoolStats {
  size: number
  /** Sandboxes that wait for a job. */
  waiting: number
  /** Sandboxes that are being launched. */
  launching: number
  running: number
  /** Jobs that wait for a sandbox. */
  queued: number
  /** Jobs started so far, including the running ones. */
  started: number
  finished: number
  /** Sandboxes that ended while they waited and were replaced. */
  lost: number
}

/** A job that waits for a sandbox. */
interface Turn {
  command: string
  /** Number of failed launches in a row while it waits. */
  failures: number
  begin: (sandbox: WaitingSandbox) => void
  failed: (error: HutchError) => void
}

/** Number of refused launches in a row before a waiting job gets the error. A single one may be an accidental kill. */
const patience = 3
const patienceWithKills = 10

/** Waiting sandboxes and jobs for them. `await using` ends everything at the end of the block. */
export class Pool {
  readonly #spec: Spec
  readonly #size: number
  readonly #stock: Stock
  readonly #queue: Turn[] = []
  readonly #jobs = new Map<Job, Promise<unknown>>()
  #started = 0
  #finished = 0
  #closing: Promise<void> | undefined
  /** A sandbox from which the result of a job that never starts is made. */
  #sample: WaitingSandbox | undefined
  #opening: { opened: () => void; failed: (error: HutchError) => void } | undefined

  /** @internal Pools are made by `createPool`. */
  constructor(size: number, spec: Spec, filter: FilterMaker | undefined) {
    this.#size = size
    this.#spec = spec
    const launch = (told: Parameters<typeof launchWaiting>[2]) => {
      const one = launchWaiting(spec, filter, told)
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

  /** @internal Resolves when all sandboxes wait. */
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
   * Runs a command to its end in a waiting sandbox. At most `size` jobs run simultaneously; others wait in order. Times are counted from
   * the job's start. The promise never rejects because of how the command ended.
   *
   * @throws HutchError for what hutch could not do; POOL_CLOSED if the pool was closed before the job started
   */
  async run(argv: readonly string[], options: JobOptions = {}): Promise<Result> {
    const { stdin, stdio, signal, onEvent, ...order } = options
    checkEars(options)
    const spec = parseOrder(argv, order, this.#spec)
    const ends = chooseEnds(stdin, stdio)
    for (let lost = 1; ; lost++) {
      let unread = false
      const heard = () => {
        unread = true
        this.#stock.lost++
      }
      const how = { options: order, stdio: ends, signal, onEvent, unread: heard, reads: true as const }
      const job = await this.#turn(spec, how, lost > 1)
      if (job === 'aborted') return notBegun(this.#sample!, spec, order)
      const result = job && (await this.#follow(job, stdin))
      if (result && !unread) return result
      if (unread) {
        this.#started--
        this.#finished--
      }
      // if the limit is too low for a waiting sandbox, the kernel kills every one
      if (lost === (order.limits ? patience : patienceWithKills))
        throw fail('POOL_SANDBOX_LOST', { times: lost, how: 'it was killed' })
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
   * Accepts no more jobs, and rejects those that have not started. Resolves when the running jobs have ended and all sandboxes are gone.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Closes the pool and kills the running jobs. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.close()
    for (const job of this.#jobs.keys()) job.kill()
    await closed
  }

  async #close(): Promise<void> {
    for (const turn of this.#queue.splice(0)) turn.failed(fail('POOL_CLOSED', turn))
    await Promise.all([this.#stock.close(), ...this.#jobs.values()])
  }

  /**
   * Starts the job in the next free sandbox; returns undefined if that has ended. Jobs start in order; a job that lost its sandbox is
   * first.
   */
  #turn(spec: Spec, how: JobOrder, again: boolean): Promise<Job | 'aborted' | undefined> {
    const { command } = spec
    const { signal } = how
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
            resolve(this.#begin(sandbox, spec, how))
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
    const most = error.code === 'POOL_SANDBOX_LOST' ? patienceWithKills : patience
    for (const turn of this.#queue) turn.failures++
    if (this.#stock.waiting > 0) return
    for (const turn of this.#queue.filter(({ failures }) => failures >= most)) {
      this.#queue.splice(this.#queue.indexOf(turn), 1)
      turn.failed(error)
    }
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#jobs.size < this.#size && this.#stock.waiting > 0)
      this.#queue.shift()!.begin(this.#stock.take()!)
    if (this.#queue.length > 0 && this.#jobs.size < this.#size) this.#stock.fill()
  }

  #begin(sandbox: WaitingSandbox, spec: Spec, how: JobOrder): Job | undefined {
    let job: Job | undefined
    try {
      job = orderJob(sandbox, spec, how)
    } catch (error) {
      // the groups may already have this job's limits
      this.#stock.giveBack(sandbox, how.options.limits === undefined)
      throw error
    }
    if (job) {
      this.#started++
      this.#jobs.set(job, job.result.then(nothing, nothing))
    }
    return job
  }

  async #follow(job: Job, stdin: string | Uint8Array | undefined): Promise<Result> {
    job.stdin?.end(stdin)
    const ended = job.result.finally(() => {
      this.#jobs.delete(job)
      this.#finished++
      this.#stock.fill()
      this.#next()
    })
    const [stdout, stderr, result] = await Promise.all([collect(job.stdout), collect(job.stderr), ended])
    return { ...result, ...(stdout !== undefined && { stdout }), ...(stderr !== undefined && { stderr }) }
  }
}

function nothing(): void {}

/**
 * Creates a pool, and resolves when its sandboxes wait. The pool keeps this process running until it is closed.
 * @throws HutchError for what `run` would refuse in the plan; nothing is left behind
 */
export async function createPool(options: PoolOptions): Promise<Pool> {
  refuseUnknown(options, ['size', 'plan'], '', 'option')
  const { size, plan = {} } = options
  if (!Number.isInteger(size) || size < 1 || size > 1000)
    throw fail('OPTION_INVALID', {
      name: 'size',
      value: size,
      accepted: 'a whole number from 1 to 1000',
    })
  const spec = parseOptions('true', [], plan, 'library', await loadFileReader(plan))
  if (spec.seccompReport || spec.learn)
    throw fail('OPTION_CONFLICT', {
      name: spec.learn ? 'plan.learn' : 'plan.seccompReport',
      why: 'the sandboxes of a pool do not report calls',
      remedy: 'use run for it',
    })
  const pool = new Pool(size, spec, await loadFilter(spec))
  await pool.open()
  return pool
}

function chooseEnds(
  stdin: string | Uint8Array | undefined,
  stdio: StartOptions['stdio'],
): Stdio | readonly [Stdio, Stdio, Stdio] {
  if (stdin === undefined) return stdio ?? ['ignore', 'pipe', 'pipe']
  if (typeof stdin !== 'string' && !(stdin instanceof Uint8Array))
    throw fail('OPTION_INVALID', {
      name: 'stdin',
      value: stdin,
      accepted: 'a text or bytes',
    })
  if (stdio !== undefined && (typeof stdio === 'object' ? stdio[0] : stdio) !== 'pipe')
    throw fail('OPTION_CONFLICT', {
      name: 'stdin',
      why: 'stdio names another source',
      remedy: "give 'pipe' for it in stdio, or leave stdin out",
    })
  return stdio ?? 'pipe'
}

/** Returns the result of a job that its caller stopped before it started. */
function notBegun(sample: WaitingSandbox, spec: Spec, options: OrderOptions): Result {
  const { plan, program } = makeOrder(spec, options, { ...sample.launched, rest: sample.rest }, '')
  const { SIGTERM } = systemConstants.signals
  const aborted = { stopCause: 'aborted', notBegun: true, ownStatus: SIGTERM } as const
  return conclude(plan, program, { ...noOutcome(new Set([SIGTERM])), ...aborted })
}
