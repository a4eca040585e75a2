// SPDX-License-Identifier: Apache-2.0
// Quantities of Kubernetes: what its documentation accepts, and how amounts are written back.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatAmount,
  formatBytes,
  formatMilli,
  milliOf,
  parseQuantity,
  type Quantity,
  quantityOf,
  type ResourceList,
  wholeOf,
} from '../../../src/text/quantity.ts'

test.for<[string | number, number, number]>([
  ['500m', 500, 1],
  ['0.5', 500, 1],
  [2, 2000, 2],
  ['128Mi', 128 * 2 ** 20 * 1000, 128 * 2 ** 20],
  ['1.5Gi', 1.5 * 2 ** 30 * 1000, 1.5 * 2 ** 30],
  ['129e6', 129e9, 129e6],
  ['129M', 129e9, 129e6],
  ['1n', 1, 1],
])('%s is %i thousandths', ([text, milli, whole]) => {
  const amount = parseQuantity(text)!
  expect([milliOf(amount), wholeOf(amount)]).toEqual([milli, whole])
})

test.for(['', 'x', '1 Gi', '1gi', '--1', '.', '1e', '0x10', Number.NaN, null])('%s is not a quantity', (text) => {
  expect(parseQuantity(text)).toBe(undefined)
})

test('amounts are written with the largest suffix that keeps them exact', () => {
  expect([formatBytes(2 ** 30), formatBytes(1.5 * 2 ** 30), formatBytes(1000)]).toEqual(['1Gi', '1536Mi', '1000'])
  expect([formatMilli(2000), formatMilli(250)]).toEqual(['2', '250m'])
  const mebibyte: Quantity = quantityOf(2 ** 20)
  const list: ResourceList = { cpu: parseQuantity('1500m')!, memory: mebibyte }
  expect(Object.entries(list).map(([name, amount]) => formatAmount(name, amount))).toEqual(['1500m', '1Mi'])
})

test.for<[text: string | number, whole: number, milli: number]>([
  ['0', 0, 0],
  ['1', 1, 1000],
  [0.5, 1, 500],
  ['.5', 1, 500],
  ['5.', 5, 5000],
  ['250m', 1, 250],
  ['0.1m', 1, 1],
  ['1n', 1, 1],
  ['0.1n', 1, 1],
  ['1500u', 1, 2],
  ['128Mi', 134_217_728, 134_217_728_000],
  ['1.5Gi', 1_610_612_736, 1_610_612_736_000],
  ['0.1Gi', 107_374_183, 107_374_182_400],
  ['1k', 1000, 1_000_000],
  ['2M', 2_000_000, 2_000_000_000],
  ['1e3', 1000, 1_000_000],
  ['12E-1', 2, 1200],
  ['+1', 1, 1000],
  ['-2', -2, -2000],
  ['1E', 1e18, 1e21],
])('%s is %i as a whole number, %i thousandths', ([text, whole, milli]) => {
  const amount = parseQuantity(text)!
  expect([wholeOf(amount), milliOf(amount)]).toEqual([whole, milli])
})

test('neither true, nor a list, nor a map is a quantity', () => {
  for (const value of [true, ['1'], { a: 1 }, null, undefined]) expect(parseQuantity(value)).toBeUndefined()
})

test('a formatted amount is read as the same amount', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (amount) => {
      expect(wholeOf(parseQuantity(formatAmount('memory', BigInt(amount) * 10n ** 9n))!)).toBe(amount)
      expect(milliOf(parseQuantity(formatAmount('cpu', BigInt(amount) * 10n ** 6n))!)).toBe(amount)
    }),
  )
})
