// SPDX-License-Identifier: Apache-2.0
// What short workloads need, as `hutch advise` finds it: memory, CPUs and tasks.
// Runs alone: it compares times of runs.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { compileTimeout } from '../support/compile.ts'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import { advise, checkAdvice, checkCounts, makeWorkloads, type RunCount, shortWorkloads } from './workloads.ts'

beforeEach((context) => requires(context, 'hutch for Node', 'root'))

let made: ReturnType<typeof makeWorkloads>
const counts: RunCount[] = []

beforeAll(() => {
  made = makeWorkloads()
}, compileTimeout)
afterAll(() => made.remove())

const tried = sampled(shortWorkloads, false, 6)
const time = process.env.VM ? 1_200_000 : 120_000

test.for(tried)(
  '$name: the advice is enough 20 times of 20, and at most 10 % or 2 MiB above the need',
  { timeout: time },
  async ({ args, ...row }) => {
    const argv = [made.program, ...args(made.file)]
    const advice = await advise(argv)
    expect(advice.sure.confirmed).toBe(true)
    counts.push(await checkAdvice({ ...row, workload: { argv }, advice, above: 0.1 }))
  },
)

// a mean of all: where only a part is tried, there is none
test.for(tried.length < shortWorkloads.length ? [] : [0.6])(
  'the search takes on the mean at most %d of the runs of bisection',
  () => {
    expect(counts).toHaveLength(tried.length)
    checkCounts(counts)
  },
)

test(
  'the number of tasks is the peak of the tree',
  async () => {
    const { pids, resources } = await advise([made.program, 'tree', '3', '1'], '--runs', '1')
    // 1 + 2 + 4 + 8 processes, and hutch-init
    expect(pids).toEqual({ peak: 16 })
    expect(resources.pidsLimit).toBe(28)
  },
  time,
)
