// SPDX-License-Identifier: Apache-2.0
// Parses files of the memory controller: admin-guide/cgroup-v2.rst, "Memory Interface Files", and cgroup-v1/memory.rst. Pure.
import { type FileTexts, findFlat, parseNumber } from './stats.ts'

/** v1 files with counts of memory and swap together, read if swap is limited too. */
export const memorySwapFiles = ['memory.memsw.max_usage_in_bytes', 'memory.memsw.failcnt'] as const

/** v2 file whose counts show whether the limit of a particular group was reached. */
export const memoryEventsFile = 'memory.events.local'

/**
 * Files that count OOM kills in a group that a job shares with other processes. They are read before and after the job; the difference
 * counts.
 */
export const memoryKillFile = { v2: 'memory.events.local', v1: 'memory.oom_control' } as const

/** Statistics from a group's memory files; a figure that the host does not report is absent. */
interface MemoryStats {
  /** Peak memory use in bytes. */
  peak?: number
  /** Number of times an allocation reached the memory limit. */
  limitHits?: number
  /** Number of processes that the OOM killer killed. */
  oomKills?: number
  /** Number of times memory ran out at this group's own limit. Only v2. */
  ownOoms?: number
}

/** Parses the texts of the memory files of v1 or v2. */
export function parseMemory(figures: FileTexts): MemoryStats {
  const kills = (file: string) => findFlat(figures(file), 'oom_kill')
  const stats: MemoryStats = {}
  const set = (key: keyof MemoryStats, value: number | undefined) => {
    if (value !== undefined) stats[key] = value
  }
  set('peak', parseNumber(figures('memory.peak') ?? figures('memory.max_usage_in_bytes')))
  set('limitHits', parseLimitHits(figures))
  set('oomKills', kills('memory.events') ?? kills('memory.oom_control'))
  set('ownOoms', parseOwnOoms(figures))
  return stats
}

/** Parses only `limitHits` of parseMemory. memory.events.local exists since Linux 5.2; v1 has two counts for it. */
export function parseLimitHits(figures: FileTexts): number | undefined {
  return findFlat(figures(memoryEventsFile), 'max') ?? findFlat(figures('memory.events'), 'max') ?? legacyHits(figures)
}

/** Parses only `ownOoms` of parseMemory. */
export function parseOwnOoms(figures: FileTexts): number | undefined {
  return findFlat(figures(memoryEventsFile), 'oom')
}

/**
 * Returns how often v1's memory limits were reached, or undefined if this is unknown. v1 counts the limit of memory and the limit of memory
 * and swap separately. Linux 6.13 and later may not count them, so 0 means unknown.
 */
function legacyHits(figures: FileTexts): number | undefined {
  const hits = (parseNumber(figures('memory.failcnt')) ?? 0) + (parseNumber(figures('memory.memsw.failcnt')) ?? 0)
  return hits > 0 ? hits : undefined
}

/**
 * Bytes by which the peak of a group may be below its limit although the limit was reached. The kernel charges single pages, so only pages
 * that are being charged at that moment are missing.
 */
const inFlight = 64 * 1024

/** Returns true if a v1 group has reached a limit of its own. A limit that is missing in `figures` is read from `limits`. */
export function isFull(figures: FileTexts, limits: FileTexts = figures): boolean {
  const reached = (peak: string, limit: string) => {
    const max = parseNumber(limits(limit))
    return max !== undefined && (parseNumber(figures(peak)) ?? 0) >= max - inFlight
  }
  return (
    legacyHits(figures) !== undefined ||
    reached('memory.max_usage_in_bytes', 'memory.limit_in_bytes') ||
    reached('memory.memsw.max_usage_in_bytes', 'memory.memsw.limit_in_bytes')
  )
}

/**
 * Extended attribute of a v2 group in which systemd-oomd counts its kills there. It is written before the kill (systemd-oomd.service(8)).
 */
export const daemonNote = 'user.oomd_ooms'
