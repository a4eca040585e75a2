// SPDX-License-Identifier: Apache-2.0
// The number of runs of plain bisection, to which the search is compared. Pure.
import { resolutionAt } from '../../src/advise/search.ts'

/** Attempts that bisection makes from [0, 2 × peak] until its bounds are as near as the search's: each halves the rest. */
export function bisectionRuns(need: number, peak: number): number {
  let [low, high] = [0, 2 * peak]
  let runs = 0
  for (; high - low > resolutionAt(high); runs++) {
    const middle = (low + high) / 2
    if (middle >= need) high = middle
    else low = middle
  }
  return runs
}
