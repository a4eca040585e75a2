// SPDX-License-Identifier: Apache-2.0
// Parses the text formats that cgroup files share: cgroup-v2.rst, "Interface Files, Format". Pure.

/** Function that returns the text of a kernel file; undefined if it could not be read. */
export type FileTexts = (file: string) => string | undefined

/** Parses `key value` lines into numbers. Ignores other lines. */
export function parseFlat(text: string | undefined): { [key: string]: number } {
  const values: { [key: string]: number } = {}
  if (text === undefined) return values
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    const value = space > 0 ? Number(line.slice(space + 1)) : Number.NaN
    if (Number.isSafeInteger(value) && value >= 0) values[line.slice(0, space)] = value
  }
  return values
}

/** Returns the value of one key in a file of `key value` lines, without parsing the other lines. */
export function findFlat(text: string | undefined, key: string): number | undefined {
  if (text === undefined) return undefined
  let at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `)
  if (at < 0) return undefined
  at = text.indexOf(' ', at) + 1
  const end = text.indexOf('\n', at)
  return parseNumber(end < 0 ? text.slice(at) : text.slice(at, end))
}

/** Parses a file with one number. Returns undefined for `max` and any other text. */
export function parseNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim()
  return trimmed !== undefined && /^\d+$/.test(trimmed) ? Number(trimmed) : undefined
}

/** Returns how long tasks waited in total, from the text of a *.pressure file, in microseconds (accounting/psi.rst). */
export function parsePressure(text: string | undefined): { someUsec?: number; fullUsec?: number } {
  const stalls: { someUsec?: number; fullUsec?: number } = {}
  for (const line of text?.split('\n') ?? []) {
    const total = Number(line.slice(line.lastIndexOf('=') + 1))
    if (line.startsWith('some ')) stalls.someUsec = total
    else if (line.startsWith('full ')) stalls.fullUsec = total
  }
  return stalls
}
