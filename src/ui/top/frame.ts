// SPDX-License-Identifier: Apache-2.0
// Draws the list of groups in hutch top as lines of text. Escapes untrusted names with `printable`. Pure.

import { type FigureOf, figures, resourceOf } from '../../cgroup/controllers/figures.ts'
import { isFrozen, type Snapshot } from '../../monitor/sample.ts'
import { paint } from '../../text/paint.ts'
import { escapeUnsafe } from '../../text/quote.ts'
import { pad, shortenPath } from '../../text/terminal-text.ts'
import { type ColumnName, chooseColumns, columns, percent, shortSize } from './columns.ts'
import type { Choice, TopRow } from './rows.ts'

export interface Frame {
  rows: number
  columns: number
  color: boolean
}

/** What the list shows. */
interface ListView {
  now: Snapshot
  list: readonly TopRow[]
  selected: number
  offset: number
  choice: Choice
  /** The text in the first line. By default the time of day. */
  title?: string | undefined
}

export const help =
  '? help  q quit  ⏎ details  ←→ fold  t tree  s/S sort  r reverse  / filter  a all  f freeze  k kill  l limit'

/** Returns how many lines the list has on the screen, without the last line. */
export function listHeight(frame: Frame): number {
  return Math.max(1, frame.rows - 3)
}

/** Draws all lines of the screen except the last. */
export function drawList(view: ListView, frame: Frame): string[] {
  const { list, selected, offset, choice } = view
  const chosen = chooseColumns(frame.columns, choice.sort)
  const nameWidth = frame.columns - chosen.reduce((sum, name) => sum + columns[name]!.width + 1, 0)
  const line = (cells: string[], name: string) => [pad(name, nameWidth), ...cells].join(' ')
  const titles = chosen.map((name) => {
    const { title, width } = columns[name]!
    const mark = name === choice.sort && title !== '' ? (choice.reverse ? '▴' : '▾') : ''
    return pad(title.length < width || mark === '' ? title + mark : `${title.slice(0, width - 1)}${mark}`, width, true)
  })
  const shown = list.slice(offset, offset + listHeight(frame)).map((row, i) => {
    const cells = chosen.map((name) => {
      const cell = pad(columns[name]!.text(row), columns[name]!.width, !columns[name]!.left)
      return i + offset === selected ? cell : paintCell(name, row, cell, frame.color)
    })
    const text = line(cells, nameOf(row, choice, nameWidth))
    if (i + offset === selected) return paint('reverse', text, true)
    return paint('dim', text, frame.color && isFrozen(row.sample))
  })
  return [
    pad(summary(view), frame.columns),
    paint('bold', line(titles, `GROUP${choice.sort === 'name' ? (choice.reverse ? '▴' : '▾') : ''}`), frame.color),
    ...shown,
  ]
}

/** Returns a group's name, indented by its depth in the tree. The indentation takes at most half of the width. */
function nameOf(row: TopRow, choice: Choice, width: number): string {
  const mark = !choice.tree ? '' : row.below === 0 ? '  ' : choice.folded.has(row.path) ? '▸ ' : '▾ '
  const lead = `${'  '.repeat(Math.max(0, Math.min(row.depth, width >> 2)))}${mark}${isFrozen(row.sample) ? '(frozen) ' : ''}`
  return `${lead}${shortenPath(escapeUnsafe(row.name), width - lead.length)}`
}

/** Colours a cell whose figure is close to its limit or has just risen. */
function paintCell(name: ColumnName, row: TopRow, text: string, color: boolean): string {
  const found = columns[name]!.color?.(row)
  return found === undefined ? text : paint(found === 'high' ? 'red' : 'yellow', text, color)
}

const stalls = figures.filter(({ kind }) => kind === 'stalls')
const sizes = figures.filter(({ summary }) => summary)

function summary({ now, list, choice, title }: ListView): string {
  const root = now.groups.get('/')
  const pressure = stalls.flatMap((figure) => {
    const share = root?.[figure.name as FigureOf<'stalls'>]?.some.avg10
    return share === undefined ? [] : [`${resourceOf(figure)} ${percent(share / 100)}`]
  })
  const used = sizes.flatMap((figure) => {
    const size = root?.[figure.name as FigureOf<'count'>]
    return size === undefined ? [] : [`${resourceOf(figure)} ${shortSize(size)}`]
  })
  const parts = [
    title ?? `hutch top  ${new Date(now.time).toTimeString().slice(0, 8)}`,
    `${list.length} of ${now.groups.size} groups`,
    `by ${columns[choice.sort]!.words}`,
    ...(choice.filter === '' ? [] : [`with "${escapeUnsafe(choice.filter)}"`]),
    ...(pressure.length > 0 ? [`stalled: ${pressure.join(' ')}`] : []),
    ...used,
  ]
  return parts.join('   ')
}
