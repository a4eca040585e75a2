// SPDX-License-Identifier: Apache-2.0
// Defines the columns of hutch top: their contents, how they sort, and which are left out first on a narrow terminal.
// Pure.
import type { ColumnOf, Text } from '../../cgroup/controllers/figure.ts'
import {
  type FigureOf,
  figures,
  limitOf,
  type NamedFigure,
  type NamedRate,
  namesOfKind,
  type RateName,
  rateRows,
} from '../../cgroup/controllers/figures.ts'
import type { GroupSample } from '../../monitor/sample.ts'
import { formatSize } from '../../text/units.ts'
import type { TopRow } from './rows.ts'

interface TopColumn {
  title: string
  width: number
  /** The column with the highest rank is left out first if the terminal is too narrow. */
  rank: number
  text: (row: TopRow) => string
  /** Returns the value by which the column sorts. Absent if the column sorts by name. */
  value?: (row: TopRow) => number | undefined
  /** Returns the cell's colour, which depends on its share of a limit, or on whether it has risen. */
  color?: (row: TopRow) => 'high' | 'near' | undefined
  left?: true
  /** The column's name in the first line of the screen. */
  words: string
}

/** A column's name in the table of figures. The columns `name` and `pressure` are defined in this file. */
export type ColumnName = string

/** Formats a size in bytes for a column, such as `50.0M`. */
export function shortSize(bytes: number | 'max' | undefined): string {
  if (bytes === undefined) return '-'
  return formatSize(bytes)
    .replace(/ ([KMGTP])iB$/, '$1')
    .replace(/ B$/, 'B')
}

export function percent(share: number | undefined, digits = 1): string {
  return share === undefined ? '-' : `${(share * 100).toFixed(digits)}%`
}

/** Draws a bar of characters; its length is precise to an eighth of a character. */
export function drawBar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const full = '█'.repeat(eighths >> 3)
  const part = eighths & 7 ? '▏▎▍▌▋▊▉'[(eighths & 7) - 1]! : ''
  return `${full}${part}`.padEnd(width, '·')
}

const barWidth = 8

/** Returns which share of its limit a figure has reached. Returns undefined without a limit. */
export function shareOf(sample: GroupSample, figure: NamedFigure): number | undefined {
  const limit = limitOf(figure)
  const [value, max] = [sample[figure.name as FigureOf<'count'>], limit && sample[limit.name]]
  return value !== undefined && typeof max === 'number' && max > 0 ? value / max : undefined
}

/** Returns the colour for a share of a limit: `near` from 0.7, `high` from 0.9, otherwise undefined. */
function nearness(share: number | undefined): 'high' | 'near' | undefined {
  return share === undefined || share < 0.7 ? undefined : share >= 0.9 ? 'high' : 'near'
}

/** Returns the column that shows a figure. */
function figureColumn(figure: NamedFigure, spec: ColumnOf): TopColumn {
  const of = ({ sample }: TopRow) => sample[figure.name as FigureOf<'count' | 'limit'>]
  const limit = limitOf(figure)
  const share = ({ sample }: TopRow) => shareOf(sample, figure)
  const rise = figure.rates?.find(({ by }) => by === 'sum')?.name as RateName | undefined
  const texts: { [text in Text]?: (row: TopRow) => string } = {
    size: (row) => shortSize(of(row)),
    count: (row) => String(of(row) ?? '-'),
    limit: (row) => (of(row) === 'max' ? '' : shortSize(of(row))),
    'of-limit': (row) => {
      const max = limit && row.sample[limit.name]
      return of(row) === undefined ? '-' : `${of(row)}${typeof max === 'number' ? `/${max}` : ''}`
    },
    bar: (row) => (share(row) === undefined ? '' : drawBar(share(row)!, barWidth)),
  }
  const text = texts[spec.text]!
  return {
    ...spec,
    ...(spec.text === 'bar' && { left: true }),
    text: (row) => (spec.quiet && !of(row) ? '' : text(row)),
    value: (row) => {
      if (spec.text === 'bar') return share(row)
      const value = of(row)
      return value === 'max' ? Number.MAX_VALUE : value
    },
    color: (row) => {
      if (spec.color === 'rising') return rise !== undefined && row.rates?.[rise] ? 'high' : undefined
      return spec.color === 'full' || spec.text === 'of-limit' ? nearness(share(row)) : undefined
    },
  }
}

