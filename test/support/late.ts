// SPDX-License-Identifier: Apache-2.0
// How late a busy machine lets this process run, and how late this process makes itself.
import { readdirSync, readFileSync } from 'node:fs'

/** The most milliseconds that a timer of this process came late, from now until it is stopped. */
export function watchTimer(): () => number {
  let [worst, due] = [0, performance.now() + 20]
  const check = () => {
    worst = Math.max(worst, performance.now() - due)
    due = performance.now() + 20
  }
  const timer = setInterval(check, 20)
  return () => {
    clearInterval(timer)
    return worst
  }
}

/**
 * The most milliseconds that this process kept a timer waiting by its own work or by a blocking call, until it is stopped.
 * Time in which one of its threads (the garbage collector's, too) could have run and had no processor does not count:
 * it is the run delay in schedstat.
 */
export function watchBlocking(): () => number {
  const readRunDelay = () => {
    let sum = 0
    for (const thread of readdirSync('/proc/self/task'))
      sum += Number(readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ')[1])
    return sum / 1e6
  }
  let [worst, due, delay] = [0, performance.now() + 20, readRunDelay()]
  const check = () => {
    const [now, delayed] = [performance.now(), readRunDelay()]
    worst = Math.max(worst, now - due - (delayed - delay))
    due = performance.now() + 20
    delay = delayed
  }
  const timer = setInterval(check, 20)
  return () => {
    clearInterval(timer)
    return worst
  }
}
