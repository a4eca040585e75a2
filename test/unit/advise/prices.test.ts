// SPDX-License-Identifier: Apache-2.0
// Prices, and what a size costs: to the cent.
import { expect, test } from 'vitest'
import { costOf, costOfMachines, parsePriceFile, parsePrices } from '../../../src/advise/prices.ts'

const gib = 2 ** 30

test.for<[string, number, number, number, string, string]>([
  // 1 × 0.04 + 1 × 0.005 = 0.045; × 730 = 32.85
  ['vcpu=0.04,gib=0.005/h', 1000, gib, 1, '$0.0450', '$32.85'],
  ['vcpu=0.04,gib=0.005', 1000, gib, 1, '$0.0450', '$32.85'],
  // 0.25 × 0.04 + 0.125 × 0.005 = 0.010625; × 730 = 7.75625
  ['vcpu=0.04,gib=0.005/h', 250, gib / 8, 1, '$0.0106', '$7.76'],
  // 0.010625 × 1000 replicas = 10.625, half up; × 730 = 7756.25
  ['vcpu=0.04,gib=0.005/h', 250, gib / 8, 1000, '$10.63', '$7756.25'],
  ['vcpu=29.2/month', 1000, gib, 1, '$0.0400', '$29.20'],
  ['gib=0.005/h', 1000, 3 * gib, 2, '$0.0300', '$21.90'],
  ['vcpu=0,gib=0', 1000, gib, 1, '$0.00', '$0.00'],
  ['vcpu=0.04', 1, 0, 1, '< $0.0001', '$0.0292'],
])('%s for %i m and %i bytes, %i times', ([prices, milliCpus, memory, count, hour, month]) => {
  expect(costOf({ milliCpus, memory }, parsePrices(prices), count)).toEqual({ hour, month })
})

test('a sum over many sizes is exact where floating point is not', () => {
  // 0.1 + 0.2 an hour
  expect(costOf({ milliCpus: 1000, memory: gib }, parsePrices('vcpu=0.1,gib=0.2'), 1_000_000)).toEqual({
    hour: '$300000.00',
    month: '$219000000.00',
  })
  expect(costOfMachines(192_000_000n * 3n)).toEqual({ hour: '$0.58', month: '$420.48' })
})

test('a price file has the same fields, a unit and a currency', () => {
  const prices = parsePriceFile('{"vcpu": 0.04, "gib": "0.005", "per": "hour", "currency": "€"}', 'prices.json')
  expect(costOf({ milliCpus: 2000, memory: 4 * gib }, prices)).toEqual({ hour: '€0.10', month: '€73.00' })
})

test.for([
  ['', 'unknown price'],
  ['vcpu', 'neither'],
  ['cpu=1', 'unknown price cpu'],
  ['vcpu=-1', 'vcpu is not a price'],
  ['vcpu=x', 'vcpu is not a price'],
  ['vcpu=1/day', 'unknown unit /day'],
  ['vcpu=1,gib=2,vcpu=2', 'vcpu is given twice'],
  ['vcpu=1/constructor', 'unknown unit /constructor'],
])('the price %s is refused', ([text, why]) => {
  expect(() => parsePrices(text!)).toThrow(why)
})
