// SPDX-License-Identifier: Apache-2.0
// Converts linux.resources to writes for v1 hierarchies, one function a controller, in an order that the kernel accepts for a
// new group. Absent properties and 0 set nothing, unless a function says otherwise. Pure.
import { throttleFiles } from '../../cgroup/v1/blkio.ts'
import type { CpuResources, LinuxResources } from './linux-resources.ts'
import { deviceNumber, hugepageWrites, swapOf, throttles } from './resource-tables.ts'
import {
  invalid,
  parseInteger,
  parseUnsigned,
  type ResourceFacts,
  type ResourceWrite,
  writeOf,
} from './resource-values.ts'

const [minShares, maxShares] = [2n, 262_144n]

/** @throws OPTION_INVALID */
export function cpuToV1({ cpu = {} }: LinuxResources): ResourceWrite[] {
  return [...realtime(cpu), ...sharesAndIdle(cpu), ...bandwidth(cpu)]
}

function realtime(cpu: CpuResources): ResourceWrite[] {
  const period = parseUnsigned(cpu.realtimePeriod, 'cpu.realtimePeriod')
  const runtime = parseInteger(cpu.realtimeRuntime, 'cpu.realtimeRuntime')
  return [
    ...(period === 0n ? [] : [writeOf('cpu.rt_period_us', period, 'cpu.realtimePeriod')]),
    ...(runtime === 0n ? [] : [writeOf('cpu.rt_runtime_us', runtime, 'cpu.realtimeRuntime')]),
  ]
}

function sharesAndIdle(cpu: CpuResources): ResourceWrite[] {
  const shares = parseUnsigned(cpu.shares, 'cpu.shares')
  // the kernel would take the nearest valid number without an error
  if (shares > maxShares)
    throw invalid('cpu.shares', String(shares), 'fewer', `the maximum allowed cpu-shares is ${maxShares}`)
  if (shares > 0n && shares < minShares)
    throw invalid('cpu.shares', String(shares), 'more', `the minimum allowed cpu-shares is ${minShares}`)
  const weight = shares === 0n ? [] : [writeOf('cpu.shares', shares, 'cpu.shares')]
  if (cpu.idle === undefined) return weight
  const idle = writeOf('cpu.idle', parseInteger(cpu.idle, 'cpu.idle'), 'cpu.idle')
  // an idle group refuses shares
  return idle.value === '0' ? [idle, ...weight] : [...weight, idle]
}

function bandwidth(cpu: CpuResources): ResourceWrite[] {
  const [quota, period] = [parseInteger(cpu.quota, 'cpu.quota'), parseUnsigned(cpu.period, 'cpu.period')]
  return [
    ...(period === 0n ? [] : [writeOf('cpu.cfs_period_us', period, 'cpu.period')]),
    ...(quota === 0n ? [] : [writeOf('cpu.cfs_quota_us', quota < 0n ? '-1' : quota, 'cpu.quota')]),
    // a burst is at most the quota, which is therefore written first
    ...(cpu.burst === undefined
      ? []
      : [writeOf('cpu.cfs_burst_us', parseUnsigned(cpu.burst, 'cpu.burst'), 'cpu.burst')]),
  ]
}

/** Limits of kernel memory are ignored: the kernel no longer has them. @throws OPTION_INVALID */
export function memoryToV1({ memory = {} }: LinuxResources, { hasFile }: ResourceFacts): ResourceWrite[] {
  const { limit, swap } = swapOf(memory)
  const reservation = parseInteger(memory.reservation, 'memory.reservation')
  const isImplied = swap === -1n && parseInteger(memory.swap, 'memory.swap') === 0n
  const writes = limit === 0n ? [] : [writeOf('memory.limit_in_bytes', limit, 'memory.limit')]
  // the limit of memory and swap cannot be below that of memory, which is therefore written first
  if (swap !== 0n && (!isImplied || hasFile('memory', 'memory.memsw.limit_in_bytes')))
    writes.push(writeOf('memory.memsw.limit_in_bytes', swap < 0n ? '-1' : swap, 'memory.swap'))
  if (reservation !== 0n) writes.push(writeOf('memory.soft_limit_in_bytes', reservation, 'memory.reservation'))
  if (memory.disableOOMKiller) writes.push(writeOf('memory.oom_control', '1', 'memory.disableOOMKiller'))
  if (memory.swappiness === undefined || memory.swappiness === null) return writes
  const swappiness = parseInteger(memory.swappiness, 'memory.swappiness')
  // -1 is what older callers send for a swappiness that nobody requested
  if (swappiness === -1n || BigInt.asUintN(64, swappiness) === 2n ** 64n - 1n) return writes
  if (swappiness < 0n || swappiness > 100n)
    throw invalid('memory.swappiness', String(swappiness), 'a number from 0 to 100')
  return [...writes, writeOf('memory.swappiness', swappiness, 'memory.swappiness')]
}

/** @throws OPTION_INVALID */
export function blkioToV1({ blockIO = {} }: LinuxResources, { hasFile }: ResourceFacts): ResourceWrite[] {
  const { weightDevice = [] } = blockIO
  const weight = parseUnsigned(blockIO.weight, 'blockIO.weight')
  const isWeighted = weight !== 0n || weightDevice.length > 0
  const name = isWeighted && hasFile('blkio', 'blkio.weight') ? 'blkio.weight' : 'blkio.bfq.weight'
  const writes: ResourceWrite[] = []
  const add = (file: string, value: bigint, property: string, device?: string) => {
    if (value !== 0n) writes.push(writeOf(file, device === undefined ? value : `${device} ${value}`, property))
  }
  add(name, weight, 'blockIO.weight')
  add('blkio.leaf_weight', parseUnsigned(blockIO.leafWeight, 'blockIO.leafWeight'), 'blockIO.leafWeight')
  for (const entry of weightDevice) {
    const property = 'blockIO.weightDevice'
    const device = deviceNumber(entry, property)
    add(`${name}_device`, parseUnsigned(entry.weight, property), property, device)
    add('blkio.leaf_weight_device', parseUnsigned(entry.leafWeight, property), property, device)
  }
  for (const { property, key, number, rate } of throttles(blockIO))
    writes.push(writeOf(throttleFiles[key], `${number} ${rate}`, property))
  return writes
}

/** @throws OPTION_INVALID */
export function hugetlbToV1(resources: LinuxResources, facts: ResourceFacts): ResourceWrite[] {
  return hugepageWrites(resources, facts, ['limit_in_bytes', 'rsvd.limit_in_bytes'], 'hugetlb')
}

/** @throws OPTION_INVALID */
export function netClassToV1({ network = {} }: LinuxResources): ResourceWrite[] {
  const id = parseUnsigned(network.classID, 'network.classID')
  return id === 0n ? [] : [writeOf('net_cls.classid', id, 'network.classID')]
}

/** @throws OPTION_INVALID */
export function netPriorityToV1({ network = {} }: LinuxResources): ResourceWrite[] {
  return (network.priorities ?? []).map(({ name, priority }) => {
    if (!/^[^\s/]{1,15}$/.test(name))
      throw invalid('network.priorities', name, 'the name of an interface, such as eth0')
    const value = parseUnsigned(priority, 'network.priorities')
    return writeOf('net_prio.ifpriomap', `${name} ${value}`, 'network.priorities')
  })
}
