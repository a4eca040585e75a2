// SPDX-License-Identifier: Apache-2.0
// Quantities of Kubernetes: what its documentation accepts, and how amounts are written back.
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
