// SPDX-License-Identifier: Apache-2.0
// What others wrote, made fit for a terminal and an error.

/** A foreign value made safe for a terminal and short: control characters escaped, long ones cut with their count. */
export function quote(value: unknown): string {
  const text = plain(value)
  const short = text.length > 200 ? `${text.slice(0, 200)}… (${text.length} characters)` : text
  const safe = short.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return /^[\w./:=+-]+$/.test(safe) ? safe : `"${safe}"`
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
