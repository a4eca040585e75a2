// SPDX-License-Identifier: Apache-2.0
// Fits untrusted names into lines of a terminal: no name can control the terminal, be invisible, or reverse the line.
import { cut, widthOf } from './table-cell.ts'

export { cut, widthOf }

/** Pads a text with spaces, or cuts it with an ellipsis, to exactly `width` columns. */
export function pad(text: string, width: number, right = false): string {
  if (width <= 0) return ''
  const wide = widthOf(text)
  if (wide > width) return pad(`${cut(text, width - 1)}…`, width, right)
  const blanks = ' '.repeat(width - wide)
  return right ? blanks + text : text + blanks
}

/**
 * Shortens a path. First a container's id is cut to twelve digits, as in Docker; then the parent groups are dropped; last, the middle of
 * the name.
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

/** Returns the width of the terminal; undefined if standard output is not a terminal. */
export function widthOfOutput(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns || 80 : undefined
}

interface TableOptions {
  /** Columns that are aligned right, such as numbers. */
  right?: ReadonlySet<number>
  /** The column of names. Names are shortened, to at least 20 columns, if lines would be wider than `width`. */
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
    // the last column, such as a command line, may be cut
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
