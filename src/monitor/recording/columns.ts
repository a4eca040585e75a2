// SPDX-License-Identifier: Apache-2.0
// Converts a sample of one group to a row of whole numbers, and back. Pure. An unknown value is stored as 0, `max` as
// 1, and a number n as n + 2. The table of figures assigns the columns.
import { figures, namesOfKind } from '../../cgroup/controllers/figures.ts'
import type { DeviceIo, GroupSample, Pressure, Stall } from '../sample.ts'

/**
 * Number of columns in the first version of the file format. The first column tells whether the group existed. After
 * these columns come four for each device.
 */
export const fixedColumns = 34
/** Largest stored value, so that differences are exact: 2 PiB, or 71 years of microseconds. */
export const largest = 2 ** 51
/** Percentages are stored in hundredths of a percent. */
const shareParts = 100
const ioFigures = ['readBytes', 'writtenBytes', 'reads', 'writes'] as const

const recorded = figures.filter((row) => row.recorded !== undefined).sort((a, b) => a.recorded! - b.recorded!)
const base = recorded.filter((row) => row.recorded! < fixedColumns)
/**
 * Figures that later versions of the file format added. Their columns follow those of the devices, in this order. They
 * are absent if none of these figures is known.
 */
const added = recorded.filter((row) => row.recorded! >= fixedColumns)
export const addedColumns = added.length

const [devicesFigure] = namesOfKind('devices')

/** Returns the block devices that occur in any of the samples, sorted. */
export function devicesOf(samples: readonly (GroupSample | undefined)[]): string[] {
  const found = new Set<string>()
  for (const [i, sample] of samples.entries()) {
    const devices = sample?.[devicesFigure!]
    if (devices && devices !== samples[i - 1]?.[devicesFigure!])
      for (const device of Object.keys(devices)) found.add(device)
  }
  return [...found].sort()
}

/** Returns how many columns of later versions the samples need: up to the last column with a known figure. */
export function addedIn(samples: readonly (GroupSample | undefined)[]): number {
  return added.findLastIndex(({ name }) => samples.some((sample) => sample?.[name] !== undefined)) + 1
}

export function toRow(sample: GroupSample | undefined, devices: readonly string[], more = 0): Float64Array {
  const row = new Float64Array(fixedColumns + devices.length * ioFigures.length + more)
  if (!sample) return row
  row[0] = 1
  for (const { name, kind, recorded: at, parts } of base) {
    const value = sample[name]
    if (kind === 'stalls') writeStalls(row, at!, value as Pressure | undefined)
    else if (kind === 'devices') row[at!] = code(value === undefined ? undefined : 0)
    else row[at!] = code(typeof value === 'boolean' ? Number(value) : (value as number | 'max' | undefined), parts)
  }
  let at = fixedColumns
  for (const device of devices) for (const name of ioFigures) row[at++] = code(sample[devicesFigure!]?.[device]?.[name])
  for (const { name, parts } of added.slice(0, more))
    row[at++] = code(sample[name] as number | 'max' | undefined, parts)
  return row
}

function writeStalls(row: Float64Array, from: number, pressure: Pressure | undefined): void {
  for (const [i, stall] of [pressure?.some, pressure?.full].entries()) {
    row[from + 2 * i] = code(stall?.avg10, shareParts)
    row[from + 2 * i + 1] = code(stall?.totalUsec)
  }
}

export function fromRow(row: ArrayLike<number>, devices: readonly string[], more = 0): GroupSample | undefined {
  if (row[0] === 0) return undefined
  const number = (at: number, parts = 1) => {
    const read = value(row[at]!, parts)
    return read === 'max' ? undefined : read
  }
  const sample: { [key: string]: unknown } = {}
  for (const { name, kind, recorded: at, parts } of base) {
    if (kind === 'stalls') sample[name] = readStalls(number, at!)
    else if (kind === 'flag') sample[name] = asFlag(number(at!))
    else if (kind === 'devices') sample[name] = number(at!) === undefined ? undefined : readDevices(number, devices)
    else sample[name] = kind === 'limit' ? value(row[at!]!, parts ?? 1) : number(at!, parts)
  }
  const from = fixedColumns + devices.length * ioFigures.length
  for (const [i, { name, kind, parts }] of added.slice(0, more).entries())
    sample[name] = kind === 'limit' ? value(row[from + i]!, parts ?? 1) : number(from + i, parts)
  return sample as unknown as GroupSample
}

type ReadNumber = (at: number, parts?: number) => number | undefined

function asFlag(read: number | undefined): boolean | undefined {
  return read === undefined ? undefined : read !== 0
}

function readStalls(number: ReadNumber, from: number): Pressure | undefined {
  const [some, full] = [from, from + 2].map((at): Stall | undefined => {
    const [avg10, totalUsec] = [number(at, shareParts), number(at + 1)]
    return avg10 === undefined || totalUsec === undefined ? undefined : { avg10, totalUsec }
  })
  return some && (full ? { some, full } : { some })
}

function readDevices(number: ReadNumber, devices: readonly string[]): { [device: string]: DeviceIo } {
  return Object.fromEntries(
    devices.flatMap((device, i) => {
      const all = ioFigures.map((name, n) => [name, number(fixedColumns + i * ioFigures.length + n)] as const)
      return all.some(([, figure]) => figure === undefined)
        ? []
        : [[device, Object.fromEntries(all) as unknown as DeviceIo]]
    }),
  )
}

function code(figure: number | 'max' | undefined, parts = 1): number {
  if (figure === undefined || Number.isNaN(figure)) return 0
  if (figure === 'max') return 1
  return Math.min(largest, Math.max(0, Math.round(figure * parts))) + 2
}

function value(coded: number, parts: number): number | 'max' | undefined {
  return coded === 0 ? undefined : coded === 1 ? 'max' : (coded - 2) / parts
}
