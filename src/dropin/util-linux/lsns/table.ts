// SPDX-License-Identifier: Apache-2.0
// Formats tables as libsmartcols does: aligned, raw and JSON. Lines may form a tree, which one column shows. Pure.
import { cut, escapeAligned, escapeJson, escapeRaw, widthOf } from '../../../text/table-cell.ts'

/** How a column is formatted. */
export interface Column {
  name: string
  /** Minimum width of the column. It applies only if the data is wider than one character and wider than the heading. */
  hint: number
  right?: boolean
  number?: boolean
  /** True if the column may be cut to fit a terminal. */
  cuts?: boolean
  /** True if the tree is drawn in this column. */
  tree?: boolean
}

/** Content of a cell: empty, one text, or several texts that are printed on a line each. */
export type Cell = string | readonly string[] | undefined

/** A line of the table: its cells in the order of the columns. */
export interface Line {
  cells: Cell[]
  children: Line[]
}

/** How a table is printed. */
export interface Paper {
  headings: boolean
  /** Width of the terminal; without a width, nothing is cut. */
  width?: number | undefined
  utf8: boolean
}

/** A line of the table, with the characters of the tree that precede its text and its further lines. */
interface Drawn {
  cells: Cell[]
  art: string
  below: string
}

const art = {
  utf8: { fork: '├─', last: '└─', bar: '│ ', gap: '  ' },
  ascii: { fork: '|-', last: '`-', bar: '| ', gap: '  ' },
}

/** Returns the lines in the order of the tree, with the tree's characters. */
function draw(lines: readonly Line[], utf8: boolean, prefix?: string): Drawn[] {
  const { fork, last, bar, gap } = utf8 ? art.utf8 : art.ascii
  return lines.flatMap((line, i) => {
    const isLast = i === lines.length - 1
    const below = prefix === undefined ? '' : prefix + (isLast ? gap : bar)
    const own = prefix === undefined ? '' : prefix + (isLast ? last : fork)
    const rest = below + (line.children.length > 0 ? bar : '')
    return [{ cells: line.cells, art: own, below: rest }, ...draw(line.children, utf8, below)]
  })
}

const partsOf = (cell: Cell): readonly string[] => (cell === undefined ? [] : typeof cell === 'string' ? [cell] : cell)

/** Formats a table with aligned columns. Returns '' if there are no lines. */
export function formatAligned(columns: readonly Column[], lines: readonly Line[], paper: Paper): string {
  const rows = draw(lines, paper.utf8).map(({ cells, art: own, below }) => {
    const parts = columns.map((_, i) => partsOf(cells[i]).map((part) => escapeAligned(part, paper.utf8)))
    const height = Math.max(1, ...parts.map(({ length }) => length))
    const treed = (texts: string[]) =>
      Array.from({ length: height }, (_, n) => (n === 0 ? own : below) + (texts[n] ?? ''))
    return parts.map((texts, i) => (columns[i]!.tree ? treed(texts) : texts))
  })
  if (rows.length === 0) return ''
  const widths = narrow(
    columns,
    columns.map((column, i) => widthOfColumn(column, paper.headings, Math.max(...rows.map((row) => widest(row[i]!))))),
    paper,
  )
  const format = (texts: readonly string[]) =>
    texts.map((text, i) => pad(text, columns[i]!, widths[i]!, i === columns.length - 1)).join(' ')
  const body = rows.flatMap((row) => {
    const height = Math.max(1, ...row.map((parts) => parts.length))
    return Array.from({ length: height }, (_, n) => format(row.map((parts) => parts[n] ?? '')))
  })
  return [...(paper.headings ? [format(columns.map(({ name }) => name))] : []), ...body]
    .map((line) => `${line}\n`)
    .join('')
}

const widest = (parts: readonly string[]) => Math.max(0, ...parts.map(widthOf))

function widthOfColumn({ name, hint }: Column, headings: boolean, data: number): number {
  const minWidth = headings ? name.length : 1
  if (data <= minWidth) return minWidth
  return Math.max(data, hint)
}

/**
 * Reduces the widths of the columns that may be cut, from the last one on. Stops when the lines fit the terminal, or all are as narrow as
 * their headings.
 */
function narrow(columns: readonly Column[], widths: readonly number[], { width, headings }: Paper): number[] {
  const out = [...widths]
  let over = width === undefined ? 0 : out.reduce((sum, one) => sum + one + 1, -1) - width
  for (let i = out.length - 1; i >= 0 && over > 0; i--) {
    const { cuts, name } = columns[i]!
    if (!cuts) continue
    const minWidth = Math.max(headings ? name.length : 1, out[i]! - over)
    over -= out[i]! - minWidth
    out[i] = minWidth
  }
  return out
}

function pad(text: string, { right, tree }: Column, width: number, isLast: boolean): string {
  if (isLast && text === '') return ''
  const short = widthOf(text) > width ? cut(text, width) : text
  const space = ' '.repeat(width - widthOf(short))
  if (right && !tree) return space + short
  return isLast ? short : short + space
}

/** Formats a table with one space between columns and with escapes. Several texts of a cell are joined by commas. */
export function formatTableRaw(columns: readonly Column[], lines: readonly Line[], { headings, utf8 }: Paper): string {
  const rows = draw(lines, utf8).map(({ cells, art: own }) =>
    cells.map((cell, i) => escapeRaw((columns[i]!.tree ? own : '') + partsOf(cell).join(','))),
  )
  if (rows.length === 0) return ''
  return [...(headings ? [columns.map(({ name }) => name)] : []), ...rows].map((row) => `${row.join(' ')}\n`).join('')
}

/** Formats a table as a JSON object that contains an array with the given name. A tree becomes nested children. */
export function formatTableAsJson(name: string, columns: readonly Column[], lines: readonly Line[]): string {
  return `{\n   ${escapeJson(name)}: [\n${formatItems(columns, lines, 2)}\n   ]\n}\n`
}

function formatItems(columns: readonly Column[], lines: readonly Line[], depth: number): string {
  if (lines.length === 0) return ''
  const indent = '   '.repeat(depth)
  const items = lines.map(({ cells, children }) => {
    const fields = columns.map(
      ({ name, number }, i) => `${escapeJson(name.toLowerCase())}: ${toJson(cells[i], number)}`,
    )
    if (children.length > 0) fields.push(`"children": [\n${formatItems(columns, children, depth + 2)}\n${indent}   ]`)
    return fields.map((field) => `${indent}   ${field}`).join(',\n')
  })
  return `${indent}{\n${items.join(`\n${indent}},{\n`)}\n${indent}}`
}

function toJson(cell: Cell, number: boolean | undefined): string {
  const text = partsOf(cell).join(',')
  if (text === '') return 'null'
  return number ? text : escapeJson(text)
}
