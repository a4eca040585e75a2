// SPDX-License-Identifier: Apache-2.0
// What others wrote, made fit for a terminal and an error.

/** Control, format and combining characters, ends of lines, marks of direction, lone surrogates, and fillers that show as blank. */
const unsafe = /[\p{C}\p{M}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu
/** The same except ends of lines, tabs, and combining characters, which stay with the letter before. */
const unsafeInText = /[^\P{C}\n\t]|[\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu
const colour = /(\x1b\[[0-9;]*m)/

/** Such characters as `\x1b` or `\u{202e}`: for a name inside a line. */
export function escapeUnsafe(text: string): string {
  return text.replace(unsafe, escapeCharacter)
}

/** The same for a text of several lines that hutch wrote, names in it included. With `colours`, sequences that set a colour stay. */
export function escapeText(text: string, colours = false): string {
  if (!colours) return text.replace(unsafeInText, escapeCharacter)
  // split by a group: every second piece is a colour
  return text
    .split(colour)
    .map((piece, i) => (i % 2 === 1 ? piece : piece.replace(unsafeInText, escapeCharacter)))
    .join('')
}

/** A value as JSON that nothing in it steers a terminal; a parser reads the same value. */
export function formatJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(unsafeInText, (c) =>
    [...Array(c.length).keys()].map((i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  )
}

function escapeCharacter(c: string): string {
  const code = c.codePointAt(0)!
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

/** A foreign value made safe for a terminal and short: control characters escaped, long ones cut with their count. */
export function quote(value: unknown): string {
  const text = plain(value)
  const short = text.length > 200 ? `${text.slice(0, 200)}… (${text.length} characters)` : text
  if (/^[\w./:=+-]+$/.test(short)) return short
  // JSON has its own quotes
  return `"${escapeUnsafe(typeof value === 'string' ? short.replace(/["\\]/g, '\\$&') : short)}"`
}

/** A word as a shell takes it literally: for commands that are to be copied. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** Any value as text, also one that has none. */
export function plain(value: unknown): string {
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value) ?? typeof value
  } catch {
    return typeof value
  }
}
