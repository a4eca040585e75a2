// SPDX-License-Identifier: Apache-2.0
// Finds the v2 equivalent of a v1 file, for errors about v1 names on a v2 host. Pure.
import { parseSize } from '../../text/units.ts'
import { throttleFiles } from './blkio.ts'
import { controllerOf, v1Names, weightFromShares } from './translate.ts'

/** A v2 file with the same effect as a v1 file. The value is present if it can be computed. */
export interface Equivalent {
  file: string
  value: string | undefined
}

/** Function that returns the value of another file that the same call sets, such as the period of a quota. */
type Beside = (file: string) => string | undefined

type Convert = (value: string, beside: Beside) => string | undefined

const bytes: Convert = (value) => {
  const size = value === '-1' ? 'max' : parseSize(value)
  return size === undefined ? undefined : String(size)
}
const same: Convert = (value) => value
const quota: Convert = (value, beside) => `${value === '-1' ? 'max' : value} ${beside('cpu.cfs_period_us') ?? '100000'}`
const period: Convert = (value, beside) => {
  const us = beside('cpu.cfs_quota_us')
  return us === undefined ? undefined : quota(us, () => value)
}
const swap: Convert = (value, beside) => {
  const [both, memory] = [bytes(value, beside), bytes(beside('memory.limit_in_bytes') ?? '', beside)]
  if (both === 'max') return both
  return both !== undefined && memory !== undefined ? String(Math.max(0, Number(both) - Number(memory))) : undefined
}
/** Converts a weight of the CFQ scheduler (10 to 1000) to io.weight (1 to 10000), as container runtimes do. */
const weight = (text: string) => String(Math.round(1 + ((Number(text) - 10) * 9999) / 990))

/** Converts a v1 limit of a device, such as `8:0 1048576`, to a line of io.max. On v1, 0 removes a limit. */
const throttle =
  (key: string): Convert =>
  (value) => {
    const [, device, limit] = /^(\S+)\s+(\S+)$/.exec(value.trim()) ?? []
    const size = parseSize(limit)
    return device === undefined || size === undefined ? undefined : `${device} ${key}=${size === 0 ? 'max' : size}`
  }

const table: { readonly [v1: string]: readonly [v2: string, Convert] } = {
  ...Object.fromEntries(
    Object.entries(v1Names).map(([v2, v1]) => [v1, [v2, controllerOf(v1) === 'memory' ? bytes : same] as const]),
  ),
  'memory.memsw.limit_in_bytes': ['memory.swap.max', swap],
  'memory.kmem.limit_in_bytes': ['memory.max', () => undefined],
  'memory.force_empty': ['memory.reclaim', () => undefined],
  'cpu.shares': ['cpu.weight', (value) => (/^\d+$/.test(value) ? String(weightFromShares(Number(value))) : undefined)],
  'cpu.cfs_quota_us': ['cpu.max', quota],
  'cpu.cfs_period_us': ['cpu.max', period],
  'cpuset.cpu_exclusive': ['cpuset.cpus.partition', (value) => (value === '1' ? 'root' : 'member')],
  'freezer.state': ['cgroup.freeze', (value) => (value === 'FROZEN' ? '1' : '0')],
  'blkio.bfq.weight': ['io.bfq.weight', same],
  'blkio.bfq.weight_device': ['io.bfq.weight', same],
  'blkio.weight': ['io.weight', (value) => (/^\d+$/.test(value) ? weight(value) : undefined)],
  'blkio.weight_device': [
    'io.weight',
    (value) => value.replace(/ (\d+)$/, (_, figure: string) => ` ${weight(figure)}`),
  ],
  ...Object.fromEntries(Object.entries(throttleFiles).map(([key, file]) => [file, ['io.max', throttle(key)] as const])),
}

/** Returns the v2 equivalent of a v1 file and its value; undefined if v2 has none. */
export function findEquivalent(file: string, value: string, beside: Beside = () => undefined): Equivalent | undefined {
  const size = /^(hugetlb\.\d+[KMGT]B\.(?:rsvd\.)?)limit_in_bytes$/.exec(file)
  const [name, convert] = size ? ([`${size[1]}max`, bytes] as const) : Object.hasOwn(table, file) ? table[file]! : []
  return name === undefined ? undefined : { file: name, value: convert!(value, beside) }
}

/** Formats a v2 file and its value as hutch's commands accept them, such as `memory.max=67108864`. */
export function formatEquivalent({ file, value }: Equivalent): string {
  if (value === undefined) return file
  return value.includes(' ') ? `'${file}=${value}'` : `${file}=${value}`
}
