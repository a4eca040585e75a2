// SPDX-License-Identifier: Apache-2.0
// The measure of blocking sees a call that blocks, and work of this thread.
import { expect, test } from 'vitest'
import { watchBlocking } from '../support/late.ts'

test.each([
  ['a call that blocks', () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)],
  [
    'work',
    () => {
      const before = process.cpuUsage()
      while (process.cpuUsage(before).user < 400_000);
    },
  ],
])('%s counts as blocking', async (_, block) => {
  const stop = watchBlocking()
  await new Promise((resolve) => setTimeout(resolve, 50))
  block()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(stop()).toBeGreaterThan(300)
})
