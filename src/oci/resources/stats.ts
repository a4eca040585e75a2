// SPDX-License-Identifier: Apache-2.0
// Reads the figures of a container's groups as the object that `events --stats` prints, with runc's names. Numbers that need more than
// 53 bits are bigint.
import { readGroupFile, readWords } from '../../cgroup/files.ts'
import { readPageSizes } from '../../host/huge-pages.ts'
import type { GroupPlace } from '../../options/spec.ts'
import { flatFigures, optional, readFigure, readPsi, type StatNumber, withoutZeros } from './stat-values.ts'

/** Nanoseconds of a clock tick in cpuacct.stat, of which a second has 100. */
const tick = 10_000_000n

interface BlkioEntry {
  major: number
  minor: number
  op: string
  value: StatNumber
}

/** Returns the figures of a container. A figure that the host does not have is absent, or 0 where runc has 0. */
export function readContainerStats(places: readonly GroupPlace[]): { [section: string]: unknown } {
  const directories = new Map(places.map(({ controller, directory }) => [controller, directory]))
  const unified = directories.get('')
  const available = unified === undefined ? [] : readWords(unified, 'cgroup.controllers')
  const v1 = (controller: string) => directories.get(controller)
  const v2 = (controller: string) => (available.includes(controller) ? unified : undefined)
  // the v2 tree counts CPU time even without its controller
  const cpu = v1('cpuacct') ?? v1('cpu')
  return {
    cpu: cpu === undefined ? unifiedCpu(unified) : legacyCpu(cpu, v1('cpu')),
    cpuset: readCpuset(v1('cpuset')),
    memory: v1('memory') === undefined ? unifiedMemory(v2('memory')) : legacyMemory(v1('memory')!),
    pids: readPids(v1('pids') ?? v2('pids')),
    blkio: v1('blkio') === undefined ? unifiedIo(v2('io')) : legacyBlkio(v1('blkio')!),
    hugetlb: readHugetlb(v1('hugetlb'), v2('hugetlb')),
    intel_rdt: {},
    network_interfaces: null,
  }
}

function legacyCpu(accounting: string, quota: string | undefined): object {
  const time = flatFigures(readGroupFile(accounting, 'cpuacct.stat'))
  const perCpu = readWords(accounting, 'cpuacct.usage_percpu').map(Number)
  const lines = readGroupFile(accounting, 'cpuacct.usage_all')?.split('\n').slice(1) ?? []
  const column = (i: number) => lines.map((line) => Number(line.split(' ')[i]))
  return {
    usage: {
      ...withoutZeros({ total: readFigure(accounting, 'cpuacct.usage') }),
      ...optional('percpu', perCpu),
      ...optional('percpu_kernel', column(2)),
      ...optional('percpu_user', column(1)),
      kernel: Number(BigInt(time.system ?? 0) * tick),
      user: Number(BigInt(time.user ?? 0) * tick),
    },
    throttling: throttling(flatFigures(quota && readGroupFile(quota, 'cpu.stat')), 'throttled_time', 1),
  }
}

function unifiedCpu(group: string | undefined): object {
  const stat = flatFigures(group && readGroupFile(group, 'cpu.stat'))
  const nanoseconds = (key: string) => Number(stat[key] ?? 0) * 1000
  return {
    usage: {
      ...withoutZeros({ total: nanoseconds('usage_usec') }),
      kernel: nanoseconds('system_usec'),
      user: nanoseconds('user_usec'),
    },
    throttling: throttling(stat, 'throttled_usec', 1000),
    ...readPsi(group, 'cpu.pressure'),
  }
}

function throttling(stat: { [key: string]: StatNumber }, timeKey: string, factor: number): object {
  return withoutZeros({
    periods: stat.nr_periods ?? 0,
    throttledPeriods: stat.nr_throttled ?? 0,
    throttledTime: Number(stat[timeKey] ?? 0) * factor,
  })
}

