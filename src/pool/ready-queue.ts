// SPDX-License-Identifier: Apache-2.0
// Keeps a number of prestarted sandboxes ready. Launches new ones in the background, and replaces those that ended
// before they got a job. Called by pool.ts.

import { fail, type HutchError } from '../errors/errors.ts'
import { monotonicMs } from '../system/clock.ts'
import { discard, type SandboxEvents, type WaitingSandbox } from './prestarted.ts'

/**
 * How long to delay the next launch, in milliseconds. A launch blocks this thread for 1 to 2 ms, and a job that ends
 * within the delay need not wait for that.
 */
const shortJobMs = 5
/**
 * Age in milliseconds. A sandbox that ends without a job before this age is not replaced at once, so that a failing
 * launch does not repeat quickly.
 */
const youngMs = 1000
const restMs = 100
const longestRestMs = 1000

export class Stock {
  /** Number of sandboxes that ended before they got a job. */
  lost = 0
  readonly #size: number
  readonly #launch: (events: SandboxEvents) => WaitingSandbox
  readonly #events: { ready: () => void; failed: (error: HutchError) => void }
  readonly #waiting: WaitingSandbox[] = []
  /** The sandboxes that were launched, have no job and have not ended. */
  readonly #ours = new Set<WaitingSandbox>()
  #failures = 0
  #soon: NodeJS.Immediate | undefined
  #later: NodeJS.Timeout | undefined
  #closed: (() => void) | undefined

  /** Creates an empty queue. Calls `ready` when another sandbox is ready, and `failed` when a launch failed. */
  constructor(
    size: number,
    launch: (events: SandboxEvents) => WaitingSandbox,
    events: { ready: () => void; failed: (error: HutchError) => void },
  ) {
    this.#size = size
    this.#launch = launch
    this.#events = events
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get launching(): number {
    return this.#ours.size - this.#waiting.length
  }

  /** Removes and returns the sandbox that has waited longest. Returns undefined if none is ready. */
  take(): WaitingSandbox | undefined {
    const one = this.#waiting.shift()
    if (one) this.#ours.delete(one)
    this.fill(shortJobMs)
    return one
  }

  /** Takes back a sandbox that got no job after `take`. If `fit` is true, the sandbox is ready again; otherwise it is ended. */
  giveBack(one: WaitingSandbox, fit: boolean): void {
    this.#ours.add(one)
    if (fit && !this.#closed) this.#waiting.unshift(one)
    else discard(one)
  }

  /** Launches the missing sandboxes one at a time, so that other events are handled in between. */
  fill(afterMs = 0): void {
    if (this.#closed || this.#soon || this.#ours.size >= this.#size) return
    if (afterMs > 0) this.#later ??= setTimeout(() => this.#launchOne(), afterMs)
    else this.#soon = setImmediate(() => this.#launchOne())
  }

  /** Ends all sandboxes that wait. Resolves when they have ended. */
  close(): Promise<void> {
    clearImmediate(this.#soon)
    clearTimeout(this.#later)
    return new Promise((resolve) => {
      this.#closed = resolve
      if (this.#ours.size === 0) resolve()
      for (const one of this.#ours) discard(one)
    })
  }

  #launchOne(): void {
    clearTimeout(this.#later)
    this.#soon = this.#later = undefined
    if (this.#ours.size >= this.#size) return
    try {
      const one: WaitingSandbox = this.#launch({
        ready: () => {
          this.#failures = 0
          this.#waiting.push(one)
          this.#events.ready()
        },
        ended: (error, ending) => this.#ended(one, error, ending),
      })
      this.#ours.add(one)
      this.fill()
    } catch (error) {
      this.#failed(error as HutchError)
    }
  }

  #ended(one: WaitingSandbox, error: HutchError | undefined, ending: string): void {
    this.#ours.delete(one)
    const at = this.#waiting.indexOf(one)
    if (at >= 0) this.#waiting.splice(at, 1)
    if (this.#closed) {
      if (this.#ours.size === 0) this.#closed()
    } else if (one.ready) {
      this.lost++
      this.fill(monotonicMs() - one.born < youngMs ? restMs : 0)
    } else this.#failed(error ?? fail('POOL_SANDBOX_LOST', { times: 1, ending }))
  }

  #failed(error: HutchError): void {
    this.#failures++
    this.#events.failed(error)
    this.fill(Math.min(longestRestMs, 10 * 2 ** this.#failures))
  }
}
