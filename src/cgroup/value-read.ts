// SPDX-License-Identifier: Apache-2.0
// Parses the text of a kernel file into a typed value, by the file's format in the catalogue. value-write.ts is the reverse. Pure.
import { fail } from '../errors/errors.ts'
import type { Limit } from '../text/units.ts'
import type { FileFormat, FileWords } from './controllers/entry.ts'

export { formatRaw, formatValue, formatWrites } from './value-write.ts'

/** The value of cpu.max: microseconds of CPU time in each period, and the length of the period in microseconds. */
export interface CpuMax {
  /** CPU time in each period, in microseconds; `'max'` means no limit. */
  quota: Limit
  /** Length of the period, in microseconds. */
  period: number
}

/** How long tasks waited: percent of the last 10, 60 and 300 seconds, and the total in microseconds. */
export interface FileStall {
  /** Share of the last 10 seconds, in percent. */
  avg10: number
  /** Share of the last 60 seconds, in percent. */
  avg60: number
  /** Share of the last 300 seconds, in percent. */
  avg300: number
  /** Total time, in microseconds. */
  total: number
}

/** Content of a *.pressure file: how long some tasks waited, and how long all tasks waited. */
export interface FilePressure {
  /** Time in which at least one task waited. */
  some?: FileStall
  /** Time in which all tasks waited. */
  full?: FileStall
}

/** Values of a flat-keyed file, by key. */
export type FlatKeyed = { [key: string]: Limit }

/** Values of a nested-keyed file: by device or key, then by subkey. */
export type NestedKeyed = { [key: string]: { [subkey: string]: Limit | string } }

export type FileValue = Limit | boolean | string | number[] | string[] | CpuMax | FilePressure | FlatKeyed | NestedKeyed

/** Smallest number that means "no limit" on v1. The kernel shows the largest number of whole pages, which depends on the page size. */
const unlimited = 2 ** 63 - 2 ** 20

/** A number larger than that of any CPU or memory node that a kernel supports. A list with larger numbers is invalid. */
const maxInList = 65_536

/** Parses a file's text into a value. @throws CGROUP_TEXT_UNKNOWN */
export function parseValue(words: FileWords, text: string): FileValue {
  const value = readers[words.format](text.replace(/\n$/, ''), words)
  if (value === undefined) throw fail('CGROUP_TEXT_UNKNOWN', { file: words.file, text })
  return value
}

const readers: { [format in FileFormat]: (text: string, words: FileWords) => FileValue | undefined } = {
  flag: (text) => (text === '1' ? true : text === '0' ? false : undefined),
  count: parseNatural,
  integer: parseInteger,
  'count-or-max': parseLimit,
  bytes: parseNatural,
  'bytes-or-max': parseLimit,
  microseconds: parseNatural,
  'percent-or-max': (text) => (text === 'max' ? 'max' : parseDecimal(text)),
  list: parseList,
  pids: (text) => parseNumbers(text, '\n'),
  words: (text) => text.split(' ').filter(Boolean),
  numbers: (text) => parseNumbers(text, ' '),
  toggles: (text) => text,
  choice: (text) => text,
  text: (text) => text,
  lines: (text) => text.split('\n').filter(Boolean),
  quota: parseQuota,
  'flat-keyed': parseFlatKeyed,
  'nested-keyed': parseNestedKeyed,
  'device-operations': parseOperations,
  numa: parseNuma,
  pressure: parsePressureText,
  trigger: (text) => text,
  reclaim: (text) => text,
}

/** Parses a whole number. JavaScript rounds the last digits of a number above 2^53, which a count of nanoseconds can reach. */
function parseNatural(text: string): number | undefined {
  return /^\d{1,20}$/.test(text) ? Number(text) : undefined
}

function parseInteger(text: string): number | undefined {
  return /^-?\d{1,20}$/.test(text) ? Number(text) : undefined
}

function parseDecimal(text: string): number | undefined {
  return /^-?\d{1,20}(\.\d{1,20})?$/.test(text) ? Number(text) : undefined
}

function parseLimit(text: string, words?: FileWords): Limit | undefined {
  if (text === 'max' || (words?.noLimit !== undefined && text === words.noLimit)) return 'max'
  const number = parseInteger(text)
  return number !== undefined && number >= unlimited ? 'max' : number
}

function parseNumbers(text: string, between: string): number[] | undefined {
  const numbers = text.split(between).filter(Boolean).map(parseNatural)
  return numbers.includes(undefined) ? undefined : (numbers as number[])
}

/** Parses a list such as `0-2,5` into 0, 1, 2, 5. */
function parseList(text: string): number[] | undefined {
  const list: number[] = []
  if (text === '') return list
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? []
    if (first === undefined || Number(last) < Number(first)) return undefined
    if (list.length + Number(last) - Number(first) >= maxInList) return undefined
    for (let number = Number(first); number <= Number(last); number++) list.push(number)
  }
  return list
}

