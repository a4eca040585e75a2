// SPDX-License-Identifier: Apache-2.0
// When a run under limits passes: each reason to fail, and what does not count as slow.
import { expect, test } from 'vitest'
import { baselineOf, judgeTrial, median } from '../../../src/advise/judge-trial.ts'
import type { Trial } from '../../../src/advise/trial.ts'

const trial = (more: Partial<Trial> = {}): Trial => ({
  purpose: 'probe',
  limits: {},
  completed: true,
  stopped: false,
  isHopeless: false,
  headline: '',
  status: 0,
  durationMs: 2000,
  peak: 1,
  kept: 1,
  working: 1,
  reclaimable: 0,
  cpuUsec: 1_000_000,
  pidsPeak: 1,
  oomKills: 0,
  limitHits: 10,
  throttledUsec: 0,
  memoryWaitUsec: 0,
  ioWaitUsec: 0,
  cpuWaitUsec: 0,
  io: undefined,
  samples: [],
  ...more,
})
const baseline = baselineOf([trial(), trial({ durationMs: 1990 }), trial({ durationMs: 2010 })])

test.for<[string, Partial<Trial>, string]>([
  ['as without limits', {}, 'passed'],
  ['a kill', { oomKills: 1 }, 'oom'],
  ['a kill that the command survived', { oomKills: 1, completed: true }, 'oom'],
  ['another status', { completed: false, status: 1 }, 'failed'],
  ['Ctrl-C', { stopped: true, completed: false }, 'stopped'],
  ['reclaim that took long', { durationMs: 3000, memoryWaitUsec: 900_000 }, 'slow'],
  ['a run that hutch ended, because it only waited', { completed: false, isHopeless: true }, 'slow'],
  ['reclaim by the CPU', { durationMs: 3000, cpuUsec: 1_900_000 }, 'slow'],
  ['files that were read again', { durationMs: 3000, ioWaitUsec: 900_000 }, 'slow'],
  ['throttling', { durationMs: 3000, limitHits: 0, throttledUsec: 900_000 }, 'throttled'],
  ['reclaim, and less throttling', { durationMs: 3000, memoryWaitUsec: 600_000, throttledUsec: 300_000 }, 'slow'],
  ['throttling that made it no longer', { durationMs: 2010, throttledUsec: 900_000 }, 'passed'],
  ['a busy host, without waiting for memory', { durationMs: 3000 }, 'passed'],
  [
    'a busy host, whose tasks waited for a CPU while they reclaimed',
    { durationMs: 3000, memoryWaitUsec: 900_000, cpuWaitUsec: 880_000 },
    'passed',
  ],
  ['a limit that was not reached', { durationMs: 3000, limitHits: 0, memoryWaitUsec: 900_000 }, 'passed'],
  ['waiting that made it no longer', { durationMs: 2000, memoryWaitUsec: 900_000 }, 'passed'],
  ['less than the allowed slowdown', { durationMs: 2090, memoryWaitUsec: 90_000 }, 'passed'],
  ['without pressure figures, the time counts', { durationMs: 3000, memoryWaitUsec: undefined }, 'slow'],
])('%s', ([, more, outcome]) => {
  expect(judgeTrial(trial(more), baseline, 0.05)).toBe(outcome)
})

test('a short command may take 30 ms longer, and as long as its slowest run without limits', () => {
  const short = baselineOf([trial({ durationMs: 100 }), trial({ durationMs: 102 }), trial({ durationMs: 99 })])
  const after = (durationMs: number, base = short) =>
    judgeTrial(trial({ durationMs, memoryWaitUsec: (durationMs - 100) * 1000 }), base, 0.05)
  expect([after(125), after(140)]).toEqual(['passed', 'slow'])
  const uneven = baselineOf([trial({ durationMs: 100 }), trial({ durationMs: 150 }), trial({ durationMs: 99 })])
  expect([after(140, uneven), after(160, uneven)]).toEqual(['passed', 'slow'])
})

test('the median', () => {
  expect([median([]), median([3]), median([1, 9, 3]), median([1, 2, 3, 9])]).toEqual([0, 3, 3, 2.5])
})