/** Figures of v1's cpuset, in runc's order. All but the two lists are numbers. */
const cpusetFiles = [
  'cpus',
  'cpu_exclusive',
  'mems',
  'mem_hardwall',
  'mem_exclusive',
  'memory_migrate',
  'memory_spread_page',
  'memory_spread_slab',
  'memory_pressure',
  'sched_load_balance',
  'sched_relax_domain_level',
]

function readCpuset(group: string | undefined): object {
  return Object.fromEntries(
    cpusetFiles.flatMap((name): [string, number | number[]][] => {
      const text = (group && readGroupFile(group, `cpuset.${name}`)) || ''
      if (name !== 'cpus' && name !== 'mems') return [[name, Number(text)]]
      const list = text.split(',').filter(Boolean).flatMap(range)
      return list.length > 0 ? [[name, list]] : []
    }),
  )
}

function range(part: string): number[] {
  const [first = 0, last = first] = part.split('-').map(Number)
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

function legacyMemory(group: string): object {
  const raw = flatFigures(readGroupFile(group, 'memory.stat'))
  const entry = (prefix: string) => ({
    limit: readFigure(group, `${prefix}.limit_in_bytes`),
    ...withoutZeros({
      usage: readFigure(group, `${prefix}.usage_in_bytes`),
      max: readFigure(group, `${prefix}.max_usage_in_bytes`),
    }),
    failcnt: readFigure(group, `${prefix}.failcnt`),
  })
  return {
    ...withoutZeros({ cache: raw.cache ?? 0 }),
    usage: entry('memory'),
    swap: entry('memory.memsw'),
    kernel: entry('memory.kmem'),
    kernelTCP: entry('memory.kmem.tcp'),
    raw,
  }
}

const noLimit = 2n ** 64n - 1n

/** The figures of swap include memory, as on v1. */
function unifiedMemory(group: string | undefined): object {
  const nothing = { limit: 0, failcnt: 0 }
  if (group === undefined) return { usage: nothing, swap: nothing, kernel: nothing, kernelTCP: nothing }
  const raw = flatFigures(readGroupFile(group, 'memory.stat'))
  const limit = readFigure(group, 'memory.max')
  const usage = readFigure(group, 'memory.current')
  const hasSwap = readGroupFile(group, 'memory.swap.current') !== undefined
  const swapLimit = BigInt(readFigure(group, 'memory.swap.max')) + BigInt(limit)
  const swap = {
    limit: swapLimit >= noLimit ? noLimit : shorten(swapLimit),
    ...withoutZeros({ usage: Number(readFigure(group, 'memory.swap.current')) + Number(usage) }),
    failcnt: 0,
  }
  return {
    ...withoutZeros({ cache: raw.file ?? 0 }),
    usage: { limit, ...withoutZeros({ usage, max: readFigure(group, 'memory.peak') }), failcnt: 0 },
    swap: hasSwap ? swap : nothing,
    kernel: nothing,
    kernelTCP: nothing,
    raw,
    ...readPsi(group, 'memory.pressure'),
  }
}

const shorten = (value: bigint): StatNumber => (value <= Number.MAX_SAFE_INTEGER ? Number(value) : value)

function readPids(group: string | undefined): object {
  if (group === undefined) return {}
  const limit = readGroupFile(group, 'pids.max')
  return withoutZeros({ current: readFigure(group, 'pids.current'), limit: limit === 'max' ? 0 : Number(limit ?? 0) })
}

/** Lists of `blkio` with their v1 files. The first file of a set that has lines decides which set is read. */
const [serviced, bytes] = ['ioServicedRecursive', 'ioServiceBytesRecursive'] as const
const blkioSets: readonly (readonly [list: string, file: string])[][] = [
  [
    ['sectorsRecursive', 'blkio.bfq.sectors_recursive'],
    ['ioServiceTimeRecursive', 'blkio.bfq.io_service_time_recursive'],
    ['ioWaitTimeRecursive', 'blkio.bfq.io_wait_time_recursive'],
    ['ioMergedRecursive', 'blkio.bfq.io_merged_recursive'],
    ['ioQueueRecursive', 'blkio.bfq.io_queued_recursive'],
    ['ioTimeRecursive', 'blkio.bfq.time_recursive'],
    [serviced, 'blkio.bfq.io_serviced_recursive'],
    [bytes, 'blkio.bfq.io_service_bytes_recursive'],
  ],
  [
    [serviced, 'blkio.bfq.io_serviced_recursive'],
    [bytes, 'blkio.bfq.io_service_bytes_recursive'],
  ],
  [
    [serviced, 'blkio.throttle.io_serviced_recursive'],
    [bytes, 'blkio.throttle.io_service_bytes_recursive'],
  ],
  [
    [serviced, 'blkio.throttle.io_serviced'],
    [bytes, 'blkio.throttle.io_service_bytes'],
  ],
]

function legacyBlkio(group: string): object {
  const read = (file: string) => parseBlkio(readGroupFile(group, file) ?? '')
  const set = blkioSets.find(([first]) => read(first![1]).length > 0) ?? []
  const lists = Object.fromEntries(set.map(([list, file]) => [list, read(file)]))
  return orderBlkio(lists)
}

function orderBlkio(lists: { [list: string]: object[] }): object {
  const order = [bytes, serviced, 'ioQueueRecursive', 'ioServiceTimeRecursive', 'ioWaitTimeRecursive']
  const names = [...order, 'ioMergedRecursive', 'ioTimeRecursive', 'sectorsRecursive']
  return Object.assign({}, ...names.map((name) => optional(name, lists[name] ?? [])))
}

/** Parses lines such as `8:0 Read 4096`, and `8:0 7` of the files without operations. */
function parseBlkio(text: string): object[] {
  return [...text.matchAll(/^(\d+):(\d+) (?:(\w+) )?(\d+)$/gm)].map(([, major, minor, op = '', value]) =>
    entry({ major: Number(major), minor: Number(minor), op, value: Number(value) }),
  )
}

const entry = ({ major, minor, op, value }: BlkioEntry): object => ({
  ...withoutZeros({ major, minor }),
  ...(op !== '' && { op }),
  ...withoutZeros({ value }),
})

const ioKeys: { readonly [key: string]: readonly [list: string, op: string] } = {
  rbytes: [bytes, 'Read'],
  wbytes: [bytes, 'Write'],
  rios: [serviced, 'Read'],
  wios: [serviced, 'Write'],
}

function unifiedIo(group: string | undefined): object {
  const lists: { [list: string]: object[] } = {}
  for (const line of (group && readGroupFile(group, 'io.stat'))?.split('\n') ?? []) {
    const [device = '', ...pairs] = line.split(' ')
    const [major, minor] = device.split(':').map(Number)
    for (const [key, value] of pairs.map((pair) => pair.split('='))) {
      const [list, op] = ioKeys[key ?? ''] ?? []
      if (list === undefined || op === undefined || major === undefined || minor === undefined) continue
      lists[list] = [...(lists[list] ?? []), entry({ major, minor, op, value: Number(value) })]
    }
  }
  return { ...orderBlkio(lists), ...readPsi(group, 'io.pressure') }
}

function readHugetlb(v1: string | undefined, v2: string | undefined): object {
  return Object.fromEntries(
    readPageSizes().flatMap((size): [string, object][] => {
      const file = `hugetlb.${size}`
      if (v1 !== undefined) {
        const use = {
          usage: readFigure(v1, `${file}.usage_in_bytes`),
          max: readFigure(v1, `${file}.max_usage_in_bytes`),
        }
        return [[size, { ...withoutZeros(use), failcnt: readFigure(v1, `${file}.failcnt`) }]]
      }
      if (v2 === undefined) return []
      const failcnt = flatFigures(readGroupFile(v2, `${file}.events`)).max ?? 0
      return [[size, { ...withoutZeros({ usage: readFigure(v2, `${file}.current`) }), failcnt }]]
    }),
  )
}
