// SPDX-License-Identifier: Apache-2.0
// The columns of hutch top: content, sort order, and which are dropped first on a narrow terminal. Pure.
import { sumIo } from '../../monitor/rates.ts'
import type { Pressure } from '../../monitor/sample.ts'
import { formatSize } from '../../text/units.ts'
import type { Row } from './rows.ts'

export interface ColumnWords {
  title: string
  width: number
  /** Columns with the highest rank are dropped first. */
  rank: number
  text: (row: Row) => string
  /** The value to sort by. Without it, by name. */
  value?: (row: Row) => number | undefined
  /** The label in the details. */
  words: string
}

export type Column =
  | 'name'
  | 'cpu'
  | 'throttled'
  | 'memory'
  | 'bar'
  | 'limit'
  | 'swap'
  | 'pids'
  | 'read'
  | 'written'
  | 'pressure'
  | 'oom'

/** Formats a size for a column: `50.0M`. */
export function shortSize(bytes: number | 'max' | undefined): string {
  if (bytes === undefined) return '-'
  return formatSize(bytes)
    .replace(/ ([KMGTP])iB$/, '$1')
    .replace(/ B$/, 'B')
}

export function percent(share: number | undefined, digits = 1): string {
  return share === undefined ? '-' : `${(share * 100).toFixed(digits)}%`
}

/** Draws a bar with a resolution of an eighth of a column. */
export function drawBar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const full = '█'.repeat(eighths >> 3)
  const part = eighths & 7 ? '▏▎▍▌▋▊▉'[(eighths & 7) - 1]! : ''
  return `${full}${part}`.padEnd(width, '·')
}

const barWidth = 8

const memoryShare = ({ sample: { memory, memoryMax } }: Row) =>
  memory !== undefined && typeof memoryMax === 'number' && memoryMax > 0 ? memory / memoryMax : undefined

const stalls = ({ sample: { cpuPressure, memoryPressure, ioPressure } }: Row) =>
  [cpuPressure, memoryPressure, ioPressure].map((pressure: Pressure | undefined) => pressure?.some.avg10)

export const columns: { [name in Column]: ColumnWords } = {
  name: { title: 'GROUP', width: 20, rank: 0, text: ({ name }) => name, words: 'name' },
  cpu: {
    title: 'CPU%',
    width: 7,
    rank: 1,
    text: ({ rates }) => percent(rates?.cpus),
    value: ({ rates }) => rates?.cpus,
    words: 'CPU',
  },
  throttled: {
    title: 'THR%',
    width: 5,
    rank: 6,
    text: ({ rates }) => (rates?.throttled ? percent(rates.throttled, 0) : ''),
    value: ({ rates }) => rates?.throttled,
    words: 'throttled',
  },
  memory: {
    title: 'MEM',
    width: 8,
    rank: 2,
    text: ({ sample }) => shortSize(sample.memory),
    value: ({ sample }) => sample.memory,
    words: 'memory',
  },
  bar: {
    title: '',
    width: barWidth,
    rank: 5,
    text: (row) => {
      const share = memoryShare(row)
      return share === undefined ? '' : drawBar(share, barWidth)
    },
    value: memoryShare,
    words: 'share of the memory limit',
  },
  limit: {
    title: 'LIMIT',
    width: 8,
    rank: 4,
    text: ({ sample }) => (sample.memoryMax === 'max' ? '' : shortSize(sample.memoryMax)),
    value: ({ sample: { memoryMax } }) => (memoryMax === 'max' ? Number.MAX_VALUE : memoryMax),
    words: 'memory limit',
  },
  swap: {
    title: 'SWAP',
    width: 8,
    rank: 10,
    text: ({ sample }) => (sample.swap ? shortSize(sample.swap) : ''),
    value: ({ sample }) => sample.swap,
    words: 'swap',
  },
  pids: {
    title: 'PIDS',
    width: 10,
    rank: 3,
    text: ({ sample: { pids, pidsMax } }) =>
      pids === undefined ? '-' : `${pids}${typeof pidsMax === 'number' ? `/${pidsMax}` : ''}`,
    value: ({ sample }) => sample.pids,
    words: 'tasks',
  },
  read: {
    title: 'READ/s',
    width: 8,
    rank: 8,
    text: ({ rates }) => (rates?.readBytes ? shortSize(Math.round(rates.readBytes)) : ''),
    value: ({ rates, sample }) => rates?.readBytes ?? (sumIo(sample, 'readBytes') === undefined ? undefined : 0),
    words: 'reads',
  },
  written: {
    title: 'WRITE/s',
    width: 8,
    rank: 9,
    text: ({ rates }) => (rates?.writtenBytes ? shortSize(Math.round(rates.writtenBytes)) : ''),
    value: ({ rates, sample }) => rates?.writtenBytes ?? (sumIo(sample, 'writtenBytes') === undefined ? undefined : 0),
    words: 'writes',
  },
  pressure: {
    title: 'STALLED c/m/i',
    width: 13,
    rank: 7,
    text: (row) => {
      const all = stalls(row)
      if (all.every((share) => !share || share < 0.5)) return ''
      return all.map((share) => (share === undefined ? '-' : String(Math.round(share)))).join('/')
    },
    value: (row) => Math.max(-1, ...stalls(row).map((share) => share ?? -1)),
    words: 'pressure',
  },
  oom: {
    title: 'OOM',
    width: 4,
    rank: 11,
    text: ({ sample }) => (sample.oomKills ? String(sample.oomKills) : ''),
    value: ({ sample }) => sample.oomKills,
    words: 'killed for memory',
  },
}

/** Columns to sort by, in the order of the key `s`. */
export const sortable: Column[] = [
  'cpu',
  'memory',
  'bar',
  'pids',
  'read',
  'written',
  'pressure',
  'swap',
  'throttled',
  'oom',
  'name',
]

/** Returns the columns that fit, with at least 20 characters for the name. The sorted column is dropped last. */
export function chooseColumns(width: number, sort: Column = 'cpu'): Column[] {
  const chosen = (Object.keys(columns) as Column[]).filter((name) => name !== 'name')
  const needed = () => chosen.reduce((sum, name) => sum + columns[name].width + 1, 0)
  const rank = (name: Column) => (name === sort ? 0 : columns[name].rank)
  while (chosen.length > 1 && needed() + 20 > width)
    chosen.splice(chosen.indexOf(chosen.reduce((a, b) => (rank(a) > rank(b) ? a : b))), 1)
  return needed() < width ? chosen : []
}
