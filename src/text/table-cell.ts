// SPDX-License-Identifier: Apache-2.0
// Escapes and measures the text of table cells, as libsmartcols does. Bytes that are not valid in the terminal's
// encoding become \xHH. Pure.
import { strayByte } from './stray-bytes.ts'

/** Escapes a cell for people: control characters, bytes that are not UTF-8, and a backslash before an x. */
export function escapeAligned(text: string, utf8: boolean): string {
  return [...text.replaceAll('\\x', '\\x5cx')].map((c) => (isPrintable(c, utf8) ? c : hex(c))).join('')
}

/** Escapes a cell for programs that split lines at spaces: blanks, backslashes and all characters that are not ASCII. */
export function escapeRaw(text: string): string {
  return [...text].map((c) => (/^[!-[\]-~]$/.test(c) ? c : hex(c))).join('')
}

/** Formats a text as a JSON string. Bytes that are not UTF-8 become U+FFFD, because JSON cannot contain them. */
export function escapeJson(text: string): string {
  return JSON.stringify(text.replace(/\p{Cs}/gu, '\ufffd'))
}

function isPrintable(c: string, utf8: boolean): boolean {
  if (/^[ -~]$/.test(c)) return true
  return utf8 && !/^[\p{Cc}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]$/u.test(c)
}

function hex(c: string): string {
  const stray = strayByte(c)
  const bytes = stray === undefined ? [...Buffer.from(c)] : [stray]
  return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

/** Returns the number of columns that a text occupies on a terminal. */
export function widthOf(text: string): number {
  let width = 0
  for (const c of text) width += widthOfCharacter(c)
  return width
}

function widthOfCharacter(c: string): number {
  if (c <= '~') return 1
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(c)) return 0
  // a flag emoji consists of two regional indicator characters, and is two columns wide
  if (/^[\u{1f1e6}-\u{1f1ff}]$/u.test(c)) return 1
  const wide =
    /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}$/u
  return wide.test(c) ? 2 : 1
}

/** Returns the longest beginning of a text that fits into `width` columns. */
export function cut(text: string, width: number): string {
  let left = width
  let out = ''
  for (const c of text) {
    left -= widthOfCharacter(c)
    if (left < 0) break
    out += c
  }
  return out
}
