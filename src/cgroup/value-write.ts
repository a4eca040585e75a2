// SPDX-License-Identifier: Apache-2.0
// Converts a typed value, or a user's text, into the text that the kernel accepts. Refuses values that the kernel would refuse or misread,
// with the accepted form.
import { fail } from '../errors/errors.ts'
import { explainDevice } from '../host/device.ts'
import { nearest } from '../text/nearest.ts'
import { parseCpuList, parseCpus, parseSize } from '../text/units.ts'
import type { FileFormat, FileWords, Unit } from './controllers/entry.ts'
import { cpuPeriodUsec, formatCpuMax } from './cpu.ts'

/** Function that returns the error for an invalid value. The error names the file, the value, and what is accepted. */
type Refuse = (why: string) => Error

/** Text that is written for an empty value: a write of 0 bytes does not reach the kernel, but an empty line does. */
const nothing = '\n'

/** Returns the text to write for a value. @throws OPTION_INVALID for an invalid value, or one that needs several writes */
export function formatValue(words: FileWords, value: unknown): string {
  const [text, ...more] = formatWrites(words, value)
  if (text === undefined || more.length > 0)
    throw refusal(words, value)(text === undefined ? 'empty' : 'the kernel accepts one entry at a time')
  return text
}

/**
 * Returns the texts to write one after the other: the kernel accepts one device, resource or process per write. `name` is the file's name
 * in errors.
 * @throws OPTION_INVALID
 */
export function formatWrites(words: FileWords, value: unknown, name: string = words.file): string[] {
  const refuse = refusal(words, value, name)
  const format = writers[words.writes ?? words.format]
  if (words.access === 'read' || words.access === 'none' || !format)
    throw fail('OPTION_INVALID', {
      name,
      value,
      why: 'this file cannot be written',
      accepted: 'the name of a writable file, such as memory.max',
    })
  const text = typeof value === 'string' ? value.replaceAll('\t', ' ') : value
  if (typeof text === 'string' && /[\0-\x1f\x7f]/.test(text)) throw refuse('it contains a control character')
  const writes = format(text, words, refuse)
  return typeof writes === 'string' ? [writes] : writes
}

/** Formats of which the kernel reads a number only up to the first letter (sscanf): 2M would be read as 2. */
const looselyRead: readonly FileFormat[] = ['quota', 'flat-keyed', 'nested-keyed']

/** Formats that the kernel parses with memparse, which accepts 50M, but not 1.5G or 64KiB. */
const sizes: readonly FileFormat[] = ['bytes', 'bytes-or-max', 'reclaim']

/**
 * Returns the texts to write for a text that a drop-in command received. As in libcgroup, the text is not checked. But sizes that the
 * kernel would misread are converted or refused.
 */
export function formatRaw(words: FileWords | undefined, text: string): string[] {
  const format = words && (words.writes ?? words.format)
  if (!format) return [text]
  const isCut = looselyRead.includes(format) && /(?:^|[\s=])\d+(?![\d:]|\s|$)/.test(text)
  const isUnread =
    sizes.includes(format) && /^\d+(?:\.\d+)?\s*[kmgtp]?(?:i|i?b)?$/i.test(text) && !/^\d+[kmgtp]?$/i.test(text)
  return isCut || isUnread ? formatWrites(words, text) : [text]
}

function refusal(words: FileWords, value: unknown, name: string = words.file): Refuse {
  return (why) => fail('OPTION_INVALID', { name, value, why, accepted: words.accepts ?? 'another value' })
}

type Writer = (value: unknown, words: FileWords, refuse: Refuse) => string | string[]

const writers: { [format in FileFormat]?: Writer } = {
  flag: formatFlag,
  count: formatNumber,
  integer: formatNumber,
  microseconds: formatNumber,
  'count-or-max': (value, words, refuse) => formatUnlimited(value, words) ?? formatNumber(value, words, refuse),
  bytes: formatBytes,
  'bytes-or-max': (value, words, refuse) => formatUnlimited(value, words) ?? formatBytes(value, words, refuse),
  'percent-or-max': formatPercent,
  list: formatList,
  pids: formatPids,
  toggles: formatToggles,
  choice: formatChoice,
  text: formatText,
  quota: formatQuota,
  'flat-keyed': formatFlatKeyed,
  'nested-keyed': formatNestedKeyed,
  trigger: formatTrigger,
  reclaim: formatReclaim,
}

function formatFlag(value: unknown, _words: FileWords, refuse: Refuse): string {
  if (value === true || value === 1 || value === '1') return '1'
  if (value === false || value === 0 || value === '0') return '0'
  throw refuse('neither on nor off')
}

function formatUnlimited(value: unknown, words: FileWords): string | undefined {
  if (value === 'max') return words.noLimit ?? 'max'
  return words.noLimit !== undefined && (value === words.noLimit || value === -1) ? words.noLimit : undefined
}

