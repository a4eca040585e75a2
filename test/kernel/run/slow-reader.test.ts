// SPDX-License-Identifier: Apache-2.0
// Backpressure: a slow reader holds the job, and memory does not grow, by each way to read output. Runs test/support/slow-reader.mjs.
import { afterAll, expect, test } from 'vitest'
import { collect } from '../../cli/hutch.ts'
import { workplace } from '../../support/image.ts'
import { repetitions, sampled } from '../../support/sample.ts'

const { path: work, remove } = workplace()
afterAll(remove)

/** MiB that the job writes. */
const size = repetitions(200, 24)

async function readSlowly(way: string): Promise<{ held: number; rss: number; readAtEnd: number }> {
  const script = ['--expose-gc', 'test/support/slow-reader.mjs', way, String(size), `${work}/written`]
  const { stdout, stderr, status } = await collect(process.execPath, script)
  expect([status, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

const others = ['all', 'lines', 'a maximum of output', 'another job', 'descriptor 3', 'a stream of the caller']

test.for(['stdout', ...sampled(others, true)])(
  'a slow reader of %s holds the job, and memory stays flat',
  { timeout: 120_000 },
  async (way) => {
    const { held, rss, readAtEnd } = await readSlowly(way)
    expect(held).toBeLessThanOrEqual(8)
    expect(rss).toBeLessThanOrEqual(32)
    expect(readAtEnd).toBeGreaterThanOrEqual(size - 3)
  },
)

test('a reader that keeps everything is measured', { timeout: 120_000 }, async () => {
  expect((await readSlowly('kept')).held).toBeGreaterThanOrEqual(size / 2)
})
