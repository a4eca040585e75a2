// SPDX-License-Identifier: Apache-2.0
// The search for the smallest limit: its answer is right for every need and guess, and it makes few runs.
import { expect, test } from 'vitest'
import { resolutionAt, searchLimit } from '../../../src/advise/search.ts'
import { bisectionRuns } from '../../advise/bisection.ts'

const mib = 2 ** 20

/** Searches for a command with this need, whose page cache fills the rest up to the peak. */
async function search(need: number, peak: number, guess: number) {
  let runs = 0
  const bracket = await searchLimit({ enough: peak, guess }, async (limit) => {
    runs++
    return { passed: limit >= need, ...(limit >= peak && { peak }) }
  })
  return { ...bracket, runs }
}

test('the bounds are around the need, and within the resolution', async () => {
  for (const need of [1, 3, 8, 20, 80, 300, 2000])
    for (const above of [1, 1.01, 1.5, 4, 30])
      for (const error of [0.3, 0.9, 0.98, 1, 1.02, 1.2, 3]) {
        const peak = need * above * mib
        const found = await search(need * mib, peak, Math.min(peak, need * error * mib))
        expect(found.enough, `${need} ${above} ${error}`).toBeGreaterThanOrEqual(need * mib)
        expect(found.failed, `${need} ${above} ${error}`).toBeLessThan(need * mib)
        expect(found.enough - found.failed).toBeLessThanOrEqual(resolutionAt(found.enough))
        expect(found.runs).toBeLessThan(20)
      }
})

test.for([
  [1, 'at most 2 runs', 2],
  [0.97, 'at most 4 runs', 4],
  [1.05, 'at most 5 runs', 5],
] as const)('a guess of %d times the need takes %s', async ([error, , most]) => {
  for (const need of [20, 80, 300, 2000])
    for (const above of [1.3, 4]) {
      const guess = need * error * mib
      const { runs } = await search(need * mib, need * above * mib, guess + resolutionAt(guess) / 2)
      expect(runs).toBeLessThanOrEqual(most)
      // with the runs without limits and the last one, on both sides
      if (error === 1) expect(runs + 4).toBeLessThanOrEqual(0.6 * (bisectionRuns(need * mib, need * above * mib) + 4))
    }
})

test('a limit that was never reached bounds the need by the peak of that run', async () => {
  const need = 40 * mib
  const limits: number[] = []
  const found = await searchLimit({ enough: 200 * mib, guess: 150 * mib }, async (limit) => {
    limits.push(limit)
    return limit >= need ? { passed: true, peak: Math.min(limit, need) } : { passed: false }
  })
  expect(found.enough).toBeGreaterThanOrEqual(need)
  expect(limits.length).toBeLessThanOrEqual(4)
})

test('a search that is stopped returns what is known', async () => {
  let runs = 0
  const found = await searchLimit({ enough: 100 * mib, guess: 50 * mib }, async (limit) =>
    ++runs > 2 ? undefined : { passed: limit >= 60 * mib },
  )
  expect(found.failed).toBeGreaterThan(0)
  expect(found.enough).toBe(100 * mib)
})

test('where runs differ, a limit that some of them exceed is not tried, unless the command adapts', async () => {
  const limits: number[] = []
  const start = { enough: 122 * mib, guess: 121 * mib, failed: 118 * mib, adapted: 90 * mib }
  const differing = await searchLimit(start, async (limit) => {
    limits.push(limit)
    return { passed: true, peak: 101 * mib }
  })
  expect([differing.failed, differing.enough]).toEqual([118 * mib, expect.any(Number)])
  expect(Math.min(...limits)).toBeGreaterThan(118 * mib)
  const adapting = await searchLimit(start, async (limit) =>
    limit >= 80 * mib ? { passed: true, peak: Math.min(limit * 0.7, 75 * mib) } : { passed: false },
  )
  expect(adapting.failed).toBeLessThan(80 * mib)
  expect(adapting.enough).toBeLessThan(83 * mib)
})
