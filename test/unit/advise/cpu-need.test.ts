// SPDX-License-Identifier: Apache-2.0
// CPUs that a run needs, from samples with a known answer.
import { expect, test } from 'vitest'
import { cpuNeedOf } from '../../../src/advise/cpu-need.ts'
import type { UseSample } from '../../../src/advise/use-sample.ts'

/** Samples every 10 ms; `use(at)` is the number of CPUs in use, `waits(at)` the shares of the time of some and full waiting. */
function samplesOf(
  ms: number,
  use: (at: number) => number,
  waits: (at: number) => [number, number] = () => [0, 0],
): UseSample[] {
  const samples: UseSample[] = []
  let [cpu, some, full] = [0, 0, 0]
  for (let at = 0; at <= ms; at += 10) {
    samples.push({
      at,
      memory: 0,
      kept: 0,
      working: 0,
      cpuUsec: cpu,
      someWaitUsec: some,
      fullWaitUsec: full,
      stalledUsec: 0,
    })
    const [nextSome, nextFull] = waits(at)
    cpu += use(at) * 10_000
    some += nextSome * 10_000
    full += nextFull * 10_000
  }
  return samples
}

test('two busy CPUs need two, minus the allowed slowdown', () => {
  const { mean, peak, need } = cpuNeedOf(
    samplesOf(2000, () => 2),
    0.05,
    4,
  )
  expect([mean, peak]).toEqual([expect.closeTo(2), expect.closeTo(2)])
  expect(need).toBeCloseTo(2 / 1.05, 2)
})

test('a burst within each period needs only the average', () => {
  const { mean, need } = cpuNeedOf(
    samplesOf(4000, (at) => (at % 100 < 50 ? 1 : 0)),
    0.05,
    4,
  )
  expect(mean).toBeCloseTo(0.5, 1)
  expect(need).toBeCloseTo(0.5, 1)
})

test('a burst that the quota of a period does not hold waits for the next period', () => {
  const { mean, need } = cpuNeedOf(
    samplesOf(12_000, (at) => (at % 120 < 40 ? 1 : 0)),
    0.05,
    4,
  )
  expect(mean).toBeCloseTo(0.33, 1)
  // 40 ms of each 100 ms: with less, a burst takes up to 60 ms longer
  expect(need).toBeGreaterThan(0.37)
  expect(need).toBeLessThan(0.41)
})

test('half a second of work per second stretches only the busy half', () => {
  const { need, times } = cpuNeedOf(
    samplesOf(10_000, (at) => (at % 1000 < 500 ? 1 : 0)),
    0.05,
    4,
  )
  // the busy half takes 0.5 s / limit: 0.5 + 0.5 / limit = 1.05 at 0.909
  expect(need).toBeCloseTo(1 / 1.1, 1)
  expect(times.map(({ ms }) => ms)).toEqual(times.map(({ ms }) => ms).toSorted((a, b) => b - a))
})

test('time in which a busy host lets all tasks wait does not count', () => {
  const { need, waited } = cpuNeedOf(
    samplesOf(
      4000,
      (at) => (at % 40 < 10 ? 1 : 0),
      (at) => (at % 40 < 10 ? [0, 0] : [1, 1]),
    ),
    0.05,
    4,
  )
  expect(need).toBeCloseTo(1 / 1.05, 1)
  expect(waited).toBeCloseTo(0.75, 1)
})

test('no samples: no need', () => {
  expect(cpuNeedOf([], 0.05, 4).need).toBe(0)
})