/** Returns the column that shows a rate. */
function rateColumn({ name, by, of, figure }: NamedRate, spec: ColumnOf): TopColumn {
  const value = ({ rates }: TopRow) => rates?.[name]
  const texts: { [text in Text]?: (value: number | undefined) => string } = {
    percent: (share) => percent(share),
    'whole-percent': (share) => percent(share, 0),
    size: (bytes) => shortSize(bytes === undefined ? undefined : Math.round(bytes)),
  }
  const text = texts[spec.text]!
  // a device that appeared after the previous sample has no rate yet
  const before = ({ sample }: TopRow) =>
    by === 'second' && of !== undefined && sample[figure.name] !== undefined ? 0 : undefined
  return {
    ...spec,
    text: (row) => (spec.quiet && !value(row) ? '' : text(value(row))),
    value: (row) => value(row) ?? before(row),
    color: (row) => (spec.color === 'full' ? nearness(value(row)) : undefined),
  }
}

const stallNames = namesOfKind('stalls')
const stalls = ({ sample }: TopRow) => stallNames.map((name) => sample[name]?.some.avg10)

const pressureColumn: TopColumn = {
  title: 'STALLED c/m/i',
  width: 13,
  rank: 7,
  text: (row) => {
    const all = stalls(row)
    if (all.every((share) => !share || share < 0.5)) return ''
    return all.map((share) => (share === undefined ? '-' : String(Math.round(share)))).join('/')
  },
  value: (row) => Math.max(-1, ...stalls(row).map((share) => share ?? -1)),
  words: 'pressure',
}

const nameColumn: TopColumn = { title: 'GROUP', width: 20, rank: 0, text: ({ name }) => name, words: 'name' }

/** A column with its position from the left, and with its position in the order of sorting keys. */
type Placed = readonly [name: ColumnName, column: TopColumn, order: number, sorts: number | undefined]

const unsorted: readonly Placed[] = [
  ['name', nameColumn, 0, 11],
  ...figures.flatMap((figure) =>
    (figure.columns ?? []).map((spec): Placed => [spec.name, figureColumn(figure, spec), spec.order, spec.sorts]),
  ),
  ...rateRows.flatMap((rate): Placed[] =>
    rate.column ? [[rate.column.name, rateColumn(rate, rate.column), rate.column.order, rate.column.sorts]] : [],
  ),
  ['pressure', pressureColumn, 10, 7],
]
const placed = unsorted.toSorted((a, b) => a[2] - b[2])

export const columns: { [name: ColumnName]: TopColumn } = Object.fromEntries(
  placed.map(([name, column]) => [name, column]),
)

/** Names of the columns by which the user can sort, in the order in which the key `s` selects them. */
export const sortable: ColumnName[] = placed
  .filter(([, , , sorts]) => sorts !== undefined)
  .sort((a, b) => a[3]! - b[3]!)
  .map(([name]) => name)

/**
 * Returns the columns that fit into the width, with at least 20 characters for the name. The column that the list is
 * sorted by is left out last.
 */
export function chooseColumns(width: number, sort: ColumnName = 'cpu'): ColumnName[] {
  const chosen = Object.keys(columns).filter((name) => name !== 'name')
  const needed = () => chosen.reduce((sum, name) => sum + columns[name]!.width + 1, 0)
  const rank = (name: ColumnName) => (name === sort ? 0 : columns[name]!.rank)
  while (chosen.length > 1 && needed() + 20 > width)
    chosen.splice(chosen.indexOf(chosen.reduce((a, b) => (rank(a) > rank(b) ? a : b))), 1)
  return needed() < width ? chosen : []
}
