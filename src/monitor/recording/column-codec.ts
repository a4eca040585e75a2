// SPDX-License-Identifier: Apache-2.0
// Encodes several samples of one group in few bytes, and decodes them. Pure.
//
// A block is a list of varints (LEB128). It begins with the number of devices, and each device's name as length and
// bytes. Next come the first row, and one bit per column that is set if the column changes. Each changing column
// follows as zigzag differences. There, 0 begins a run without change, and the run's length minus 1 follows. If the
// block has columns of later versions, their number plus `maxDevices` comes first.
import type { GroupSample } from '../sample.ts'
import { addedColumns, addedIn, devicesOf, fixedColumns, fromRow, largest, toRow } from './columns.ts'

/** Maximum number of devices in a block, which limits a reader's memory. */
const maxDevices = 512
export const maxBlockSamples = 600

/** Encodes the samples of one group, in the order of their times. A sample is undefined if the group did not exist then. */
export function encodeBlock(samples: readonly (GroupSample | undefined)[]): Uint8Array {
  const devices = devicesOf(samples).slice(0, maxDevices)
  const more = addedIn(samples)
  const rows: Float64Array[] = []
  for (const [i, sample] of samples.entries())
    rows.push(i > 0 && sample === samples[i - 1] ? rows[i - 1]! : toRow(sample, devices, more))
  const width = rows[0]?.length ?? 0
  const out = makeWriter()
  if (more > 0) out.put(maxDevices + more)
  out.put(devices.length)
  for (const device of devices) {
    out.put(device.length)
    for (let i = 0; i < device.length; i++) out.byte(device.charCodeAt(i) & 0xff)
  }
  for (let column = 0; column < width; column++) out.put(rows[0]![column]!)
  const changing: number[] = []
  for (let column = 0; column < width; column++)
    if (rows.some((row) => row[column] !== rows[0]![column])) changing.push(column)
  const mask = new Uint8Array((width + 7) >> 3)
  for (const column of changing) mask[column >> 3]! |= 1 << (column & 7)
  for (const bits of mask) out.byte(bits)
  for (const column of changing) {
    let run = 0
    for (let i = 1; i <= rows.length; i++) {
      const difference = i === rows.length || rows[i] === rows[i - 1] ? 0 : rows[i]![column]! - rows[i - 1]![column]!
      if (i < rows.length && difference === 0) run++
      else {
        if (run > 0) {
          out.byte(0)
          out.put(run - 1)
        }
        run = 0
        if (i < rows.length) out.put(difference < 0 ? -2 * difference - 1 : 2 * difference)
      }
    }
  }
  return out.end()
}

/**
 * Limit for decoding: the number of figures that may still be created. A hostile file could otherwise fill the memory,
 * because a run of equal rows takes no bytes in it.
 */
export interface Budget {
  figures: number
}

/**
 * Decodes `count` samples from the bytes of `encodeBlock`. Returns undefined if the bytes are invalid or `budget` is
 * used up. Consecutive equal samples are one object, and their figures count once in the budget.
 */
export function decodeBlock(
  bytes: Uint8Array,
  count: number,
  budget: Budget = { figures: Number.POSITIVE_INFINITY },
): (GroupSample | undefined)[] | undefined {
  if (!(count >= 1 && count <= maxBlockSamples)) return undefined
  const read = makeReader(bytes)
  const devices: string[] = []
  const head = read.next()
  const more = head > maxDevices ? head - maxDevices : 0
  const deviceCount = more > 0 ? read.next() : head
  if (!(more <= addedColumns)) return undefined
  if (!(deviceCount <= maxDevices)) return undefined
  for (let i = 0; i < deviceCount; i++) {
    const name = read.take(read.next())
    if (!name || name.length > 64) return undefined
    devices.push(String.fromCharCode(...name))
  }
  const width = fixedColumns + 4 * devices.length + more
  const first = new Float64Array(width)
  for (let column = 0; column < width; column++) first[column] = read.next()
  const mask = read.take((width + 7) >> 3)
  if (!mask || first.some((coded) => !(coded <= largest + 2))) return undefined
  const changed = new Uint8Array(count)
  const columns: [column: number, figures: Float64Array][] = []
  for (let column = 0; column < width; column++) {
    if (!(mask[column >> 3]! & (1 << (column & 7)))) continue
    const figures = readColumn(read, first[column]!, count, changed)
    if (!figures) return undefined
    columns.push([column, figures])
  }
  if (!read.over()) return undefined
  budget.figures -= width * changed.reduce((sum, one) => sum + one, 1)
  if (budget.figures < 0) return undefined
  const samples: (GroupSample | undefined)[] = []
  for (let i = 0; i < count; i++) {
    if (i > 0 && changed[i] === 0) {
      samples.push(samples[i - 1])
      continue
    }
    for (const [column, figures] of columns) first[column] = figures[i]!
    samples.push(fromRow(first, devices, more))
  }
  return samples
}

