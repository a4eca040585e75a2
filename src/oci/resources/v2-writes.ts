// SPDX-License-Identifier: Apache-2.0
// Converts linux.resources to writes for the v2 tree, one function a controller. Absent properties and 0 set nothing, unless
// a function says otherwise. Pure.
import { containerWeight } from '../../cgroup/v1/translate.ts'
import type { BlockResources, CpuResources, LinuxResources, MemoryResources } from './linux-resources.ts'
import { deviceNumber, hugepageWrites, swapOf, throttles } from './resource-tables.ts'
import {
  parseInteger,
  parseUnsigned,
  type ResourceFacts,
  type ResourceWrite,
  unsupported,
  writeOf,
} from './resource-values.ts'

const defaultPeriod = 100_000n

/** Formats a limit of which -1 means no limit. */
const limitText = (limit: bigint): string => (limit < 0n ? 'max' : String(limit))

/** @throws OPTION_INVALID, CGROUP_LIMIT_UNSUPPORTED */
export function cpuToV2({ cpu = {} }: LinuxResources): ResourceWrite[] {
  for (const name of ['realtimeRuntime', 'realtimePeriod'] as const)
    if (parseInteger(cpu[name], `cpu.${name}`) !== 0n)
      throw unsupported(`cpu.${name}`, 'cpu.rt_runtime_us', 'cgroup v2 does not limit realtime tasks', 'leave it out')
  return [...idleAndWeight(cpu), ...bandwidth(cpu)]
}

function idleAndWeight(cpu: CpuResources): ResourceWrite[] {
  const shares = parseUnsigned(cpu.shares, 'cpu.shares')
  const weight = shares === 0n ? [] : [writeOf('cpu.weight', String(containerWeight(Number(shares))), 'cpu.shares')]
  if (cpu.idle === undefined) return weight
  const idle = writeOf('cpu.idle', parseInteger(cpu.idle, 'cpu.idle'), 'cpu.idle')
  // an idle group refuses a weight
  return idle.value === '0' ? [idle, ...weight] : [...weight, idle]
}

function bandwidth(cpu: CpuResources): ResourceWrite[] {
  const [quota, period] = [parseInteger(cpu.quota, 'cpu.quota'), parseUnsigned(cpu.period, 'cpu.period')]
  const property = cpu.quota === undefined ? 'cpu.period' : 'cpu.quota'
  const max = `${quota > 0n ? quota : 'max'} ${period || defaultPeriod}`
  return [
    ...(quota === 0n && period === 0n ? [] : [writeOf('cpu.max', max, property)]),
    // a burst is at most the quota, which is therefore written first
    ...(cpu.burst === undefined ? [] : [writeOf('cpu.max.burst', parseUnsigned(cpu.burst, 'cpu.burst'), 'cpu.burst')]),
  ]
}

export function cpusetWrites({ cpu = {} }: LinuxResources): ResourceWrite[] {
  return [
    ...(cpu.cpus ? [writeOf('cpuset.cpus', cpu.cpus, 'cpu.cpus')] : []),
    ...(cpu.mems ? [writeOf('cpuset.mems', cpu.mems, 'cpu.mems')] : []),
  ]
}

/**
 * Kernel memory, swappiness and disableOOMKiller do not exist on v2. They are ignored, because callers send them
 * regardless of the host. @throws OPTION_INVALID
 */
export function memoryToV2({ memory = {} }: LinuxResources, { hasFile }: ResourceFacts): ResourceWrite[] {
  const limit = parseInteger(memory.limit, 'memory.limit')
  const reservation = parseInteger(memory.reservation, 'memory.reservation')
  const swap = unifiedSwap(memory)
  // a kernel without swap has no such file; the group then has what the two values request
  const needless = (swap === '0' || swap === 'max') && !hasFile('', 'memory.swap.max')
  return [
    ...(swap === undefined || needless ? [] : [writeOf('memory.swap.max', swap, 'memory.swap')]),
    ...(limit === 0n ? [] : [writeOf('memory.max', limitText(limit), 'memory.limit')]),
    ...(reservation === 0n ? [] : [writeOf('memory.low', limitText(reservation), 'memory.reservation')]),
  ]
}

/** Returns the limit of swap alone. The config has that of memory and swap together. */
function unifiedSwap(memory: MemoryResources): string | undefined {
  const { limit, swap } = swapOf(memory)
  if (swap === 0n) return undefined
  return swap < 0n ? 'max' : String(swap - limit)
}

export function pidsWrites({ pids = {} }: LinuxResources): ResourceWrite[] {
  if (pids.limit === undefined || pids.limit === null) return []
  return [writeOf('pids.max', limitText(parseInteger(pids.limit, 'pids.limit')), 'pids.limit')]
}

/** @throws OPTION_INVALID, CGROUP_LIMIT_UNSUPPORTED */
export function ioToV2({ blockIO = {} }: LinuxResources, { hasFile }: ResourceFacts): ResourceWrite[] {
  refuseLeafWeights(blockIO)
  const { weightDevice = [] } = blockIO
  const weight = parseUnsigned(blockIO.weight, 'blockIO.weight')
  const isBfq = (weight !== 0n || weightDevice.length > 0) && hasFile('', 'io.bfq.weight')
  const [file, convert] = isBfq ? (['io.bfq.weight', String] as const) : (['io.weight', ioWeight] as const)
  const writes = weight === 0n ? [] : [writeOf(file, convert(weight), 'blockIO.weight')]
  for (const device of weightDevice) {
    const own = parseUnsigned(device.weight, 'blockIO.weightDevice.weight')
    const number = deviceNumber(device, 'blockIO.weightDevice')
    if (own !== 0n) writes.push(writeOf(file, `${number} ${convert(own)}`, 'blockIO.weightDevice'))
  }
  for (const { property, key, number, rate } of throttles(blockIO))
    writes.push(writeOf('io.max', `${number} ${key}=${rate === 0n ? 'max' : rate}`, property))
  return writes
}

/** Converts a weight of v1, from 10 to 1000, to one of v2, from 1 to 10000. */
function ioWeight(weight: bigint): string {
  return String(1n + ((weight < 10n ? 0n : weight - 10n) * 9999n) / 990n)
}

function refuseLeafWeights({ leafWeight, weightDevice = [] }: BlockResources): void {
  if ([leafWeight, ...weightDevice.map((device) => device.leafWeight)].some((value) => value))
    throw unsupported(
      'blockIO.leafWeight',
      'blkio.leaf_weight',
      'weights of leaf groups do not exist on cgroup v2',
      'leave it out, and give a weight',
    )
}

/** @throws OPTION_INVALID */
export function hugetlbToV2(resources: LinuxResources, facts: ResourceFacts): ResourceWrite[] {
  return hugepageWrites(resources, facts, ['max', 'rsvd.max'], '')
}

/** @throws CGROUP_LIMIT_UNSUPPORTED */
export function refuseNetwork({ network = {} }: LinuxResources): ResourceWrite[] {
  const property = network.classID ? 'network.classID' : network.priorities?.length ? 'network.priorities' : undefined
  if (property === undefined) return []
  throw unsupported(
    property,
    property === 'network.classID' ? 'net_cls.classid' : 'net_prio.ifpriomap',
    'it needs the v1 hierarchies net_cls and net_prio, which this host lacks',
    'leave it out; nftables matches the packets of a v2 group with: socket cgroupv2',
  )
}
