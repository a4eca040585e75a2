// SPDX-License-Identifier: Apache-2.0
// What a recording is made of, as values: blocks of samples, times, looks that become fewer.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeBlock,
  decodeTimes,
  encodeBlock,
  encodeTimes,
  maxBlockSamples,
} from '../../../src/monitor/recording/column-codec.ts'
import { parseMoment } from '../../../src/monitor/recording/cursor.ts'
import { lastOfEach, thin } from '../../../src/monitor/recording/downsample.ts'
import type { GroupSample } from '../../../src/monitor/sample.ts'

const figure = fc.option(
  fc.oneof(
    fc.nat(1000),
    fc.maxSafeNat().map((n) => Math.floor(n / 4)),
  ),
  { nil: undefined },
)
const limit = fc.oneof(figure, fc.constant('max' as const))
const flag = fc.option(fc.boolean(), { nil: undefined })
const known = fc.maxSafeNat().map((n) => Math.floor(n / 4))
const stall = fc.record({ avg10: fc.nat(10_000).map((n) => n / 100), totalUsec: known })
const pressure = fc.option(fc.oneof(fc.record({ some: stall }), fc.record({ some: stall, full: stall })), {
  nil: undefined,
})
const device = fc.tuple(fc.nat(300), fc.nat(300)).map(([major, minor]) => `${major}:${minor}`)
const io = fc.option(
  fc
    .array(fc.tuple(device, fc.record({ readBytes: known, writtenBytes: known, reads: known, writes: known })), {
      maxLength: 3,
    })
    .map((entries) => Object.fromEntries(entries)),
  { nil: undefined },
)
const sample: fc.Arbitrary<GroupSample> = fc.record({
  populated: flag,
  frozen: flag,
  cpuMax: fc.oneof(
    fc.nat(10_000_000).map((n) => n / 1e6),
    fc.constantFrom('max' as const, undefined),
  ),
  ...Object.fromEntries(
    'cpuUsec userUsec systemUsec periods throttledPeriods throttledUsec memory memoryPeak workingSet anon file swap oomKills pids'
      .split(' ')
      .map((name) => [name, figure]),
  ),
  ...Object.fromEntries(['memoryMax', 'swapMax', 'pidsMax'].map((name) => [name, limit])),
  io,
  cpuPressure: pressure,
  memoryPressure: pressure,
  ioPressure: pressure,
}) as unknown as fc.Arbitrary<GroupSample>
/** As a survey gives them: now and then the same object again, or no group. */
const samples = fc
  .array(fc.tuple(fc.option(sample, { nil: undefined }), fc.integer({ min: 1, max: 4 })), {
    minLength: 1,
    maxLength: 12,
  })
  .map((runs) => runs.flatMap(([one, times]) => new Array<GroupSample | undefined>(times).fill(one)))

test('a block gives back what was put in', () => {
  fc.assert(
    fc.property(samples, (given) => {
      const read = decodeBlock(encodeBlock(given), given.length)
      expect(read).toEqual(given)
      // what did not change is one object, as a survey has it
      for (const [i, one] of given.entries()) if (i > 0 && one === given[i - 1]) expect(read![i]).toBe(read![i - 1])
    }),
  )
})

test('a damaged block is refused or read as some other samples, never a throw, never more than it may be', () => {
  let refused = 0
  fc.assert(
    fc.property(
      samples,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }),
      fc.nat(),
      (given, changes, cut) => {
        const bytes = encodeBlock(given)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        const read = decodeBlock(bytes.subarray(0, cut % 3 === 0 ? cut % bytes.length : undefined), given.length)
        if (read) expect(read.length).toBe(given.length)
        else refused++
      },
    ),
  )
  expect(refused).toBeGreaterThan(0)
  const whole = encodeBlock([undefined])
  for (const count of [0, -1, maxBlockSamples + 1, Number.NaN, 2 ** 40])
    expect(decodeBlock(whole, count)).toBeUndefined()
  expect(decodeBlock(new Uint8Array(), 1)).toBeUndefined()
  expect(decodeBlock(Uint8Array.of(...whole, 0), 1)).toBeUndefined()
})

test('an idle group takes few bytes, a busy one some for each look', () => {
  const idle = { populated: false, memory: 4096, memoryMax: 'max', pids: 0, cpuUsec: 123_456_789 } as GroupSample
  expect(encodeBlock(new Array(60).fill(idle)).length).toBeLessThan(60)
  const busy = Array.from({ length: 60 }, (_, i) => ({
    ...idle,
    cpuUsec: 1e9 + i * 400_000,
    memory: 2e8 + (i % 7) * 8192,
  }))
  expect(encodeBlock(busy).length).toBeLessThan(60 * 7)
})

test('times are given back, and only times that go on are taken', () => {
  fc.assert(
    fc.property(fc.nat(2e12), fc.array(fc.integer({ min: 1, max: 1e6 }), { maxLength: 100 }), (first, steps) => {
      const times = [first]
      for (const step of steps) times.push(times.at(-1)! + step)
      expect(decodeTimes(encodeTimes(times))).toEqual(times)
    }),
  )
  expect(encodeTimes(Array.from({ length: 60 }, (_, i) => 1.7e12 + i * 1000)).length).toBeLessThan(80)
  expect(decodeTimes(encodeTimes([5, 5]))).toBeUndefined()
  expect(decodeTimes(encodeTimes([9, 5]))).toBeUndefined()
  expect(decodeTimes(new Uint8Array())).toBeUndefined()
  expect(decodeTimes(Uint8Array.of(0x80))).toBeUndefined()
})

test('fewer looks keep the peaks, and the counters as they stood at the end', () => {
  const of = (memory: number | undefined, cpuUsec: number, avg10: number) =>
    ({ memory, cpuUsec, cpuPressure: { some: { avg10, totalUsec: cpuUsec } } }) as GroupSample
  const times = [1000, 2000, 9999, 10_000, 11_000, 25_000]
  const last = lastOfEach(times, 10_000)
  expect(last).toEqual([2, 4, 5])
  const [first, second, third] = thin(
    [of(5, 1, 0), of(90, 2, 40), of(7, 3, 1), of(undefined, 4, 0), undefined, undefined],
    last,
  )
  expect(first).toEqual(of(90, 3, 40))
  // it was there for a part of the time
  expect(second).toEqual(of(undefined, 4, 0))
  expect(third).toBeUndefined()
})

test('moments are understood as people write them', () => {
  const end = new Date(2026, 0, 31, 12, 0, 0).getTime()
  expect(parseMoment('-10m', end)).toBe(end - 600_000)
  expect(parseMoment('11:30', end)).toBe(end - 1_800_000)
  expect(parseMoment('12:00:30', end)).toBe(new Date(2026, 0, 30, 12, 0, 30).getTime())
  expect(parseMoment('@1700000000', end)).toBe(1.7e12)
  expect(parseMoment('2026-01-31T12:00:00', end)).toBe(end)
  expect(parseMoment('2026-01-31T12:00:00Z', end)).toBe(Date.UTC(2026, 0, 31, 12))
  for (const text of ['', 'now', '25 past', '-', '2026-99-99', '7']) expect(parseMoment(text, end)).toBeUndefined()
})
