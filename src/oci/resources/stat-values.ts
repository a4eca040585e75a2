// SPDX-License-Identifier: Apache-2.0
// Reads single figures for `events`, and formats objects as JSON without loss. Called by stats.ts.
import { readGroupFile } from '../../cgroup/files.ts'

/** A number of a kernel file; a bigint if it needs more than 53 bits. */
export type StatNumber = number | bigint

const largest = 2n ** 64n - 1n

function parseFigure(text: string | undefined): StatNumber {
  if (text === 'max') return largest
  if (text === undefined || !/^\d{1,20}$/.test(text)) return 0
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}

/** Returns the number in a file; 0 if the file is missing. `max` is the largest number of 64 bits. */
export function readFigure(group: string, file: string): StatNumber {
  return parseFigure(readGroupFile(group, file))
}

/** Parses lines of a key and a number. */
export function flatFigures(text: string | undefined): { [key: string]: StatNumber } {
  const pairs = (text ?? '').split('\n').map((line) => line.split(' '))
  return Object.fromEntries(pairs.flatMap(([key, value]) => (value === undefined ? [] : [[key, parseFigure(value)]])))
}

/** Returns an object without its figures of 0. Callers read an absent figure as 0. */
export function withoutZeros<T extends { [key: string]: StatNumber }>(figures: T): Partial<T> {
  return Object.fromEntries(Object.entries(figures).filter(([, figure]) => BigInt(figure) !== 0n)) as Partial<T>
}

/** Returns an object with a list, without it if the list is empty. */
export function optional(name: string, list: readonly unknown[]): { [name: string]: readonly unknown[] } {
  return list.length > 0 ? { [name]: list } : {}
}

/** Returns the pressure of a v2 group as the property `psi`; nothing if the kernel does not count it. */
export function readPsi(group: string | undefined, file: string): { psi?: { [kind: string]: object } } {
  const text = group && readGroupFile(group, file)
  if (!text) return {}
  const lines = text.split('\n').map((line) => {
    const [kind = '', ...pairs] = line.split(' ')
    return [kind, Object.fromEntries(pairs.map((pair) => pair.split('=')).map(([key, value]) => [key, Number(value)]))]
  })
  return { psi: Object.fromEntries(lines) }
}

/** Formats a value as compact JSON. A bigint becomes a number with all of its digits. */
export function formatExactJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(formatExactJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const pairs = Object.entries(value).map(([key, part]) => `${JSON.stringify(key)}:${formatExactJson(part)}`)
  return `{${pairs.join(',')}}`
}
