// SPDX-License-Identifier: Apache-2.0
// Parses resource limits under Docker's names: setrlimit(2). Pure.
import { nearest } from '../text/nearest.ts'
import { parseDuration, parseSize } from '../text/units.ts'

/** A resource limit (ulimit) in the form of prlimit(2); -1 means unlimited. */
export interface ResourceLimit {
  name: string
  resource: number
  soft: number
  hard: number
  /** All 64 bits of the limits, if a number cannot hold them. `soft` and `hard` are then rounded. */
  exact?: { soft: bigint; hard: bigint }
  /** True for a limit of a preset: it lowers the caller's limit, and never raises it. */
  atMost?: true
}

type Unit = 'bytes' | 'count' | 'seconds' | 'microseconds'

/** Number and unit of each resource limit. The numbers are the same on x86 and arm64. */
const resources: { [name: string]: readonly [resource: number, unit: Unit] } = {
  cpu: [0, 'seconds'],
  fsize: [1, 'bytes'],
  data: [2, 'bytes'],
  stack: [3, 'bytes'],
  core: [4, 'bytes'],
  rss: [5, 'bytes'],
  nproc: [6, 'count'],
  nofile: [7, 'count'],
  memlock: [8, 'bytes'],
  as: [9, 'bytes'],
  locks: [10, 'count'],
  sigpending: [11, 'count'],
  msgqueue: [12, 'bytes'],
  nice: [13, 'count'],
  rtprio: [14, 'count'],
  rttime: [15, 'microseconds'],
}

/** Names of the resource limits. */
export const resourceNames: readonly string[] = Object.keys(resources)

/** Returns the kernel's number of a resource limit. */
export function resourceNumber(name: string): number {
  return resources[name]![0]
}

/** For each unit: which values are accepted besides a whole number. */
const read: { [unit in Unit]: (text: string) => number | undefined } = {
  bytes: (text) => {
    const size = parseSize(text)
    return size === 'max' ? undefined : size
  },
  count: () => undefined,
  seconds: (text) => whole(parseDuration(text, 1000), 1000),
  microseconds: (text) => whole(parseDuration(text, 1), 0.001),
}

const examples: { [unit in Unit]: string } = {
  bytes: 'bytes or a size such as 512M',
  count: 'a whole number',
  seconds: 'whole seconds',
  microseconds: 'microseconds, or a time such as 50ms',
}

const whole = (milliseconds: number | undefined, unit: number) =>
  milliseconds !== undefined && Number.isSafeInteger(milliseconds / unit) ? milliseconds / unit : undefined

/** Why a resource limit is invalid. `value` is the invalid part, if only a part of the text is invalid. */
interface Invalid {
  value?: string
  why: string
  accepted: string
}

/** Parses a resource limit `SOFT[:HARD]`; a single value sets both. Returns the reason if the text is invalid. */
export function parseResourceLimit(name: string, value: unknown): ResourceLimit | Invalid {
  const [resource, unit] = Object.hasOwn(resources, name) ? resources[name]! : []
  if (resource === undefined || unit === undefined) {
    const near = nearest(name, resourceNames)
    const accepted = near ? `${near}?` : `one of ${resourceNames.join(', ')}`
    return { value: name, why: 'there is no such limit', accepted }
  }
  const parts = typeof value === 'number' ? [String(value)] : typeof value === 'string' ? value.split(':') : []
  const amounts = parts.map((part) => parseAmount(part, unit))
  const [soft, hard = soft] = amounts
  if (parts.length > 2 || soft === undefined || hard === undefined || amounts.includes(undefined))
    return {
      why: `${name} counts ${unit === 'count' ? 'without a unit' : unit}`,
      accepted: `${examples[unit]}, or unlimited: ${name}=SOFT[:HARD]`,
    }
  if (hard !== -1 && (soft === -1 || soft > hard))
    return { why: 'the soft limit is above the hard limit', accepted: 'SOFT:HARD with SOFT no higher than HARD' }
  return { name, resource, soft, hard }
}

function parseAmount(text: string, unit: Unit): number | undefined {
  if (text === 'unlimited' || text === '-1') return -1
  const amount = /^\d{1,16}$/.test(text) ? Number(text) : read[unit](text)
  return amount !== undefined && Number.isSafeInteger(amount) ? amount : undefined
}
