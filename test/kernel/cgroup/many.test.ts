// SPDX-License-Identifier: Apache-2.0
// Many jobs at once.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { run, start } from '../../../src/index.ts'
import { buildDirectory } from '../../../src/system/native.ts'
import { groupsThatStay } from '../../support/leaks.ts'

const count = process.env.VM ? 60 : 500
const descriptors = () => readdirSync('/proc/self/fd').length
const threads = () => readdirSync('/proc/self/task').length

test(`${count} jobs at once: all results right, no descriptor, thread or group left`, async () => {
  await run('true', [], { stdio: 'ignore' })
  const before = { descriptors: descriptors(), threads: threads() }
  const results = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      run(i % 5 ? 'sh' : '/no/such/thing', ['-c', `echo ${i}; exit ${i % 100}`], {
        limits: { memory: '64M', pids: 20 },
        isolate: i % 2 ? ['pid', 'mount'] : 'none',
      }),
    ),
  )
  for (const [i, result] of results.entries())
    if (i % 5)
      expect({ stdout: result.stdout, exitCode: result.exitCode }).toEqual({ stdout: `${i}\n`, exitCode: i % 100 })
    else expect(result.reason).toBe('not-found')
  // the test runner opens and closes some of its own meanwhile
  await vi.waitFor(() => {
    expect(descriptors()).toBeLessThanOrEqual(before.descriptors)
    expect(threads()).toBeLessThanOrEqual(before.threads)
  }, 10_000)
  expect(await groupsThatStay()).toEqual([])
})

test('a waiting job costs at most 300 KiB beyond its command', async () => {
  const jobs = process.env.VM ? 50 : 200
  const available = () => Number(/MemAvailable: +(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))![1])
  const own = () => process.memoryUsage().rss / 1024
  const hold = (isolate: 'none' | 'all') =>
    Promise.all(
      Array.from({ length: jobs }, () =>
        start(`${buildDirectory}/bin/hutch`, ['hog', '4K', '--hold', '60s'], {
          isolate,
          init: isolate === 'all',
          stdio: 'ignore',
        }),
      ),
    )
  const measure = async (isolate: 'none' | 'all') => {
    const before = own()
    const started = await hold(isolate)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const rss = started.map((job) => rssOfTree(job.pid)).reduce((a, b) => a + b, 0)
    const cost = { node: (own() - before) / jobs, init: rss / jobs }
    await Promise.all(started.map(async (job) => (job.kill(), job.result)))
    return cost
  }
  expect(available()).toBeGreaterThan(0)
  await measure('none')
  const { node, init } = await measure('all')
  expect(node + init).toBeLessThan(300)
})

/** KiB of a process alone: hutch's PID 1, whose child is the command. */
function rssOfTree(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
}
