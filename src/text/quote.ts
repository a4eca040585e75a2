// SPDX-License-Identifier: Apache-2.0
// Escapes untrusted text for terminals and errors. Pure.

/**
 * Characters that are escaped: control, format and combining characters, line ends, direction marks, lone surrogates,
 * and invisible fillers.
 */
const unsafe = /[\p{C}\p{M}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu
/**
 * Characters that are escaped in a text of several lines. Line ends, tabs, and combining characters, which belong to
 * the preceding letter, are not escaped.
 */
const unsafeInText = /[^\P{C}\n\t]|[\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu
const colour = /(\x1b\[[0-9;]*m)/

/** Escapes unsafe characters in a name within a line, as `\x1b` or `\u{202e}`. */
export function escapeUnsafe(text: string): string {
  return text.replace(unsafe, escapeCharacter)
}

/**
 * Escapes unsafe characters in a text that can have several lines and contain names. With `colours`, keeps sequences
 * that set colours.
 */
export function escapeText(text: string, colours = false): string {
  if (!colours) return text.replace(unsafeInText, escapeCharacter)
  // split() also returns the pattern's one group, so every second piece is a sequence that sets colours
  return text
    .split(colour)
    .map((piece, i) => (i % 2 === 1 ? piece : piece.replace(unsafeInText, escapeCharacter)))
    .join('')
}

/** Formats a value as JSON without characters that could control a terminal. A JSON parser still reads the same value. */
export function formatJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(unsafeInText, (c) =>
    [...Array(c.length).keys()].map((i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  )
}

function escapeCharacter(c: string): string {
  const code = c.codePointAt(0)!
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

/**
 * Quotes an untrusted value for a message. Escapes control characters, cuts a long text, and tells how many characters
 * were cut.
 */
export function quote(value: unknown): string {
  const text = plain(value)
  const short = text.length > 200 ? `${text.slice(0, 200)}… (${text.length} characters)` : text
  if (/^[\w./:=+-]+$/.test(short)) return short
  // JSON needs no escaping of quotes, because it contains its own
  return `"${escapeUnsafe(typeof value === 'string' ? short.replace(/["\\]/g, '\\$&') : short)}"`
}

/** Quotes a word for a shell, for commands that users paste. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** Returns a text for any value, even for an object without a toString method. */
export function plain(value: unknown): string {
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value) ?? typeof value
  } catch {
    return typeof value
  }
}
