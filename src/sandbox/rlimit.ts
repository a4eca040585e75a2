// SPDX-License-Identifier: Apache-2.0
// Resource limits by Docker's names: setrlimit(2), and what each counts.
import { nearest } from '../nearest.ts'

/** One limit as prlimit(2) takes it; -1 is none. */
export interface ResourceLimit {
  name: string
  resource: number
  soft: number
  hard: number
  /** A preset's: who has less already keeps that. */
  atMost?: true
}

/** Numbers of x86 and arm64, which are the same. */
const resources: { [name: string]: number } = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
}

/** `SOFT[:HARD]`; unlimited or -1 is none, and one number is both. Undefined when it is not understood. */
export function parseResourceLimit(name: string, value: unknown): ResourceLimit | undefined {
  const resource = Object.hasOwn(resources, name) ? resources[name] : undefined
  const parts = typeof value === 'number' ? [String(value)] : typeof value === 'string' ? value.split(':') : []
  const [soft, hard = soft] = parts.map(parseAmount)
  if (resource === undefined || parts.length > 2 || soft === undefined || hard === undefined) return undefined
  if (hard !== -1 && (soft === -1 || soft > hard)) return undefined
  return { name, resource, soft, hard }
}

/** The known names, and the one that may have been meant. */
export function resourceNames(name: string): { known: string[]; nearest: string | undefined } {
  const known = Object.keys(resources)
  return { known, nearest: nearest(name, known) }
}

function parseAmount(text: string): number | undefined {
  if (text === 'unlimited' || text === '-1') return -1
  const amount = /^\d{1,16}$/.test(text) ? Number(text) : -1
  return amount >= 0 && Number.isSafeInteger(amount) ? amount : undefined
}
