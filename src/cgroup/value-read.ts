// SPDX-License-Identifier: Apache-2.0
// The text of a kernel file → a typed value, by what the catalogue says of the file. Pure; value-write.ts is the way back.
import { fail } from '../errors/errors.ts'
import type { Limit } from '../text/units.ts'
import type { FileFormat, FileWords } from './controllers/entry.ts'

export { formatRaw, formatValue, formatWrites } from './value-write.ts'

/** cpu.max: microseconds of CPU time in each period of microseconds. */
export interface CpuMax {
  quota: Limit
  period: number
}

/** Shares of time lost in percent; the total in microseconds. */
interface Stall {
  avg10: number
  avg60: number
  avg300: number
  total: number
}

/** A *.pressure file: time in which some tasks, or all, stood still. */
export interface FilePressure {
  some?: Stall
  full?: Stall
}

export type Flat = { [key: string]: Limit }

/** By device or key. */
export type Nested = { [key: string]: { [subkey: string]: Limit | string } }

export type FileValue = Limit | boolean | string | number[] | string[] | CpuMax | FilePressure | Flat | Nested

/** v1 writes "no limit" as the greatest number of whole pages, which depends on the page size. */
const unlimited = 2 ** 63 - 2 ** 20

/** More CPUs and nodes than any kernel is built for: a list with larger numbers is invalid. */
const mostInList = 65_536

/** A file's text as a value. @throws CGROUP_TEXT_UNKNOWN */
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

/** Beyond 2^53 the last digits are rounded: a count of nanoseconds can be so large. */
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

/** `0-2,5` → 0, 1, 2, 5. */
function parseList(text: string): number[] | undefined {
  const list: number[] = []
  if (text === '') return list
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? []
    if (first === undefined || Number(last) < Number(first)) return undefined
    if (list.length + Number(last) - Number(first) >= mostInList) return undefined
    for (let number = Number(first); number <= Number(last); number++) list.push(number)
  }
  return list
}

function parseQuota(text: string): CpuMax | undefined {
  const [, quota, period] = /^(max|\d{1,20}) (\d{1,20})$/.exec(text) ?? []
  return period === undefined ? undefined : { quota: quota === 'max' ? 'max' : Number(quota), period: Number(period) }
}

/** The stat files are read most, so no list of lines is made of them, and no regular expression is run. */
function parseFlatKeyed(text: string): Flat | undefined {
  const values: Flat = {}
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

/** At most 15 digits, which a number holds exactly. */
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

/** A device could be named so as to reach the prototype. */
function setOwn(values: Flat, key: string, value: Limit): void {
  if (key === '__proto__')
    Object.defineProperty(values, key, { value, enumerable: true, writable: true, configurable: true })
  else values[key] = value
}

/**
 * `key subkey=value …` lines. Some kernels put devices without figures before
 * the next one on the same line, and rdma tells adapters of one name apart by `index=`.
 */
function parseNestedKeyed(text: string): Nested | undefined {
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

/** `8:0 Read 4096` lines; a sum over all devices is `Total 4096`. */
function parseOperations(text: string): Nested | undefined {
  const devices = new Map<string, [string, number][]>()
  for (const line of linesOf(text)) {
    const [, device, operation = device, figure] = /^(\S+)(?: (\S+))? (\d{1,20})$/.exec(line) ?? []
    if (device === undefined || figure === undefined) return undefined
    devices.set(device, [...(devices.get(device) ?? []), [operation!, Number(figure)]])
  }
  return Object.fromEntries([...devices].map(([device, pairs]) => [device, Object.fromEntries(pairs)]))
}

/** `file=33 N0=33` lines: the sum is `total`. */
function parseNuma(text: string): Nested | undefined {
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