function readColumn(read: Reader, from: number, count: number, changed: Uint8Array): Float64Array | undefined {
  const figures = new Float64Array(count)
  figures[0] = from
  for (let i = 1; i < count; ) {
    const word = read.next()
    if (word === 0) {
      const run = read.next() + 1
      if (!(run <= count - i)) return undefined
      figures.fill(figures[i - 1]!, i, i + run)
      i += run
      continue
    }
    const figure = figures[i - 1]! + (word % 2 === 1 ? -(word + 1) / 2 : word / 2)
    if (!(figure >= 0 && figure <= largest + 2)) return undefined
    figures[i] = figure
    changed[i] = 1
    i++
  }
  return figures
}

/** Encodes increasing times in milliseconds as differences of differences. */
export function encodeTimes(times: readonly number[]): Uint8Array {
  const out = makeWriter()
  let [last, step] = [0, 0]
  for (const time of times) {
    const difference = time - last - step
    out.put(difference < 0 ? -2 * difference - 1 : 2 * difference)
    step = time - last
    last = time
  }
  return out.end()
}

/** Decodes the bytes of `encodeTimes`. Returns undefined if they are invalid or contain too many times. */
export function decodeTimes(bytes: Uint8Array): number[] | undefined {
  const read = makeReader(bytes)
  const times: number[] = []
  let [last, step] = [0, 0]
  while (!read.over()) {
    const word = read.next()
    step += word % 2 === 1 ? -(word + 1) / 2 : word / 2
    last += step
    if (!(last <= largest && (times.length === 0 ? last >= 0 : step > 0)) || times.length === maxBlockSamples)
      return undefined
    times.push(last)
  }
  return times.length > 0 ? times : undefined
}

function makeWriter() {
  let bytes = new Uint8Array(1024)
  let at = 0
  const byte = (value: number) => {
    if (at === bytes.length) {
      const more = new Uint8Array(2 * at)
      more.set(bytes)
      bytes = more
    }
    bytes[at++] = value
  }
  return {
    byte,
    put(value: number) {
      let rest = value
      // JavaScript's bit operators work only on the lowest 31 bits of a positive number
      for (; rest >= 2 ** 31; rest = Math.floor(rest / 128)) byte((rest % 128) | 128)
      for (; rest >= 128; rest >>>= 7) byte((rest & 127) | 128)
      byte(rest)
    },
    end: () => bytes.slice(0, at),
  }
}

interface Reader {
  /** Returns the next varint; NaN at the end of the bytes. */
  next(): number
  take(count: number): Uint8Array | undefined
  over(): boolean
}

function makeReader(bytes: Uint8Array): Reader {
  let at = 0
  return {
    next() {
      let value = 0
      for (let scale = 1; at < bytes.length && scale < 2 ** 56; scale *= 128) {
        const byte = bytes[at++]!
        value += (byte & 127) * scale
        if (byte < 128) return value
      }
      at = bytes.length + 1
      return Number.NaN
    },
    take(count) {
      if (!(count <= bytes.length - at)) return undefined
      at += count
      return bytes.subarray(at - count, at)
    },
    over: () => at === bytes.length,
  }
}
