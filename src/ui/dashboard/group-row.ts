// SPDX-License-Identifier: Apache-2.0
// Converts a group's sample and rates to the row that the dashboard's page receives. Pure.
import { figures, type PageFigure, type PageRate, rateRows } from '../../cgroup/controllers/figures.ts'
import type { GroupRates } from '../../monitor/rates.ts'
import type { GroupSample } from '../../monitor/sample.ts'
import type { GroupRow } from './api-types.ts'

const shown = figures.filter(({ page }) => page).map(({ name }) => name as PageFigure)
const shownRates = rateRows.filter(({ page }) => page !== undefined)

export function makeRow(sample: GroupSample, rates: GroupRates | undefined): GroupRow {
  const row: { [name: string]: unknown } = {}
  for (const name of shown) row[name] = sample[name]
  for (const { name, page } of shownRates) row[name] = round(rates?.[name], page!)
  // leave out the field `frozen` for the many groups that are not frozen
  row.frozen ||= undefined
  return row
}

/** Returns true if the group need not be sent again until its sample changes. Returns false while a rate is unknown. */
export function isQuiet(row: GroupRow, sample: GroupSample): boolean {
  return shownRates.every(({ name, by, of, figure }) => {
    const isKnown = by === 'second' && of === undefined
    return isKnown
      ? row[name as PageRate] === (sample[figure.name] === undefined ? undefined : 0)
      : !row[name as PageRate]
  })
}

function round(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : Math.round(value * by) / by
}