function parseQuota(text: string): CpuMax | undefined {
  const [, quota, period] = /^(max|\d{1,20}) (\d{1,20})$/.exec(text) ?? []
  return period === undefined ? undefined : { quota: quota === 'max' ? 'max' : Number(quota), period: Number(period) }
}

/** Parses lines `key value`. Stat files are read most often, so this creates no array of lines and uses no regular expression. */
function parseFlatKeyed(text: string): FlatKeyed | undefined {
  const values: FlatKeyed = {}
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    if (end > start) {
      const space = text.lastIndexOf(' ', end - 1)
      const value =
        space > start ? (parseDigits(text, space + 1, end) ?? parseLimit(text.slice(space + 1, end))) : undefined
      if (value === undefined) return undefined
      setOwn(values, text.slice(start, space), value)
    }
    start = end + 1
  }
  return values
}

/** Parses at most 15 digits: a JavaScript number represents these exactly. */
function parseDigits(text: string, start: number, end: number): number | undefined {
  if (end === start || end - start > 15) return undefined
  let number = 0
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) return undefined
    number = number * 10 + digit
  }
  return number
}

/** Sets a property of an object. Works even for a device that is named `__proto__`. */
function setOwn(values: FlatKeyed, key: string, value: Limit): void {
  if (key === '__proto__')
    Object.defineProperty(values, key, { value, enumerable: true, writable: true, configurable: true })
  else values[key] = value
}

/**
 * Parses `key subkey=value …` lines. Some kernels write a device without figures on the same line as the next device. rdma distinguishes
 * adapters with the same name by `index=`.
 */
function parseNestedKeyed(text: string): NestedKeyed | undefined {
  const entries: [string, [string, Limit | string][]][] = []
  for (const line of linesOf(text)) {
    const tokens = line
      .replace(/^(\S+) (index=\d+)(?= |$)/, '$1\t$2')
      .split(' ')
      .filter(Boolean)
    for (const token of tokens) {
      const equals = token.indexOf('=')
      const current = entries.at(-1)
      if (equals === -1 || token.includes('\t')) entries.push([token.replace('\t', ' '), []])
      else if (equals === 0 || token === tokens[0] || !current) return undefined
      else current[1].push([token.slice(0, equals), parseWord(token.slice(equals + 1))])
    }
  }
  return Object.fromEntries(entries.map(([key, pairs]) => [key, Object.fromEntries(pairs)]))
}

function parseWord(text: string): Limit | string {
  return text === 'max' ? 'max' : (parseDecimal(text) ?? text)
}

/** Parses lines such as `8:0 Read 4096`. The line `Total 4096` is the sum over all devices. */
function parseOperations(text: string): NestedKeyed | undefined {
  const devices = new Map<string, [string, number][]>()
  for (const line of linesOf(text)) {
    const [, device, operation = device, figure] = /^(\S+)(?: (\S+))? (\d{1,20})$/.exec(line) ?? []
    if (device === undefined || figure === undefined) return undefined
    devices.set(device, [...(devices.get(device) ?? []), [operation!, Number(figure)]])
  }
  return Object.fromEntries([...devices].map(([device, pairs]) => [device, Object.fromEntries(pairs)]))
}

/** Parses lines such as `file=33 N0=33`. The number after the key (33) becomes `total`. */
function parseNuma(text: string): NestedKeyed | undefined {
  const entries: [string, { [node: string]: number }][] = []
  for (const line of linesOf(text)) {
    const pairs = line.split(' ').map((token) => /^([^\s=]+)=(\d{1,20})$/.exec(token))
    if (pairs.includes(null)) return undefined
    const [sum, ...nodes] = pairs.map((pair) => [pair![1]!, Number(pair![2])] as const)
    entries.push([sum![0], Object.fromEntries([['total', sum![1]], ...nodes])])
  }
  return Object.fromEntries(entries)
}

function parsePressureText(text: string): FilePressure | undefined {
  const pressure: FilePressure = {}
  for (const line of linesOf(text)) {
    const [, kind, avg10, avg60, avg300, total] =
      /^(some|full) avg10=([\d.]{1,20}) avg60=([\d.]{1,20}) avg300=([\d.]{1,20}) total=(\d{1,20})$/.exec(line) ?? []
    const stall = { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), total: Number(total) }
    if (kind === undefined || Object.values(stall).some(Number.isNaN)) return undefined
    pressure[kind as 'some' | 'full'] = stall
  }
  return pressure
}

function linesOf(text: string): string[] {
  return text.split('\n').filter(Boolean)
}
