// SPDX-License-Identifier: Apache-2.0
// The memory controller: kernel documentation admin-guide/cgroup-v2.rst, "Memory Interface Files", and cgroup-v1/memory.rst.
import { type FileTexts, parseFlat, parseNumber } from './stats.ts'

/** v1: what counts, when swap is limited too. */
export const memorySwapFiles = ['memory.memsw.max_usage_in_bytes', 'memory.memsw.failcnt'] as const

/** v2: what tells by its change whether a level above a job ran into its limit. */
export const memoryEventsFile = 'memory.events.local'

/** What counts the kills in a group that a job shares with others: read before and after. */
export const memoryKillFile = { v2: 'memory.events.local', v1: 'memory.oom_control' } as const

/** What a group's memory files said; a figure that the host does not give is absent. */
interface MemoryStats {
  /** Bytes. */
  peak?: number
  /** How often allocation ran into the limit. */
  limitHits?: number
  /** Processes killed. */
  oomKills?: number
  /** v2: out-of-memory situations at this group's own limit. */
  ownOoms?: number
}

/** From the files' texts, of whichever version they are. */
export function parseMemory(figures: FileTexts): MemoryStats {
  const events = parseFlat(figures('memory.events'))
  const local = parseFlat(figures('memory.events.local'))
  const control = parseFlat(figures('memory.oom_control'))
  const stats: MemoryStats = {}
  const set = (key: keyof MemoryStats, value: number | undefined) => {
    if (value !== undefined) stats[key] = value
  }
  set('peak', parseNumber(figures('memory.peak') ?? figures('memory.max_usage_in_bytes')))
  set('limitHits', local.max ?? events.max ?? legacyHits(figures))
  set('oomKills', events.oom_kill ?? control.oom_kill)
  set('ownOoms', local.oom)
  return stats
}

/**
 * v1 counts the limit on memory and the one on memory and swap apart, and
 * charges the second first. Kernels from 6.13 on have lost these counts, so 0
 * says nothing.
 */
function legacyHits(figures: FileTexts): number | undefined {
  const hits = (parseNumber(figures('memory.failcnt')) ?? 0) + (parseNumber(figures('memory.memsw.failcnt')) ?? 0)
  return hits > 0 ? hits : undefined
}

/**
 * The kernel refuses charges one page at a time. The peak of a group that killed is therefore at the limit, except for a few pages in
 * flight.
 */
const inFlight = 64 * 1024

/** v1: whether the group has run into a limit of its own; a limit that the figures do not have is looked up in `limits`. */
export function isFull(figures: FileTexts, limits: FileTexts = figures): boolean {
  const reached = (peak: string, limit: string) => {
    const most = parseNumber(limits(limit))
    return most !== undefined && (parseNumber(figures(peak)) ?? 0) >= most - inFlight
  }
  return (
    legacyHits(figures) !== undefined ||
    reached('memory.max_usage_in_bytes', 'memory.limit_in_bytes') ||
    reached('memory.memsw.max_usage_in_bytes', 'memory.memsw.limit_in_bytes')
  )
}

/** v2: the attribute by which systemd-oomd counts, on a group, how often it has acted there; written before it kills (systemd-oomd.service(8)). */
export const daemonNote = 'user.oomd_ooms'
