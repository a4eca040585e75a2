// SPDX-License-Identifier: Apache-2.0
// What hutch uses of the engine and of Node's modules: bytes, orders, numbers, dates, paths, JSON, and its own functions of texts.

import { basename, dirname, resolve } from '../../../src/system/paths.ts'
import { nearest } from '../../../src/text/nearest.ts'
import { asDecoded, asPrinted, decodeNames, encodePath, isOdd, keepMarks } from '../../../src/text/non-utf8.ts'
import { escapeText, escapeUnsafe, formatJson, plain, quote, shellWord } from '../../../src/text/quote.ts'
import { decodeBytes } from '../../../src/text/stray-bytes.ts'
import { cut, escapeAligned, escapeJson, escapeRaw, widthOf } from '../../../src/text/table-cell.ts'
import { pad, shortenPath, wrap } from '../../../src/text/terminal-text.ts'
import {
  formatDuration,
  formatSize,
  parseCount,
  parseCpuCount,
  parseCpuList,
  parseCpus,
  parseDuration,
  parseSize,
} from '../../../src/text/units.ts'
import { edgeNumbers, oddWords, type Random, randomJson, randomText } from './random.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const attempt = (make: () => unknown) => {
  try {
    return make()
  } catch (error) {
    return (error as Error).name
  }
}

/** Bytes, many of them no UTF-8. */
const randomBytes = (random: Random) =>
  random.once(3)
    ? Buffer.from(randomText(random, 20))
    : Buffer.from(
        random.list(24, () =>
          random.pick([0xff, 0xc3, 0xe2, 0x82, 0xf0, 0x9f, 0xed, 0xa0, 0x80, 0xbf, 0x41, 10, 0, random.below(256)]),
        ),
      )

/** Bytes to text and back. */
export function bytes(random: Random) {
  const [one, other] = [randomBytes(random), randomBytes(random)]
  const [text, at] = [randomText(random), random.below(30)]
  const room = Buffer.alloc(16, 7)
  return {
    text: one.toString(),
    part: one.toString('utf8', at, at + 9),
    latin1: one.toString('latin1'),
    base64: one.toString('base64'),
    fromText: hex(Buffer.from(text)),
    fromLatin1: hex(Buffer.from(text, 'latin1')),
    fromHex: hex(Buffer.from(one.toString('hex'), 'hex')),
    fromBase64: hex(Buffer.from(one.toString('base64'), 'base64')),
    length: Buffer.byteLength(text),
    order: [Buffer.compare(one, other), one.equals(other), one.equals(Buffer.from(one))],
    concat: hex(Buffer.concat([one, other])),
    find: [one.indexOf(0x41), one.indexOf(10, at), one.indexOf('A'), one.indexOf(other), one.includes(0xff)],
    slice: [hex(one.subarray(at, -1)), hex(one.subarray(-3))],
    written: [room.write(text, 3), hex(room)],
    numbers: [room.readUInt32LE(0), room.readInt32LE(4), room.readUInt16LE(8), String(room.readBigUInt64LE(8))],
    names: decodeNames(one),
    stray: decodeBytes(one),
    path: String(encodePath(decodeNames(one))),
  }
}

/** Orders of texts and numbers. */
export function order(random: Random) {
  const words = random.list(40, () =>
    random.pick([random.pick(oddWords), randomText(random, 3), random.pick(edgeNumbers)]),
  )
  const rows = words.map((word, i) => [word.length, i] as const)
  return {
    plain: [...words].sort(),
    by: rows.toSorted((a, b) => a[0] - b[0]),
    set: [...new Set(words)],
    keys: Object.keys(Object.fromEntries(words.map((word) => [word, 1]))),
    cases: words.map((word) => [word.toLowerCase(), word.toUpperCase(), word.trim(), word.normalize === undefined]),
    split: words.map((word) => [
      [...word].length,
      word.split(/\s+/),
      word.split('\u2028').length,
      /\w/u.test(word),
      /\p{L}/u.test(word),
    ]),
  }
}

/** Numbers, dates and durations as texts. */
export function number(random: Random) {
  const text = random.pick(edgeNumbers)
  const value = random.pick([
    Number(text),
    random.below(1e9) / 1000,
    random.below(2 ** 31) * random.below(2 ** 20),
    10 ** random.below(22),
  ])
  const [size, unit] = [
    random.pick(['', 'K', 'M', 'G', 'T', 'KiB', 'MB', 'k', ' M', 's', 'ms', 'h', '%']),
    random.pick([1, 1000]),
  ]
  return {
    text: [
      String(value),
      value.toFixed(2),
      value.toString(16),
      JSON.stringify(value),
      Math.round(value),
      Math.trunc(value) | 0,
    ],
    fixed: [0, 1, 3].map((digits) => (value / 7).toFixed(digits)),
    read: [Number(text), Number.parseInt(text, 10), Number.parseFloat(text), attempt(() => String(BigInt(text)))],
    date: attempt(() => new Date(value).toISOString()),
    units: [
      formatSize(value),
      formatDuration(value),
      parseSize(text + size),
      parseCount(text),
      parseCpus(text),
      parseDuration(text + size, unit),
    ],
    cpus: [parseCpuList(`${text}-${random.below(9)},${random.below(70)}`), attempt(() => parseCpuCount(text))],
  }
}

/** hutch's own functions of texts. */
export function text(random: Random) {
  const one = random.once(3) ? random.pick(oddWords) + randomText(random) : randomText(random, 30)
  const width = random.below(20)
  return {
    quoted: [quote(one), plain(one), shellWord(one), escapeText(one), escapeText(one, true), escapeUnsafe(one)],
    cells: [
      escapeAligned(one, true),
      escapeAligned(one, false),
      escapeRaw(one),
      escapeJson(one),
      widthOf(one),
      cut(one, width),
    ],
    layout: [pad(one, width), pad(one, width, true), shortenPath(`/${one}`, width), wrap(one, width + 5)],
    near: nearest(one, ['memory', 'memory-high', 'pids', 'cpus', 'network', 'é']),
    marks: [isOdd(one), keepMarks(one), asPrinted(one), asDecoded(one)],
    paths: [basename(one), dirname(one), resolve('/x', one), resolve('/x/y', one, '../b')],
    regular: [one.replaceAll(/[^\w.-]+/g, '_'), one.match(/^(\S*)\s*(.*)$/s)?.slice(1), /[\p{Cc}\p{Cf}]/u.test(one)],
  }
}

/** Values in JSON. */
export function json(random: Random) {
  const value = randomJson(random, ['a', 'b', '1', '01', 'é'], ['x', 'y'])
  const text = JSON.stringify(value)
  return [text, formatJson(value), formatJson(value, 2), JSON.stringify(JSON.parse(text)), quote(value)]
}