/** Returns the value as a whole number. Accepts 0x…, and reads a leading 0 as decimal; the kernel would read it as octal. */
function formatNumber(value: unknown, words: FileWords, refuse: Refuse): string {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || !/^-?\d{1,16}$|^0x[0-9a-f]{1,13}$/i.test(text)) throw refuse('not a whole number')
  const number = Number(text)
  const [least, most] = words.range ?? [words.format === 'integer' ? -0x8000_0000 : 0, Number.MAX_SAFE_INTEGER]
  if (number < least) throw refuse(least === 0 ? 'negative' : `below ${least}`)
  if (number > most) throw refuse(`above ${most}`)
  return String(number)
}

function formatBytes(value: unknown, words: FileWords, refuse: Refuse): string {
  const bytes = parseSize(value)
  if (bytes === undefined || bytes === 'max') throw refuse('not a size')
  if (words.range && bytes < words.range[0]) throw refuse(`below ${words.range[0]}`)
  return String(bytes)
}

function formatPercent(value: unknown, _words: FileWords, refuse: Refuse): string {
  if (value === 'max') return 'max'
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || !/^\d{1,3}(\.\d{1,2})?$/.test(text)) throw refuse('not a percentage')
  if (Number(text) > 100) throw refuse('above 100')
  return text
}

/** Converts numbers to ranges: 0, 1, 2, 5 becomes 0-2,5. */
function formatList(value: unknown, _words: FileWords, refuse: Refuse): string {
  if (!Array.isArray(value)) {
    if (value === '') return nothing
    const list = parseCpuList(value)
    if (list === undefined) throw refuse('not a list of numbers')
    return list
  }
  if (value.some((number) => !Number.isInteger(number) || number < 0 || number > 999_999))
    throw refuse('not a list of numbers')
  const ranges: [number, number][] = []
  for (const number of [...new Set(value as number[])].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last && number === last[1] + 1) last[1] = number
    else ranges.push([number, number])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',') || nothing
}

function formatPids(value: unknown, _words: FileWords, refuse: Refuse): string[] {
  return (Array.isArray(value) ? value : [value]).map((pid) => {
    const text = typeof pid === 'number' ? String(pid) : pid
    if (typeof text !== 'string' || !/^\d{1,10}$/.test(text)) throw refuse('not a process id')
    return text
  })
}

/** Returns a list of controllers with + or -; a name without a sign gets +. */
function formatToggles(value: unknown, _words: FileWords, refuse: Refuse): string {
  const names = Array.isArray(value) ? value : typeof value === 'string' ? value.split(' ').filter(Boolean) : []
  if (names.length === 0 || names.some((name) => typeof name !== 'string' || !/^[+-]?[a-z][a-z0-9_]{0,31}$/.test(name)))
    throw refuse('it does not name controllers')
  return names.map((name) => (/^[+-]/.test(name) ? name : `+${name}`)).join(' ')
}

function formatChoice(value: unknown, words: FileWords, refuse: Refuse): string {
  if (typeof value === 'string' && words.choices?.includes(value)) return value
  throw refuse('not one of these')
}

function formatText(value: unknown, _words: FileWords, refuse: Refuse): string {
  if (typeof value !== 'string') throw refuse('not text')
  return value === '' ? nothing : value
}

/**
 * Returns the text of cpu.max. A number means a number of CPUs. A text has the format of cpu.max; `max` without a period keeps the period.
 */
function formatQuota(value: unknown, _words: FileWords, refuse: Refuse): string {
  if (typeof value === 'number') {
    const cpus = parseCpus(value)
    if (cpus === undefined) throw refuse('a number of CPUs must be at least 0.01')
    return formatCpuMax(cpus)
  }
  const entries = entriesOf(value)
  const unknown = entries?.find(([key]) => !quotaKeys.includes(key))
  if (unknown) throw refuse(explainKey(unknown[0], quotaKeys))
  const text = entries ? joinQuota(value as object) : value
  const [, quota, period] = (typeof text === 'string' && /^(max|\d{1,15})(?: (\d{1,15}))?$/.exec(text)) || []
  if (quota === undefined) throw refuse('not a quota and a period')
  if (quota !== 'max' && Number(quota) < 1000) throw refuse('a quota must be at least 1000 µs')
  if (period !== undefined && (Number(period) < 1000 || Number(period) > 1_000_000))
    throw refuse('a period has 1000 to 1000000 µs')
  return text as string
}

const quotaKeys: readonly string[] = ['quota', 'period']

function joinQuota({ quota, period = cpuPeriodUsec }: { quota?: unknown; period?: unknown }): string | undefined {
  return (quota === 'max' || typeof quota === 'number') && typeof period === 'number' ? `${quota} ${period}` : undefined
}

