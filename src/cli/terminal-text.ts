// SPDX-License-Identifier: Apache-2.0
// Names that others chose, made fit for a line of a terminal: nothing in them steers it, hides, or turns the line round.
import { cut, widthOf } from './dropin/lsns/table-cell.ts'

/** Control, format and combining characters, and what is no character, as `\x1b` or `\u{202e}`. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{M}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu, (c) => {
    const code = c.codePointAt(0)!
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** Exactly so many columns: filled up with blanks, or cut with an ellipsis. */
export function pad(text: string, width: number, right = false): string {
  const wide = widthOf(text)
  if (wide > width) return pad(`${cut(text, Math.max(0, width - 1))}${width > 0 ? '…' : ''}`, width, right)
  const blanks = ' '.repeat(width - wide)
  return right ? blanks + text : text + blanks
}

/** Rows of cells as lines, each column as wide as its widest cell; a column of numbers stands to the right. */
export function formatTable(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => widthOf(row[i]!))))
  return rows.map((row) =>
    row
      .map((cell, i) => pad(cell, widths[i]!, right.has(i)))
      .join('   ')
      .trimEnd(),
  )
}
