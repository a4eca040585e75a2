// SPDX-License-Identifier: Apache-2.0
// How late a busy machine lets this process run.

/** The most milliseconds that a timer of this process came late, from now until it is stopped. */
export function watchTimer(): () => number {
  let [worst, due] = [0, performance.now() + 20]
  const look = () => {
    worst = Math.max(worst, performance.now() - due)
    due = performance.now() + 20
  }
  const timer = setInterval(look, 20)
  return () => {
    clearInterval(timer)
    return worst
  }
}