function formatFlatKeyed(value: unknown, words: FileWords, refuse: Refuse): string[] {
  if (typeof value === 'number' || (typeof value === 'string' && !value.trim().includes(' '))) {
    if (!words.keys?.default) throw refuse('the name is missing')
    return [`default ${formatFigure(value, words.unit, words, refuse)}`]
  }
  if (isLines(value)) return value.flatMap((line) => formatFlatKeyed(line, words, refuse))
  const entries = typeof value === 'string' ? [splitOnce(value)] : entriesOf(value)
  if (!entries) throw refuse('not a name and a value')
  return entries.map(([key, figure]) => {
    checkLine(key, words, refuse)
    const resets = words.unit === 'weight' && figure === 'default' && key !== 'default'
    return `${key} ${resets ? 'default' : formatFigure(figure, unitOf(key, words) ?? words.unit, words, refuse)}`
  })
}

/** Returns true if the value is a list of texts, one for each device or key. */
function isLines(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((line) => typeof line === 'string')
}

function formatNestedKeyed(value: unknown, words: FileWords, refuse: Refuse): string[] {
  if (isLines(value)) return value.flatMap((line) => formatNestedKeyed(line, words, refuse))
  const lines = typeof value === 'string' ? parseLine(value) : entriesOf(value)
  if (!lines) throw refuse('not a device with key=value pairs')
  return lines.map(([key, pairs]) => {
    checkLine(key, words, refuse)
    const figures = entriesOf(pairs)
    if (!figures || figures.length === 0) throw refuse(`there is no value for ${key}`)
    return [key, ...figures.map(([name, figure]) => formatPair(name, figure, words, refuse))].join(' ')
  })
}

function formatPair(name: string, figure: unknown, words: FileWords, refuse: Refuse): string {
  const unit = unitOf(name, words)
  if (unit === undefined) throw refuse(explainKey(name, Object.keys(words.keys ?? {})))
  const isWord = typeof figure === 'string' && /^[\w.-]{1,40}$/.test(figure) && (unit === '' || unit === '%')
  const isFraction = typeof figure === 'number' && unit === '%' && figure >= 0 && figure < 1e6
  return `${name}=${isWord || isFraction ? figure : formatFigure(figure, unit, words, refuse)}`
}

/** Returns why a key is refused, with the key that was probably meant. */
function explainKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known)
  const why = `${/^[\w.]{1,40}$/.test(key) ? key : 'one name'} is not one of its keys`
  return near === undefined ? why : `${why}; did you mean ${near}?`
}

/** Formats one number of a keyed file. The kernel would read 1M as 1, so a size is written in bytes. */
function formatFigure(figure: unknown, unit: Unit, words: FileWords, refuse: Refuse): string {
  if (figure === 'max' && unit !== 'weight') return words.noLimit ?? 'max'
  if (unit === 'bytes') return formatBytes(figure, words, refuse)
  return formatNumber(figure, { range: [0, Number.MAX_SAFE_INTEGER], ...words }, refuse)
}

function formatTrigger(value: unknown, _words: FileWords, refuse: Refuse): string {
  if (typeof value === 'string' && /^(some|full) [1-9]\d{0,8} [1-9]\d{0,8}$/.test(value)) return value
  throw refuse('not a trigger')
}

function formatReclaim(value: unknown, words: FileWords, refuse: Refuse): string {
  const [size, swappiness] = typeof value === 'string' ? splitOnce(value) : [value]
  const bytes = formatBytes(size, words, refuse)
  if (swappiness === undefined) return bytes
  const [, most] = /^swappiness=(max|\d{1,3})$/.exec(swappiness) ?? []
  if (most === undefined || Number(most) > 200) throw refuse('what follows the size is not swappiness=0 to 200, or max')
  return `${bytes} ${swappiness}`
}

/** Checks the first word of a line: a block device, a known key, or an adapter's name with its index. */
function checkLine(key: string, words: FileWords, refuse: Refuse): void {
  const known = words.format === 'flat-keyed' && unitOf(key, words) !== undefined
  const shape = words.lines === 'device' ? /^\d{1,4}:\d{1,8}$/ : /^[^\s\0-\x1f\x7f=]{1,255}( index=\d{1,9})?$/
  if (known || shape.test(key)) return
  throw refuse(words.lines === 'device' ? (explainDevice(key) ?? 'a device is named as 8:0') : 'it has no name')
}

function unitOf(key: string, words: FileWords): Unit | undefined {
  return words.keys && Object.hasOwn(words.keys, key) ? words.keys[key]![0] : undefined
}

function entriesOf(value: unknown): [string, unknown][] | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined
}

function splitOnce(text: string): [string, string | undefined] {
  const space = text.trim().indexOf(' ')
  return space === -1
    ? [text.trim(), undefined]
    : [
        text.trim().slice(0, space),
        text
          .trim()
          .slice(space + 1)
          .trim(),
      ]
}

/** Parses a typed line such as `8:0 rbps=1M wiops=max` into its device and pairs. */
function parseLine(text: string): [string, { [key: string]: string }][] | undefined {
  const [, key, rest] = /^(\S+(?: index=\d+)?) (.+)$/.exec(text.trim()) ?? []
  if (key === undefined || rest === undefined) return undefined
  const pairs = rest.split(' ').filter(Boolean)
  if (pairs.some((pair) => !/^[^=]+=[^=]+$/.test(pair))) return undefined
  return [[key, Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string]))]]
}
