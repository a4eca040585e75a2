// SPDX-License-Identifier: Apache-2.0
// Parses a list of machine types, and computes what a kubelet leaves of each for pods. Pure.
import { fail, quote } from '../errors/errors.ts'
import { JsonError, parseJson } from '../text/json.ts'
import { milliOf, parseQuantity, wholeOf } from '../text/quantity.ts'
import { parsePrice, type Size } from './prices.ts'

/** A type of machine: what it has, what pods may use of it, and what an hour costs. */
export interface MachineType {
  name: string
  /** What the machine has. */
  size: Size
  /** What remains for pods after the kubelet's reservations and the threshold of eviction. */
  free: Size
  /** Maximum number of pods. */
  pods: number
  /** Price of an hour in billionths of the currency. */
  price: bigint
  /** Number of machines that exist; Infinity if any number can be had. */
  count: number
}

/** Share of each range of memory that managed clusters reserve: GKE's published table, in GiB. */
const reservedMemory: readonly (readonly [gib: number, share: number])[] = [
  [4, 0.25],
  [4, 0.2],
  [8, 0.1],
  [112, 0.06],
  [Number.POSITIVE_INFINITY, 0.02],
]
/** Share of each range of CPUs that managed clusters reserve: GKE's published table. */
const reservedCpus: readonly (readonly [cpus: number, share: number])[] = [
  [1, 0.06],
  [1, 0.01],
  [2, 0.005],
  [Number.POSITIVE_INFINITY, 0.0025],
]
const gib = 2 ** 30
/** The kubelet's default threshold of eviction: memory.available<100Mi. */
const defaultEviction = '100Mi'
const defaultPods = 110

function share(amount: number, ranges: readonly (readonly [number, number])[]): number {
  let rest = amount
  let reserved = 0
  for (const [width, part] of ranges) {
    reserved += Math.min(rest, width) * part
    rest = Math.max(0, rest - width)
  }
  return reserved
}

const maxTypes = 200
const machineKeys = ['name', 'cpu', 'memory', 'price', 'count', 'pods', 'reserved', 'eviction']
const acceptedMachines =
  'a JSON list of machine types, each with name, cpu, memory and price, and optionally count, pods, reserved and eviction'

/**
 * Parses a file of machine types: a JSON list of `{ name, cpu, memory, price }`. Optional: `count` (unlimited by default), `pods`
 * (110), `reserved` (`{ cpu, memory }`; GKE's table by default) and `eviction` (100Mi). @throws OPTION_INVALID
 */
export function parseMachines(content: string, path: string): MachineType[] {
  const invalid = (why: string) =>
    fail('OPTION_INVALID', { name: '--nodes', value: path, why, accepted: acceptedMachines })
  let list: unknown
  try {
    list = parseJson(content)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw invalid(`not JSON: ${error.message}`)
  }
  if (!Array.isArray(list) || list.length === 0) throw invalid('not a list with at least one machine type')
  if (list.length > maxTypes) throw invalid(`more than ${maxTypes} machine types`)
  const names = new Map<string, string>()
  return list.map((entry, index) => {
    const at = `entry ${index + 1}`
    const object = (value: unknown, name: string, keys: readonly string[]) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${name} is not an object`)
      const unknown = Object.keys(value).find((key) => !keys.includes(key))
      if (unknown !== undefined) throw invalid(`unknown key ${quote(unknown)} in ${name}`)
      return value as { [key: string]: unknown }
    }
    const fields = object(entry, at, machineKeys)
    const { name } = fields
    if (typeof name !== 'string' || name === '') throw invalid(`name of ${at} is not a text`)
    if (names.has(name)) throw invalid(`${at} has the name of ${names.get(name)}`)
    names.set(name, at)
    const amount = (value: unknown, name: string) => {
      const found = parseQuantity(value)
      if (found === undefined || found < 0n) throw invalid(`${name} of ${at} is not a quantity`)
      return found
    }
    const size = { milliCpus: milliOf(amount(fields.cpu, 'cpu')), memory: wholeOf(amount(fields.memory, 'memory')) }
    const price = parsePrice(fields.price)
    if (price === undefined) throw invalid(`price of ${at} is not a price`)
    const whole = (key: string, fallback: number) => {
      const found = fields[key] === undefined ? fallback : fields[key]
      if (found === Number.POSITIVE_INFINITY || (Number.isSafeInteger(found) && (found as number) >= 1))
        return found as number
      throw invalid(`${key} of ${at} is not a whole number of at least 1`)
    }
    const reserved = object(fields.reserved ?? {}, `reserved of ${at}`, ['cpu', 'memory'])
    const kept = {
      milliCpus:
        reserved.cpu === undefined
          ? Math.ceil(share(size.milliCpus / 1000, reservedCpus) * 1000)
          : milliOf(amount(reserved.cpu, 'reserved.cpu')),
      memory:
        reserved.memory === undefined
          ? Math.ceil(share(size.memory / gib, reservedMemory) * gib)
          : wholeOf(amount(reserved.memory, 'reserved.memory')),
    }
    const eviction = wholeOf(amount(fields.eviction ?? defaultEviction, 'eviction'))
    return {
      name,
      size,
      free: {
        milliCpus: Math.max(0, size.milliCpus - kept.milliCpus),
        memory: Math.max(0, size.memory - kept.memory - eviction),
      },
      pods: whole('pods', defaultPods),
      price,
      count: whole('count', Number.POSITIVE_INFINITY),
    }
  })
}
