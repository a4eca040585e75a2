// SPDX-License-Identifier: Apache-2.0
// What others wrote, made fit for a terminal and an error.

/** Steers a terminal, hides, or turns a line round: control characters, ends of lines, and marks of direction. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Such characters as `\x1b` or `\u202e`. */
export function escapeUnsafe(text: string): string {
  return text.replace(unsafe, (c) => {
    const code = c.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
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
