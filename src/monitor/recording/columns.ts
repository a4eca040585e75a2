// SPDX-License-Identifier: Apache-2.0
// Converts a sample of one group to a row of whole numbers and back; pure. Unknown is 0, `max` is 1, a number n is n + 2.
import type { GroupSample, Pressure, Stall } from '../sample.ts'

/** The order is the file's format: a new one goes to the end, with a new version. */
const figures = [
  'cpuUsec',
  'userUsec',
  'systemUsec',
  'periods',
  'throttledPeriods',
  'throttledUsec',
  'memory',
  'memoryMax',
  'memoryPeak',
  'workingSet',
  'anon',
  'file',
  'swap',
  'swapMax',
  'oomKills',
  'pids',
  'pidsMax',
] as const
const pressures = ['cpuPressure', 'memoryPressure', 'ioPressure'] as const
const ioFigures = ['readBytes', 'writtenBytes', 'reads', 'writes'] as const

/** Columns of every group; four for each of its devices follow. */
export const fixedColumns = 5 + figures.length + 4 * pressures.length
/** Nothing larger is kept, so that a difference is exact: 2 PiB, 71 years of microseconds. */
export const largest = 2 ** 51
/** CPUs are kept to a millionth, shares to a hundredth of a percent. */
const cpuParts = 1e6
const shareParts = 100

/** The devices of any of them, sorted. */
export function devicesOf(samples: readonly (GroupSample | undefined)[]): string[] {
  const found = new Set<string>()
  for (const [i, sample] of samples.entries())
    if (sample?.io && sample.io !== samples[i - 1]?.io) for (const device of Object.keys(sample.io)) found.add(device)
  return [...found].sort()
}

export function toRow(sample: GroupSample | undefined, devices: readonly string[]): Float64Array {
  const row = new Float64Array(fixedColumns + devices.length * ioFigures.length)
  if (!sample) return row
  let at = 0
  row[at++] = 1
  row[at++] = code(sample.populated === undefined ? undefined : Number(sample.populated))
  row[at++] = code(sample.frozen === undefined ? undefined : Number(sample.frozen))
  row[at++] = code(sample.io === undefined ? undefined : 0)
  row[at++] = code(sample.cpuMax, cpuParts)
  for (const name of figures) row[at++] = code(sample[name])
  for (const name of pressures)
    for (const stall of [sample[name]?.some, sample[name]?.full]) {
      row[at++] = code(stall?.avg10, shareParts)
      row[at++] = code(stall?.totalUsec)
    }
  for (const device of devices) for (const name of ioFigures) row[at++] = code(sample.io?.[device]?.[name])
  return row
}

export function fromRow(row: ArrayLike<number>, devices: readonly string[]): GroupSample | undefined {
  let at = 0
  const next = (parts = 1) => value(row[at++]!, parts)
  const number = (parts = 1) => {
    const read = next(parts)
    return read === 'max' ? undefined : read
  }
  const flag = () => {
    const read = number()
    return read === undefined ? undefined : read !== 0
  }
  if (row[at++] === 0) return undefined
  const populated = flag()
  const frozen = flag()
  const hasIo = number() !== undefined
  const sample: { [key: string]: unknown } = { populated, frozen, cpuMax: next(cpuParts) }
  for (const name of figures) sample[name] = name.endsWith('Max') ? next() : number()
  for (const name of pressures) {
    const [some, full] = [0, 1].map((): Stall | undefined => {
      const [avg10, totalUsec] = [number(shareParts), number()]
      return avg10 === undefined || totalUsec === undefined ? undefined : { avg10, totalUsec }
    })
    const pressure: Pressure | undefined = some && (full ? { some, full } : { some })
    sample[name] = pressure
  }
  const io = devices.flatMap((device) => {
    const all = ioFigures.map((name) => [name, number()] as const)
    return all.some(([, figure]) => figure === undefined) ? [] : [[device, Object.fromEntries(all)] as const]
  })
  sample.io = hasIo ? Object.fromEntries(io) : undefined
  return sample as unknown as GroupSample
}

function code(figure: number | 'max' | undefined, parts = 1): number {
  if (figure === undefined || Number.isNaN(figure)) return 0
  if (figure === 'max') return 1
  return Math.min(largest, Math.max(0, Math.round(figure * parts))) + 2
}

function value(coded: number, parts: number): number | 'max' | undefined {
  return coded === 0 ? undefined : coded === 1 ? 'max' : (coded - 2) / parts
}
