// SPDX-License-Identifier: Apache-2.0
// Reads v1 files as the text of the v2 file with the same meaning. Returns undefined if v1 has no equivalent; never guesses.

import { parseFlat, parseNumber } from '../stats.ts'
import { readIoMax, readIoStat, readIoWeight } from './blkio.ts'
import { controllerOf, v1Names, weightFromShares } from './translate.ts'

/**
 * Function that returns the text of a v1 file in the hierarchy of a controller; undefined if the file is missing. The controller `cgroup`
 * means any hierarchy.
 */
type LegacyReader = (controller: string, file: string) => string | undefined

/** Returns the text of a v2 file, built from v1's files; undefined if v1 has no equivalent. */
export function readLegacy(file: string, read: LegacyReader): string | undefined {
  const [, size, rest] = /^hugetlb\.(\d+[KMGT]B)\.(.+)$/.exec(file) ?? []
  if (size) return readHugetlb(rest!, (name) => trimmed(read('hugetlb', `hugetlb.${size}.${name}`)))
  if (Object.hasOwn(readers, file)) return readers[file]!((controller, name) => trimmed(read(controller, name)))
  const controller = controllerOf(file)
  return sameNames.has(controller) ? trimmed(read(controller, file)) : undefined
}

/** Controllers whose files are the same on v1 and v2. */
const sameNames = new Set(['pids', 'rdma', 'misc'])

const renamed =
  (controller: string, file: string) =>
  (read: LegacyReader): string | undefined =>
    read(controller, file)

const limit =
  (controller: string, file: string) =>
  (read: LegacyReader): string | undefined =>
    limitOf(read(controller, file))

const readers: { [file: string]: (read: LegacyReader) => string | undefined } = {
  ...Object.fromEntries(
    Object.entries(v1Names).map(([file, name]) => {
      const controller = controllerOf(name)
      return [file, controller === 'memory' ? limit(controller, name) : renamed(controller, name)]
    }),
  ),
  'cgroup.procs': renamed('cgroup', 'cgroup.procs'),
  'cgroup.threads': renamed('cgroup', 'tasks'),
  'cgroup.freeze': readFreeze,
  'cpu.max': readCpuMax,
  'cpu.weight': readCpuWeight,
  'cpu.idle': renamed('cpu', 'cpu.idle'),
  'cpu.uclamp.min': renamed('cpu', 'cpu.uclamp.min'),
  'cpu.uclamp.max': renamed('cpu', 'cpu.uclamp.max'),
  'cpu.stat': readCpuStat,
  'cpu.stat.local': readCpuStatLocal,
  'cpuset.cpus': renamed('cpuset', 'cpuset.cpus'),
  'cpuset.cpus.effective': renamed('cpuset', 'cpuset.effective_cpus'),
  'cpuset.mems': renamed('cpuset', 'cpuset.mems'),
  'cpuset.mems.effective': renamed('cpuset', 'cpuset.effective_mems'),
  'io.max': (read) => readIoMax((file) => read('blkio', file)),
  'io.stat': (read) => readIoStat((file) => read('blkio', file)),
  'io.weight': (read) => readIoWeight((file) => read('blkio', file)),
  'io.bfq.weight': (read) => readIoWeight((file) => (file === 'blkio.weight' ? undefined : read('blkio', file))),
  'memory.current': renamed('memory', 'memory.usage_in_bytes'),
  'memory.peak': renamed('memory', 'memory.max_usage_in_bytes'),
  'memory.swap.max': readSwapMax,
  'memory.swap.current': readSwapCurrent,
  'memory.events': readMemoryEvents,
  'memory.stat': readMemoryStat,
}

function trimmed(text: string | undefined): string | undefined {
  return text?.trimEnd()
}

/** Returns the text of a v1 limit in v2's form. v1 writes "no limit" as the largest number of whole pages, or as -1. */
function limitOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  return text === '-1' || Number(text) >= 2 ** 63 - 2 ** 20 ? 'max' : text
}

/** Returns the text of cgroup.freeze. It shows the requested state, as freezer.self_freezing of v1 does. */
function readFreeze(read: LegacyReader): string | undefined {
  const selfFreezing = read('freezer', 'freezer.self_freezing')
  const state = read('freezer', 'freezer.state')
  return selfFreezing ?? (state === undefined ? undefined : state === 'THAWED' ? '0' : '1')
}

function readCpuMax(read: LegacyReader): string | undefined {
  const quota = read('cpu', 'cpu.cfs_quota_us')
  const period = read('cpu', 'cpu.cfs_period_us')
  return quota === undefined || period === undefined ? undefined : `${limitOf(quota)} ${period}`
}

function readCpuWeight(read: LegacyReader): string | undefined {
  const shares = parseNumber(read('cpu', 'cpu.shares'))
  return shares === undefined ? undefined : String(weightFromShares(shares))
}

