// SPDX-License-Identifier: Apache-2.0
// Holds what the writes of v1 and v2 have in common: throttles, huge pages, RDMA, and the rules for memory with swap. Pure.
import type { BlockResources, Integer, LinuxResources, MemoryResources } from './linux-resources.ts'
import {
  invalid,
  parseInteger,
  parseUnsigned,
  type ResourceFacts,
  type ResourceWrite,
  writeOf,
} from './resource-values.ts'

/** Lists of throttles in config.json, with their keys in io.max of v2. */
const throttleLists = [
  ['throttleReadBpsDevice', 'rbps'],
  ['throttleWriteBpsDevice', 'wbps'],
  ['throttleReadIOPSDevice', 'riops'],
  ['throttleWriteIOPSDevice', 'wiops'],
] as const

/** A limit of bytes or operations per second of a device. */
interface Throttle {
  property: string
  key: (typeof throttleLists)[number][1]
  /** Device as MAJ:MIN. */
  number: string
  rate: bigint
}

/** Returns all throttles in the order of the config's lists. @throws OPTION_INVALID */
export function throttles(blockIO: BlockResources): Throttle[] {
  return throttleLists.flatMap(([list, key]) =>
    (blockIO[list] ?? []).map((device) => {
      const property = `blockIO.${list}`
      return { property, key, number: deviceNumber(device, property), rate: parseUnsigned(device.rate, property) }
    }),
  )
}

/** Formats a device as kernel files accept it. @throws OPTION_INVALID */
export function deviceNumber(device: { major: Integer; minor: Integer }, property: string): string {
  return `${parseUnsigned(device.major, property)}:${parseUnsigned(device.minor, property)}`
}

/**
 * Returns the limits of memory, and of memory and swap together. A memory limit of -1 without a swap limit removes
 * both. @throws OPTION_INVALID
 */
export function swapOf(memory: MemoryResources): { limit: bigint; swap: bigint } {
  const limit = parseInteger(memory.limit, 'memory.limit')
  const swap = parseInteger(memory.swap, 'memory.swap')
  if (limit < -1n) throw invalid('memory.limit', String(memory.limit), 'bytes, or -1 for no limit')
  if (limit === -1n && swap === 0n) return { limit, swap: -1n }
  if (swap <= 0n) return { limit, swap }
  const refuse = (why: string) => invalid('memory.swap', String(swap), 'the sum of memory and swap, or -1', why)
  if (limit <= 0n) throw refuse('unable to set swap limit without memory limit')
  if (swap < limit) throw refuse('memory+swap limit should be >= memory limit')
  return { limit, swap }
}

/**
 * Returns the writes for huge pages. The size is a part of a file's name, so only sizes of the kernel are accepted. The
 * file of reservations is left out on kernels before 5.7, which lack it. @throws OPTION_INVALID
 */
export function hugepageWrites(
  { hugepageLimits = [] }: LinuxResources,
  facts: ResourceFacts,
  endings: readonly [limit: string, reservation: string],
  controller: string,
): ResourceWrite[] {
  return hugepageLimits.flatMap(({ pageSize, limit }, i) => {
    const property = `hugepageLimits[${i}]`
    const { pageSizes } = facts
    if (!pageSizes.includes(pageSize))
      throw invalid(`${property}.pageSize`, pageSize, `a size of this kernel: ${pageSizes.join(', ') || 'it has none'}`)
    const value = parseUnsigned(limit, `${property}.limit`)
    return endings
      .map((ending) => `hugetlb.${pageSize}.${ending}`)
      .filter((file, at) => at === 0 || facts.hasFile(controller, file))
      .map((file) => writeOf(file, value, property))
  })
}

/** Returns the writes for RDMA devices, which are the same on v1 and v2. @throws OPTION_INVALID */
export function rdmaWrites({ rdma = {} }: LinuxResources): ResourceWrite[] {
  return Object.entries(rdma).flatMap(([device, { hcaHandles, hcaObjects }]) => {
    const property = `rdma.${device}`
    if (!/^[\w.-]{1,64}$/.test(device)) throw invalid('rdma', device, 'the name of an RDMA device, such as mlx5_1')
    const limits = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${parseUnsigned(hcaHandles, property)}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${parseUnsigned(hcaObjects, property)}`]),
    ]
    return limits.length === 0 ? [] : [writeOf('rdma.max', `${device} ${limits.join(' ')}`, property)]
  })
}
