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

/** Files of v1 by the v2 name under which hutch sets them. */
const legacyNames: { readonly [file: string]: string } = {
  'cpu.shares': 'cpu.shares',
  'cpu.max': 'cpu.cfs_quota_us',
  'memory.max': 'memory.limit_in_bytes',
  'memory.swap.max': 'memory.memsw.limit_in_bytes',
  'pids.max': 'pids.max',
}

/**
 * Returns the limits of a group that differ from those of a new group, under the names of hutch's options. `kernelFile` is the
 * file that the kernel has for each. On v1, cpu.shares replaces cpu.weight, whose conversion is not exact.
 */
export function groupLimits(
  figures: GroupFigures,
  version: 'v1' | 'v2',
): { file: string; value: string; kernelFile: string }[] {
  const files = groupFiles(figures, 'v2')
  const limits = version === 'v2' ? files : { ...files, 'cpu.weight': '100', 'cpu.shares': String(figures.shares) }
  return (
    Object.entries(limits)
      .filter(([file, value]) => !isDefault(file, value))
      // v1 limits memory and swap together, so the limit of swap needs one of memory
      .filter(([file]) => version === 'v2' || file !== 'memory.swap.max' || figures.memoryMax !== undefined)
      .map(([file, value]) => ({
        file,
        value,
        kernelFile: version === 'v2' ? file : (legacyNames[file] ?? file.replace(/\.max$/, '.limit_in_bytes')),
      }))
  )
}

/** Returns the value that the kernel shows after `value` was written: it counts memory in whole pages. */
export function shownValue(file: string, value: string, pageSize: number): string {
  if (!/^(memory|hugetlb)\./.test(file) || !/^\d{2,}$/.test(value)) return value
  return String(BigInt(value) - (BigInt(value) % BigInt(pageSize)))
}
