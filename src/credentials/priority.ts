// SPDX-License-Identifier: Apache-2.0
// Parses priorities: sched(7), ioprio_set(2), and the score by which the OOM killer chooses. Pure.

/** Parses a whole number, given as text or number, and checks its range. */
export function parseWhole(value: unknown, from: number, to: number): number | undefined {
  const text = typeof value === 'number' ? String(value) : value
  const number = typeof text === 'string' && /^[+-]?\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  return number >= from && number <= to ? number + 0 : undefined
}

const ioClasses: { [name: string]: number } = { realtime: 1, 'best-effort': 2, idle: 3 }

/** Parses an I/O priority: `idle`, `best-effort[:0-7]` or `realtime[:0-7]`, as in ionice(1). The level is 4 by default. */
export function parseIoPriority(value: unknown): number | undefined {
  const [name = '', level, rest] = typeof value === 'string' ? value.split(':') : []
  const number = Object.hasOwn(ioClasses, name) ? ioClasses[name]! : 0
  if (number === 0 || rest !== undefined || (number === 3 && level !== undefined)) return undefined
  const parsed = level === undefined ? (number === 3 ? 0 : 4) : parseWhole(level, 0, 7)
  return parsed === undefined ? undefined : number * 2 ** 13 + parsed
}

const policies: { [name: string]: { policy: number; realtime: boolean } } = {
  other: { policy: 0, realtime: false },
  fifo: { policy: 1, realtime: true },
  rr: { policy: 2, realtime: true },
  batch: { policy: 3, realtime: false },
  idle: { policy: 5, realtime: false },
}

/** Parses a scheduling policy: `other`, `batch`, `idle`, `fifo:1-99` or `rr:1-99`, as in chrt(1). */
export function parseScheduler(value: unknown): { policy: number; priority: number } | undefined {
  const [name = '', level, rest] = typeof value === 'string' ? value.split(':') : []
  const known = Object.hasOwn(policies, name) ? policies[name] : undefined
  if (!known || rest !== undefined || (level !== undefined) !== known.realtime) return undefined
  const priority = known.realtime ? parseWhole(level, 1, 99) : 0
  return priority === undefined ? undefined : { policy: known.policy, priority }
}
