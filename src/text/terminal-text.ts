// SPDX-License-Identifier: Apache-2.0
// Fits untrusted names into lines of a terminal. No name can control the terminal, be invisible, or reverse the line.
import { cut, widthOf } from './table-cell.ts'

export { cut, widthOf }

/** Returns a text with exactly `width` columns: pads it with spaces, or cuts it and adds an ellipsis. */
export function pad(text: string, width: number, right = false): string {
  if (width <= 0) return ''
  const wide = widthOf(text)
  if (wide > width) return pad(`${cut(text, width - 1)}…`, width, right)
  const blanks = ' '.repeat(width - wide)
  return right ? blanks + text : text + blanks
}

/**
 * Shortens a group's path in up to three steps. First cuts a container's id to twelve digits, as Docker does. Then
 * drops the parent groups, and last the middle of the name.
 */
export function shortenPath(path: string, width: number): string {
  if (widthOf(path) <= width) return path
  let name = path.replace(/[0-9a-f]{64}/g, (id) => `${id.slice(0, 12)}…`)
  while (widthOf(name) > width && /^(?:\u2026|)\/.*\//.test(name)) name = name.replace(/^(?:\u2026|)\/[^/]*/, '…')
  if (widthOf(name) <= width) return name
  if (width < 8) return pad(name, width)
  const reversed = [...name].reverse().join('')
  const end = cut(reversed, Math.floor((width * 2) / 3))
  return `${cut(name, width - 1 - widthOf(end))}…${[...end].reverse().join('')}`
}

/** Splits a text into lines of at most `width` columns, at spaces if possible. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let left = text
  while (widthOf(left) > width) {
    const fits = cut(left, width) || [...left][0]!
    const blank = left[fits.length] === ' ' ? fits.length : fits.lastIndexOf(' ')
    const end = blank > 0 ? blank : fits.length
    lines.push(left.slice(0, end))
    left = left.slice(blank > 0 ? end + 1 : end)
  }
  return [...lines, left]
}

/** Returns the width of the terminal in columns. Returns undefined if stdout is not a terminal. */
export function widthOfOutput(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns || 80 : undefined
}

interface TableOptions {
  /** Indexes of the columns that are aligned right, such as columns of numbers. */
  right?: ReadonlySet<number>
  /** Index of the column with names. If lines would be wider than `width`, the names are shortened, to at least 20 columns. */
  names?: number
  width?: number | undefined
}

/** Formats rows as lines; each column is as wide as its widest cell. */
export function formatTable(
  rows: readonly (readonly string[])[],
  { right, names, width }: TableOptions = {},
): string[] {
  const widths = rows[0]!.map((_, i) => rows.reduce((widest, row) => Math.max(widest, widthOf(row[i]!)), 0))
  if (names !== undefined && width !== undefined) {
    // the last column, such as a command line, is cut if the line is too wide
    const others = widths.reduce(
      (sum, one, i) => sum + (i === names ? 0 : 3 + (i === widths.length - 1 ? Math.min(one, 20) : one)),
      0,
    )
    widths[names] = Math.min(widths[names]!, Math.max(20, width - others))
  }
  return rows.map((row) =>
    row
      .map((cell, i) => pad(i === names ? shortenPath(cell, widths[i]!) : cell, widths[i]!, right?.has(i)))
      .join('   ')
      .trimEnd(),
  )
}
