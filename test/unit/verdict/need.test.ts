// SPDX-License-Identifier: Apache-2.0
// What is advised after a limit was too low: always above the limit, and of bursts no more CPUs first.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseEvents } from '../../../src/host/kernel-record.ts'
import { cpuNeed } from '../../../src/verdict/cpu-need.ts'
import { limitForPeak, measuringLimit } from '../../../src/verdict/memory-need.ts'
import { fittingHeap, limitForHeap } from '../../../src/verdict/node-heap.ts'

const [MiB, GiB] = [2 ** 20, 2 ** 30]
const size = fc.integer({ min: 1, max: 2 ** 40 })

test('a measuring limit is above the old one, within what the host and the groups above have', () => {
  fc.assert(
    fc.property(size, size, size, (limit, spare, above) => {
      const found = measuringLimit(limit, spare, above)
      if (found === undefined) return
      expect(found).toBeGreaterThan(limit)
      expect(found).toBeLessThan(Math.min(spare, above))
    }),
  )
  expect(measuringLimit(40 * MiB, 23 * GiB)).toBe(11 * GiB)
  expect(measuringLimit(40 * MiB, 23 * GiB, 160 * MiB)).toBe(144 * MiB)
  expect(measuringLimit(11 * GiB, 23 * GiB)).toBe(undefined)
  expect(limitForPeak(90 * MiB)).toBe(102 * MiB)
})

test('CPUs that are advised are always above the limit; a mean below the limit is that of bursts', () => {
  const usec = fc.integer({ min: 0, max: 10 ** 10 })
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 6_400_000 }),
      fc.integer({ min: 1, max: 10_000 }),
      usec,
      usec,
      (quota, periods, cpuUsec, throttledUsec) => {
        const { cpus } = cpuNeed({ quota, period: 100_000, periods, throttledPeriods: periods, cpuUsec, throttledUsec })
        expect(cpus).toBeGreaterThan(quota / 100_000)
      },
    ),
  )
  const one = { quota: 100_000, period: 100_000, periods: 100, throttledPeriods: 60, throttledUsec: 4_000_000 }
  expect(cpuNeed({ ...one, cpuUsec: 5_000_000 })).toMatchObject({
    bursts: true,
    longer: { quota: 1_000_000, period: 1_000_000 },
  })
  expect(cpuNeed({ ...one, cpuUsec: 9_900_000 })).toMatchObject({ bursts: false, cpus: 1.4 })
})

test('a heap that fits leaves Node what it needs, and a limit for a heap has room for it', () => {
  expect([60, 75, 100, 150, 192, 1024].map((limit) => fittingHeap(limit * MiB))).toEqual([
    undefined,
    ...[27, 52, 102, 144, 768].map((heap) => heap * MiB),
  ])
  fc.assert(
    fc.property(fc.integer({ min: 24, max: 8192 }), (heap) => {
      expect(fittingHeap(limitForHeap(heap * MiB))).toBeGreaterThanOrEqual(heap * MiB)
    }),
  )
})

test.each([
  [
    'v2',
    ['anon 30', 'file 12', 'kernel 5', 'shmem 8', 'swap: usage 1kB, limit 0kB, failcnt 0'],
    { anon: 30, file: 4, kernel: 5, shmem: 8, swap: 1024 },
  ],
  [
    'v1',
    [
      'kmem: usage 2kB, limit 9kB, failcnt 0',
      'cache 0',
      'rss 1',
      'total_cache 9',
      'total_rss 30',
      'total_shmem 9',
      'total_swap 0',
    ],
    { anon: 30, file: 0, kernel: 2048, shmem: 9, swap: 0 },
  ],
])("the log's memory by kind, of %s", (_, lines, use) => {
  const victim = (pid: number) =>
    `Memory cgroup out of memory: Killed process ${pid} (a) total-vm:9kB, anon-rss:1kB, file-rss:2kB, shmem-rss:3kB, UID:0 pgtables:44kB oom_score_adj:0`
  const head =
    'oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a,task=a,pid=7,uid=0'
  const texts = ['a invoked oom-killer: gfp_mask=0xcc0', ...lines, head, victim(7), victim(8)]
  const { kills } = parseEvents(texts.map((text, number) => ({ number, at: number, byKernel: true, text })))
  // the second has no report of its own
  expect(kills.map((kill) => kill.use)).toEqual([use, undefined])
})
