// SPDX-License-Identifier: Apache-2.0
// v2 names on v1 hierarchies. What v1 cannot express is an error that says so, never a silent skip.
import { fail } from '../errors.ts'

/** A limit as it was asked for: a kernel file, its value, and the option it came from. */
export interface LimitWrite {
  file: string
  value: string
  origin: string
}

/** A write to one v1 hierarchy. */
export interface LegacyWrite extends LimitWrite {
  controller: string
}

const renamed: { [file: string]: string } = {
  'memory.max': 'memory.limit_in_bytes',
  'memory.low': 'memory.soft_limit_in_bytes',
}

const inexpressible: { [file: string]: string } = {
  'memory.high': 'a soft throttle does not exist on cgroup v1; use --memory',
  'memory.min': 'guaranteed memory does not exist on cgroup v1; --memory-low sets a soft limit there',
}

/** The controller that a kernel file belongs to: what stands before the first dot. */
export function controllerOf(file: string): string {
  return file.slice(0, file.indexOf('.'))
}

/** cpu.weight (1 to 10000, 100 by default) as cpu.shares, by the kernel's current conversion turned round: 100 is 1024. */
export function sharesFromWeight(weight: number): number {
  // log2(shares)² + 125·log2(shares) = 612·(log10(weight) + 7/34), the formula runtimes use since 2025
  const c = 612 * (Math.log10(weight) + 7 / 34)
  const shares = 2 ** ((-125 + Math.sqrt(125 * 125 + 4 * c)) / 2)
  return Math.min(262_144, Math.max(2, Math.round(shares)))
}

/** Limits in v2 names → writes to v1 files, in an order in which the kernel takes them. @throws CGROUP_LIMIT_UNSUPPORTED */
export function translateLimits(limits: readonly LimitWrite[]): LegacyWrite[] {
  const memory = limits.find((limit) => limit.file === 'memory.max' || limit.file === 'memory.limit_in_bytes')
  const writes = limits.flatMap((limit): LegacyWrite[] => {
    const controller = controllerOf(limit.file)
    const reason = inexpressible[limit.file]
    if (reason && limit.value !== '0' && limit.value !== 'max')
      throw fail('CGROUP_LIMIT_UNSUPPORTED', {
        file: limit.file,
        origin: limit.origin,
        why: `${limit.file} is a file of cgroup v2 alone`,
        remedy: reason,
      })
    if (reason) return []
    if (limit.file === 'memory.swap.max') return [swapWrite(limit, memory)]
    if (limit.file === 'cpu.max') {
      const [quota = 'max', period] = limit.value.split(' ')
      const set = (file: string, value: string) => ({ controller, file, value, origin: limit.origin })
      return [
        ...(period ? [set('cpu.cfs_period_us', period)] : []),
        set('cpu.cfs_quota_us', quota === 'max' ? '-1' : quota),
      ]
    }
    if (limit.file === 'cpu.weight')
      return [
        { controller, file: 'cpu.shares', value: String(sharesFromWeight(Number(limit.value))), origin: limit.origin },
      ]
    const value = limit.value === 'max' && controller === 'memory' ? '-1' : limit.value
    return [{ controller, file: renamed[limit.file] ?? limit.file, value, origin: limit.origin }]
  })
  // memsw may not be below the memory limit, so it comes after it
  return writes.sort((a, b) => Number(a.file.includes('memsw')) - Number(b.file.includes('memsw')))
}

/** v1 counts memory and swap together. */
function swapWrite(swap: LimitWrite, memory: LimitWrite | undefined): LegacyWrite {
  const write = (value: string) => ({
    controller: 'memory',
    file: 'memory.memsw.limit_in_bytes',
    value,
    origin: swap.origin,
  })
  if (swap.value === 'max') return write('-1')
  if (!memory || !/^\d+$/.test(memory.value))
    throw fail('CGROUP_LIMIT_UNSUPPORTED', {
      file: 'memory.memsw.limit_in_bytes',
      origin: swap.origin,
      why: 'cgroup v1 limits memory and swap together, and no memory limit is given',
      remedy: 'give --memory too',
    })
  return write(String(Number(memory.value) + Number(swap.value)))
}
