// SPDX-License-Identifier: Apache-2.0
// Keeps a number of sandboxes waiting: launches new ones in the background, also for those that end before their time.

import { fail, type HutchError } from '../errors/errors.ts'
import { monotonicMs } from '../system/clock.ts'
import { discard, type Told, type WaitingSandbox } from './prestarted.ts'

/** A launch takes this thread a millisecond or two: a job that is shorter than this is not to wait for it. */
const shortJobMs = 5
/** One that ends so soon after its launch, and by nobody here, is not replaced at once. */
const youngMs = 1000
const restMs = 100
const longestRestMs = 1000

export class Stock {
  /** How many ended before their time. */
  lost = 0
  readonly #size: number
  readonly #launch: (told: Told) => WaitingSandbox
  readonly #told: { ready: () => void; failed: (error: HutchError) => void }
  readonly #waiting: WaitingSandbox[] = []
  /** Launched, and neither ended nor taken. */
  readonly #ours = new Set<WaitingSandbox>()
  #failures = 0
  #soon: NodeJS.Immediate | undefined
  #later: NodeJS.Timeout | undefined
  #closed: (() => void) | undefined

  /** `ready`: one more waits. `failed`: a launch did not get that far. */
  constructor(
    size: number,
    launch: (told: Told) => WaitingSandbox,
    told: { ready: () => void; failed: (error: HutchError) => void },
  ) {
    this.#size = size
    this.#launch = launch
    this.#told = told
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get launching(): number {
    return this.#ours.size - this.#waiting.length
  }

  /** The one that has waited longest. */
  take(): WaitingSandbox | undefined {
    const one = this.#waiting.shift()
    if (one) this.#ours.delete(one)
    this.fill(shortJobMs)
    return one
  }

  /** One that was taken and not used waits again, or is thrown away. */
  giveBack(one: WaitingSandbox, fit: boolean): void {
    this.#ours.add(one)
    if (fit && !this.#closed) this.#waiting.unshift(one)
    else discard(one)
  }

  /** Sees to it that there are enough, one by one, so that other work gets its turn. */
  fill(afterMs = 0): void {
    if (this.#closed || this.#soon || this.#ours.size >= this.#size) return
    if (afterMs > 0) this.#later ??= setTimeout(() => this.#launchOne(), afterMs)
    else this.#soon = setImmediate(() => this.#launchOne())
  }

  /** Ends all that wait; resolves when they are gone. */
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
          this.#told.ready()
        },
        ended: (error, how) => this.#ended(one, error, how),
      })
      this.#ours.add(one)
      this.fill()
    } catch (error) {
      this.#failed(error as HutchError)
    }
  }

  #ended(one: WaitingSandbox, error: HutchError | undefined, how: string): void {
    this.#ours.delete(one)
    const at = this.#waiting.indexOf(one)
    if (at >= 0) this.#waiting.splice(at, 1)
    if (this.#closed) {
      if (this.#ours.size === 0) this.#closed()
    } else if (one.ready) {
      this.lost++
      this.fill(monotonicMs() - one.born < youngMs ? restMs : 0)
    } else this.#failed(error ?? fail('POOL_SANDBOX_LOST', { times: 1, how }))
  }

  #failed(error: HutchError): void {
    this.#failures++
    this.#told.failed(error)
    this.fill(Math.min(longestRestMs, 10 * 2 ** this.#failures))
  }
}
