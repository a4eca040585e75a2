// SPDX-License-Identifier: Apache-2.0
// Formats the figures of a control group as its kernel files on v2 and on v1. Pure.

/** What the kubelet or the container runtime sets for a group. An absent figure keeps the kernel's default. */
export interface GroupFigures {
  shares: number
  weight: number
  quota?: { usec: number | 'max'; periodUsec: number }
  memoryMin?: number
  memoryLow?: number
  memoryHigh?: number
  memoryMax?: number
  swapMax?: number
  oomGroup?: boolean
  pidsMax?: number
  /** Bytes by size of the page, such as 2MB. */
  hugetlb?: { readonly [size: string]: number | 'max' }
}

/** A kernel file: its value for figures, and the value that a new group has. */
interface GroupFile {
  file: string
  default: string
  value(figures: GroupFigures): string | undefined
}

const text = (value: number | 'max' | undefined) => (value === undefined ? undefined : String(value))

const v2Files: readonly GroupFile[] = [
  { file: 'cpu.weight', default: '100', value: ({ weight }) => String(weight) },
  { file: 'cpu.max', default: 'max 100000', value: ({ quota }) => quota && `${quota.usec} ${quota.periodUsec}` },
  { file: 'memory.min', default: '0', value: ({ memoryMin }) => text(memoryMin) },
  { file: 'memory.low', default: '0', value: ({ memoryLow }) => text(memoryLow) },
  { file: 'memory.high', default: 'max', value: ({ memoryHigh }) => text(memoryHigh) },
  { file: 'memory.max', default: 'max', value: ({ memoryMax }) => text(memoryMax) },
  { file: 'memory.swap.max', default: 'max', value: ({ swapMax }) => text(swapMax) },
  {
    file: 'memory.oom.group',
    default: '0',
    value: ({ oomGroup }) => (oomGroup === undefined ? undefined : oomGroup ? '1' : '0'),
  },
  { file: 'pids.max', default: 'max', value: ({ pidsMax }) => text(pidsMax) },
]

const v1Files: readonly GroupFile[] = [
  { file: 'cpu.shares', default: '1024', value: ({ shares }) => String(shares) },
  { file: 'cpu.cfs_period_us', default: '100000', value: ({ quota }) => quota && String(quota.periodUsec) },
  {
    file: 'cpu.cfs_quota_us',
    default: '-1',
    value: ({ quota }) => quota && (quota.usec === 'max' ? '-1' : String(quota.usec)),
  },
  { file: 'memory.limit_in_bytes', default: '-1', value: ({ memoryMax }) => text(memoryMax) },
  {
    file: 'memory.memsw.limit_in_bytes',
    default: '-1',
    value: ({ memoryMax, swapMax }) =>
      memoryMax === undefined || swapMax === undefined ? undefined : String(memoryMax + swapMax),
  },
  { file: 'pids.max', default: 'max', value: ({ pidsMax }) => text(pidsMax) },
]

/** Returns the values of all files of a group that Kubernetes is concerned with, by file. */
export function groupFiles(figures: GroupFigures, version: 'v1' | 'v2'): { [file: string]: string } {
  const files: { [file: string]: string } = {}
  for (const { file, default: usual, value } of version === 'v2' ? v2Files : v1Files)
    files[file] = value(figures) ?? usual
  for (const [size, limit] of Object.entries(figures.hugetlb ?? {}))
    if (version === 'v2') files[`hugetlb.${size}.max`] = String(limit)
    else files[`hugetlb.${size}.limit_in_bytes`] = limit === 'max' ? '-1' : String(limit)
  return files
}

/** Returns true if a value is that of a new group. */
export function isDefault(file: string, value: string): boolean {
  const known = [...v2Files, ...v1Files].find((one) => one.file === file)
  return value === (known?.default ?? 'max')
}
