// SPDX-License-Identifier: Apache-2.0
// Translates names and values between cgroup versions for cgxget and cgxset, with libcgroup's table and its linear proportions. Pure.
import type { CgroupVersion } from '../../cgroup/controllers/catalog.ts'
import { proportionalShares, proportionalWeight } from '../../cgroup/v1/translate.ts'
import { fail } from '../../errors/errors.ts'
import { statuses, withStatus } from '../exit-status.ts'

/** A v1 file and a v2 file with the same meaning, and the conversion of values in each direction. */
interface Mapping {
  v1: string
  v2: string
  toV2(value: string): string
  toV1(value: string): string
}

const same = (value: string) => value
/** Smallest number that means "no limit" on v1, which shows the largest number of whole pages. */
const unlimited = 2 ** 62
const toMax = (value: string) => (value === '-1' || Number(value) >= unlimited ? 'max' : value)
const fromMax = (value: string) => (value === 'max' ? '-1' : value)

const scaled = (convert: (value: number) => number) => (value: string) =>
  /^\d+$/.test(value) ? String(convert(Number(value))) : value

const renamed = (v1: string, v2: string): Mapping => ({ v1, v2, toV1: same, toV2: same })

const mappings: readonly Mapping[] = [
  {
    v1: 'cpu.shares',
    v2: 'cpu.weight',
    toV2: scaled(proportionalWeight),
    toV1: scaled(proportionalShares),
  },
  renamed('cpuset.cpus', 'cpuset.cpus'),
  renamed('cpuset.mems', 'cpuset.mems'),
  renamed('cpuset.effective_cpus', 'cpuset.cpus.effective'),
  renamed('cpuset.effective_mems', 'cpuset.mems.effective'),
  {
    v1: 'cpuset.cpu_exclusive',
    v2: 'cpuset.cpus.partition',
    toV2: (value) => (value === '1' ? 'root' : 'member'),
    toV1: (value) => (value === 'member' ? '0' : '1'),
  },
  { v1: 'memory.limit_in_bytes', v2: 'memory.max', toV2: toMax, toV1: fromMax },
  { v1: 'memory.soft_limit_in_bytes', v2: 'memory.high', toV2: toMax, toV1: fromMax },
  renamed('memory.usage_in_bytes', 'memory.current'),
  renamed('memory.max_usage_in_bytes', 'memory.peak'),
  renamed('pids.max', 'pids.max'),
  renamed('pids.current', 'pids.current'),
]

/** The two files of v1 that correspond to cpu.max. */
const quota = 'cpu.cfs_quota_us'
const period = 'cpu.cfs_period_us'

/** The kernel's default period of a CPU quota, in microseconds. */
const defaultPeriod = '100000'

/** Returns the file of the cgroup version `to` that has the content of a file of the version `from`. @throws CGROUP_LIMIT_UNSUPPORTED */
export function translateName(file: string, from: CgroupVersion, to: CgroupVersion): string {
  if (from === to) return file
  if (from === 'v1' && (file === quota || file === period)) return 'cpu.max'
  if (from === 'v2' && file === 'cpu.max') return quota
  const found = mappings.find((mapping) => mapping[from] === file)
  if (found) return found[to]
  throw withStatus(
    statuses.noTranslation,
    fail('CGROUP_LIMIT_UNSUPPORTED', {
      file,
      origin: file,
      why: `there is no equivalent file on cgroup ${to}`,
      remedy: 'leave it out, or skip such files with -i',
    }),
  )
}

/**
 * Reads a file of the other cgroup version, and returns its value in the format of the requested file. `read` returns the text of a file.
 */
export function readTranslated(
  file: string,
  from: CgroupVersion,
  to: CgroupVersion,
  read: (file: string) => string,
): string {
  const name = translateName(file, from, to)
  if (from === to) return read(file)
  if (from === 'v1' && name === 'cpu.max') {
    const [most = 'max', length = defaultPeriod] = read(name).split(' ')
    return file === quota ? fromMax(most) : length
  }
  if (from === 'v2' && file === 'cpu.max') return `${toMax(read(quota))} ${read(period)}`
  const mapping = mappings.find((one) => one[from] === file)!
  return from === 'v1' ? mapping.toV1(read(name)) : mapping.toV2(read(name))
}

/**
 * Translates a write to writes of the other cgroup version. `read` returns the current text of a file: v1's quota and period are one file
 * on v2, so one of them must be kept.
 */
export function translateWrite(
  file: string,
  value: string,
  from: CgroupVersion,
  to: CgroupVersion,
  read: (file: string) => string,
): [file: string, value: string][] {
  const name = translateName(file, from, to)
  if (from === to) return [[file, value]]
  if (from === 'v1' && name === 'cpu.max') {
    const [most = 'max', length = defaultPeriod] = read(name).split(' ')
    return [[name, file === quota ? `${toMax(value)} ${length}` : `${most} ${value}`]]
  }
  // keep the v2 name: the code that writes cpu.max on v1 orders the writes of quota and period
  if (from === 'v2' && file === 'cpu.max') return [[file, value]]
  const mapping = mappings.find((one) => one[from] === file)!
  return [[name, from === 'v1' ? mapping.toV2(value) : mapping.toV1(value)]]
}

/** Returns true if the other cgroup version has a file with the same meaning. */
export function isTranslatable(file: string, from: CgroupVersion, to: CgroupVersion): boolean {
  return (
    from === to ||
    (from === 'v1' && (file === quota || file === period)) ||
    (from === 'v2' && file === 'cpu.max') ||
    mappings.some((mapping) => mapping[from] === file)
  )
}
