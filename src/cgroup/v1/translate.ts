// SPDX-License-Identifier: Apache-2.0
// Translates limits with v2 names to writes on v1 hierarchies. A limit that v1 cannot express is an error. Pure.

import { fail } from '../../errors/errors.ts'
import { optionOfRun, text } from '../../errors/remedy-text.ts'
import { parseSize } from '../../text/units.ts'
import { translateIoMax, translateIoWeight } from './blkio.ts'

/** A requested limit: the kernel file, its value, and the option that requested it. */
export interface LimitWrite {
  file: string
  value: string
  origin: string
}

/** A write to a file in the v1 hierarchy of a controller. */
export interface LegacyWrite extends LimitWrite {
  controller: string
}

/** v2 files with another name on v1: the values are the same, except that memory has another text for no limit. */
export const v1Names: { readonly [file: string]: string } = {
  'memory.max': 'memory.limit_in_bytes',
  'memory.low': 'memory.soft_limit_in_bytes',
  'cpu.max.burst': 'cpu.cfs_burst_us',
  'io.prio.class': 'blkio.prio.class',
}

const inexpressible: { [file: string]: string } = {
  'memory.high': 'a soft throttle does not exist on cgroup v1; use --memory',
  'memory.min': 'guaranteed memory does not exist on cgroup v1; --memory-low sets a soft limit there',
  'memory.swap.high': 'a soft throttle does not exist on cgroup v1; use --swap',
  'memory.zswap.max': 'compressed swap is not limited on cgroup v1; use --swap',
  'memory.zswap.writeback': 'compressed swap cannot be controlled on cgroup v1; leave it out',
  'cpu.weight.nice': 'nice values are not accepted on cgroup v1; use cpu.weight',
  'io.latency': 'latency targets do not exist on cgroup v1; use io.max, or io.weight with the BFQ scheduler',
  'cpuset.cpus.exclusive': 'partitions do not exist on cgroup v1; use cpuset.cpu_exclusive',
  'cpuset.cpus.partition': 'partitions do not exist on cgroup v1; use cpuset.cpu_exclusive',
}

/** Values that request no limit. They are accepted even for files that v1 lacks. */
const asksNothing = new Set(['0', 'max', '', 'member'])

/** Returns the controller of a kernel file: the part before the first dot. */
export function controllerOf(file: string): string {
  return file.slice(0, file.indexOf('.'))
}

/** Returns the v1 controller of a kernel file of v1 or v2; the controller io of v2 is blkio on v1. */
export function legacyControllerOf(file: string): string {
  const controller = controllerOf(file)
  return controller === 'io' ? 'blkio' : controller
}

/**
 * Converts cpu.weight (1 to 10000, default 100) to cpu.shares. Inverts the conversion of cpu.shares to cpu.weight that container runtimes
 * use since 2025: 100 becomes 1024.
 */
export function sharesFromWeight(weight: number): number {
  // log2(shares)² + 125·log2(shares) = 612·(log10(weight) + 7/34), the formula of container runtimes since 2025
  const c = 612 * (Math.log10(weight) + 7 / 34)
  const shares = 2 ** ((-125 + Math.sqrt(125 * 125 + 4 * c)) / 2)
  return Math.min(262_144, Math.max(2, Math.round(shares)))
}

/** Converts cpu.shares to cpu.weight by the formula of container runtimes since 2025: 1024 becomes 100. */
export function containerWeight(shares: number): number {
  if (shares <= 2) return 1
  if (shares >= 262_144) return 10_000
  const l = Math.log2(shares)
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34))
}

/** Converts cpu.shares to cpu.weight. Returns exactly the weight that sharesFromWeight() converted. */
export function weightFromShares(shares: number): number {
  const weight = containerWeight(shares)
  // several weights convert to the same whole number of shares: choose the smaller one if it does
  return shares > 2 && sharesFromWeight(weight - 1) === shares ? weight - 1 : weight
}

/** Converts cpu.weight to cpu.shares by libcgroup's proportion, which the drop-ins use: 100 becomes 1024. */
export function proportionalShares(weight: number): number {
  return Math.min(262_144, Math.max(2, Math.floor((weight * 1024) / 100)))
}

/** Converts cpu.shares to cpu.weight by libcgroup's proportion. Returns exactly the weight that proportionalShares() converted. */
export function proportionalWeight(shares: number): number {
  const weight = Math.floor((shares * 100) / 1024)
  return Math.min(10_000, Math.max(1, proportionalShares(weight + 1) === shares ? weight + 1 : weight))
}

/** Translates limits with v2 names to writes to v1 files, in an order that the kernel accepts. @throws CGROUP_LIMIT_UNSUPPORTED */
export function translateLimits(limits: readonly LimitWrite[]): LegacyWrite[] {
  const memory = limits.find((limit) => limit.file === 'memory.max' || limit.file === 'memory.limit_in_bytes')
  const writes = limits.flatMap((limit): LegacyWrite[] => {
    const { file, value, origin } = limit
    const controller = legacyControllerOf(file)
    const set = (name: string, text: string) => ({ controller, file: name, value: text, origin })
    const reason = inexpressible[file]
    if (reason && !asksNothing.has(value))
      throw fail('CGROUP_LIMIT_UNSUPPORTED', {
        file,
        origin,
        why: `${file} is a file of cgroup v2 only`,
        remedy: reason,
      })
    if (reason) return []
    if (file === 'memory.swap.max') return [swapWrite(limit, memory)]
    if (file === 'cpu.max') {
      const [quota = 'max', period] = value.split(' ')
      return [
        ...(period ? [set('cpu.cfs_period_us', period)] : []),
        set('cpu.cfs_quota_us', quota === 'max' ? '-1' : quota),
      ]
    }
    if (file === 'cpu.weight') return [set('cpu.shares', String(sharesFromWeight(Number(value))))]
    if (file === 'io.max') return translateIoMax(value, origin).map(([name, text]) => set(name, text))
    if (file === 'io.weight' || file === 'io.bfq.weight') return [set(...translateIoWeight(value, origin))]
    const size = /^(hugetlb\.\d+[KMGT]B\.(?:rsvd\.)?)max$/.exec(file)
    if (size) return [set(`${size[1]}limit_in_bytes`, value === 'max' ? '-1' : value)]
    return [set(v1Names[file] ?? file, value === 'max' && controller === 'memory' ? '-1' : value)]
  })
  // write the limit of memory and swap last: it cannot be below the limit of memory
  return writes.sort((a, b) => Number(a.file.includes('memsw')) - Number(b.file.includes('memsw')))
}

/** Returns the write for a swap limit. v1 limits memory and swap together, so the limit of memory is added. */
function swapWrite(swap: LimitWrite, memory: LimitWrite | undefined): LegacyWrite {
  const write = (value: string) => ({
    controller: 'memory',
    file: 'memory.memsw.limit_in_bytes',
    value,
    origin: swap.origin,
  })
  if (swap.value === 'max') return write('-1')
  const limit = parseSize(memory?.value)
  if (typeof limit !== 'number')
    throw fail('CGROUP_LIMIT_UNSUPPORTED', {
      file: 'memory.memsw.limit_in_bytes',
      origin: swap.origin,
      why: 'cgroup v1 limits memory and swap together, and no memory limit is given',
      remedy: text`give ${optionOfRun('limits.memory')} too`,
    })
  const own = parseSize(swap.value)
  // an invalid size is written unchanged, so that the kernel refuses it
  return write(typeof own === 'number' ? String(limit + own) : swap.value)
}