function readCpuStat(read: LegacyReader): string | undefined {
  const ticks = parseFlat(read('cpuacct', 'cpuacct.stat'))
  const quota = parseFlat(read('cpu', 'cpu.stat'))
  const nanoseconds = (file: string) => toUsec(parseNumber(read('cpuacct', file)))
  // a tick of cpuacct.stat is 10 ms on all supported architectures
  const fromTicks = (count: number | undefined) => (count === undefined ? undefined : count * 10_000)
  return flat([
    ['usage_usec', nanoseconds('cpuacct.usage')],
    ['user_usec', nanoseconds('cpuacct.usage_user') ?? fromTicks(ticks.user)],
    ['system_usec', nanoseconds('cpuacct.usage_sys') ?? fromTicks(ticks.system)],
    ['nr_periods', quota.nr_periods],
    ['nr_throttled', quota.nr_throttled],
    ['throttled_usec', toUsec(quota.throttled_time)],
    ['nr_bursts', quota.nr_bursts],
    ['burst_usec', toUsec(quota.burst_time)],
  ])
}

function readCpuStatLocal(read: LegacyReader): string | undefined {
  return flat([['throttled_usec', toUsec(parseFlat(read('cpu', 'cpu.stat.local')).throttled_time)]])
}

/** Returns the text of memory.swap.max. v1 limits memory and swap together, so the limit of memory is subtracted. */
function readSwapMax(read: LegacyReader): string | undefined {
  const both = limitOf(read('memory', 'memory.memsw.limit_in_bytes'))
  const memory = limitOf(read('memory', 'memory.limit_in_bytes'))
  if (both === undefined || memory === undefined || both === 'max') return both
  return String(Math.max(0, Number(both) - (memory === 'max' ? Number(both) : Number(memory))))
}

function readSwapCurrent(read: LegacyReader): string | undefined {
  const stat = parseFlat(read('memory', 'memory.stat'))
  const swap = stat.total_swap ?? stat.swap
  return swap === undefined ? undefined : String(swap)
}

/** Returns the text of memory.events. A failcnt of 0 is left out as unknown: Linux 6.13 and later may not count it. */
function readMemoryEvents(read: LegacyReader): string | undefined {
  const failures =
    (parseNumber(read('memory', 'memory.failcnt')) ?? 0) + (parseNumber(read('memory', 'memory.memsw.failcnt')) ?? 0)
  return flat([
    ['max', failures || undefined],
    ['oom_kill', parseFlat(read('memory', 'memory.oom_control')).oom_kill],
  ])
}

/** Keys of memory.stat on v2, each with the key of v1 that counts the same. They are in v2's order. */
const statKeys: [v2: string, v1: string][] = [
  ['anon', 'rss'],
  ['file', 'cache'],
  ['shmem', 'shmem'],
  ['file_mapped', 'mapped_file'],
  ['file_dirty', 'dirty'],
  ['file_writeback', 'writeback'],
  ['swapcached', 'swapcached'],
  ['anon_thp', 'rss_huge'],
  ...[
    ...['inactive_anon', 'active_anon', 'inactive_file', 'active_file', 'unevictable'],
    ...['workingset_refault_anon', 'workingset_refault_file', 'pgfault', 'pgmajfault'],
  ].map((key): [string, string] => [key, key]),
]

function readMemoryStat(read: LegacyReader): string | undefined {
  const stat = parseFlat(read('memory', 'memory.stat'))
  const figures = statKeys.map(([key, old]): [string, number | undefined] => [key, stat[`total_${old}`] ?? stat[old]])
  const kernel = parseNumber(read('memory', 'memory.kmem.usage_in_bytes'))
  return flat([...figures.slice(0, 2), ['kernel', kernel], ...figures.slice(2)])
}

function readHugetlb(name: string, read: (name: string) => string | undefined): string | undefined {
  const infix = name.startsWith('rsvd.') ? 'rsvd.' : ''
  switch (name) {
    case 'max':
    case 'rsvd.max':
      return limitOf(read(`${infix}limit_in_bytes`))
    case 'current':
    case 'rsvd.current':
      return read(`${infix}usage_in_bytes`)
    case 'events.local':
      return flat([['max', parseNumber(read('failcnt'))]])
    case 'numa_stat':
      // v2 also counts descendants
      return read('numa_stat')
        ?.split('\n')
        .find((line) => line.startsWith('hierarchical_total='))
        ?.replace('hierarchical_', '')
    default:
      return undefined
  }
}

function toUsec(nanoseconds: number | undefined): number | undefined {
  return nanoseconds === undefined ? undefined : Math.round(nanoseconds / 1000)
}

/** Returns the known figures as lines `key value`; undefined if no figure is known. */
function flat(figures: [key: string, value: number | undefined][]): string | undefined {
  const known = figures.filter(([, value]) => value !== undefined)
  return known.length === 0 ? undefined : known.map(([key, value]) => `${key} ${value}`).join('\n')
}
