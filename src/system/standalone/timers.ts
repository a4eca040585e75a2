// SPDX-License-Identifier: Apache-2.0
// Timers and immediates. The loop of native/standalone/loop.c calls `turn`, which runs what is due, one at a time.
import { host } from './host.ts'

type Call = (...args: unknown[]) => void

/** A timer, as setTimeout returns it. */
class Timer {
  readonly call: Call
  readonly args: unknown[]
  readonly interval: number | undefined
  due: number
  referenced = true

  constructor(call: Call, ms: number, args: unknown[], repeats: boolean) {
    const delay = ms >= 1 ? Math.min(ms, 2 ** 31 - 1) : 1
    this.call = call
    this.args = args
    this.interval = repeats ? delay : undefined
    this.due = host.now() + delay
  }

  ref(): this {
    this.referenced = true
    return this
  }
  unref(): this {
    this.referenced = false
    return this
  }
  hasRef(): boolean {
    return this.referenced
  }
}

/** Timers by the time at which they are due. */
const timers: Timer[] = []
const immediates: Timer[] = []
let started = false

function start(): void {
  if (!started) host.setTurn(turn)
  started = true
}

function insert(timer: Timer): void {
  start()
  let at = timers.length
  while (at > 0 && timers[at - 1]!.due > timer.due) at--
  timers.splice(at, 0, timer)
}

/**
 * Runs one immediate or timer that is due. Returns 0 if it did, otherwise the milliseconds until the next timer, -1 without one, and
 * -2 - MS if the next keeps nothing running.
 */
function turn(): number {
  const first = timers[0]
  if (first && first.due <= host.now()) {
    timers.shift()
    if (first.interval !== undefined) {
      first.due = host.now() + first.interval
      insert(first)
    }
    first.call(...first.args)
    return 0
  }
  const immediate = immediates.shift()
  if (immediate) {
    immediate.call(...immediate.args)
    return 0
  }
  if (!first) return -1
  const left = Math.max(0.001, first.due - host.now())
  return timers.some(({ referenced }) => referenced) ? left : -2 - left
}

export function setTimeout(call: Call, ms = 1, ...args: unknown[]): Timer {
  const timer = new Timer(call, ms, args, false)
  insert(timer)
  return timer
}

export function setInterval(call: Call, ms = 1, ...args: unknown[]): Timer {
  const timer = new Timer(call, ms, args, true)
  insert(timer)
  return timer
}

export function setImmediate(call: Call, ...args: unknown[]): Timer {
  start()
  const immediate = new Timer(call, 1, args, false)
  immediates.push(immediate)
  return immediate
}

export function clearTimer(timer: Timer | undefined | null): void {
  for (const list of [timers, immediates]) {
    const at = timer ? list.indexOf(timer) : -1
    if (at >= 0) list.splice(at, 1)
  }
}
