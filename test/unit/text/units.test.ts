// SPDX-License-Identifier: Apache-2.0
// Sizes, times and shares as text and as numbers.
import { anything, assert, double, integer, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatDuration,
  formatSize,
  parseCount,
  parseCpuList,
  parseCpus,
  parseDuration,
  parseSize,
} from '../../../src/text/units.ts'

test.each([
  ['50M', 52428800],
  ['1.5G', 1610612736],
  ['52428800', 52428800],
  [4096, 4096],
  ['64KiB', 65536],
  ['10mb', 10485760],
  ['2 T', 2 * 2 ** 40],
  ['max', 'max'],
  ['0', 0],
  ['', undefined],
  ['-1', undefined],
  ['5Q', undefined],
  ['1e3', undefined],
  ['0x10', undefined],
  ['9007199254740993', undefined],
  ['99999P', undefined],
  [Number.NaN, undefined],
  [1e21, undefined],
  [null, undefined],
  ['5M\n', undefined],
  ['M', undefined],
])('parseSize(%j) is %j', (text, bytes) => expect(parseSize(text)).toBe(bytes))

test.each([
  ['5', 5],
  [7, 7],
  ['max', 'max'],
  ['0', undefined],
  ['1.5', undefined],
  ['-3', undefined],
  ['', undefined],
  ['1e9', undefined],
])('parseCount(%j) is %j', (text, count) => expect(parseCount(text)).toBe(count))

test.each([
  ['10s', 10_000],
  ['500ms', 500],
  ['2m', 120_000],
  ['1.5h', 5_400_000],
  ['3', 3000],
  ['-1s', undefined],
  ['99999d', undefined],
  ['', undefined],
  ['1 s', undefined],
])('parseDuration(%j) is %j', (text, ms) => expect(parseDuration(text, 1000)).toBe(ms))

test.each([
  ['0.5', 0.5],
  [2, 2],
  ['.25', 0.25],
  ['max', 'max'],
  ['0', undefined],
  ['0.001', undefined],
  ['1e9', undefined],
  ['-1', undefined],
])('parseCpus(%j) is %j', (text, cpus) => expect(parseCpus(text)).toBe(cpus))

test.each([
  ['0', '0'],
  ['0-2,5', '0-2,5'],
  ['3-1', undefined],
  ['', undefined],
  ['0,', undefined],
  ['a', undefined],
  ['0-', undefined],
])('parseCpuList(%j) is %j', (text, list) => expect(parseCpuList(text)).toBe(list))

test('no parser throws, whatever comes', () => {
  assert(
    property(anything(), (value) => {
      for (const parse of [parseSize, parseCount, parseCpus, parseCpuList]) parse(value)
    }),
  )
  assert(
    property(string(), (text) => {
      const bytes = parseSize(text)
      expect(bytes === undefined || bytes === 'max' || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true)
    }),
  )
})

test('a size reads back as what was written, within what is shown', () => {
  assert(
    property(integer({ min: 0, max: 2 ** 50 }), (bytes) => {
      const back = parseSize(formatSize(bytes)) as number
      expect(Math.abs(back - bytes)).toBeLessThanOrEqual(Math.max(1, bytes * 0.051))
    }),
  )
})

test('times are shown in words', () => {
  expect([0, 20, 999, 1500, 59_900, 185_000].map(formatDuration)).toEqual([
    '0 ms',
    '20 ms',
    '999 ms',
    '1.5 s',
    '59.9 s',
    '3 min 5 s',
  ])
  assert(property(double({ min: 0, max: 1e9, noNaN: true }), (ms) => /^\d/.test(formatDuration(ms))))
})
