// SPDX-License-Identifier: Apache-2.0
// The memory controller: kernel documentation admin-guide/cgroup-v2.rst, "Memory Interface Files", and cgroup-v1/memory.rst.
import { type Figures, parseFlat, parseNumber } from './stats.ts'

/** Files whose text becomes `MemoryStats`, per version. */
export const memoryFiles = {
  v2: ['memory.peak', 'memory.events', 'memory.events.local'],
  v1: ['memory.max_usage_in_bytes', 'memory.failcnt', 'memory.oom_control'],
} as const

/** What a group's memory files said; a figure that the host does not give is absent. */
export interface MemoryStats {
  /** Bytes. */
  peak?: number
  /** How often allocation ran into the limit. */
  limitHits?: number
  /** Processes killed. */
  oomKills?: number
  /** Out-of-memory situations at this group's own limit. */
  ownOoms?: number
}

/** From the files' texts, of whichever version they are. */
export function parseMemory(figures: Figures): MemoryStats {
  const events = parseFlat(figures['memory.events'])
  const local = parseFlat(figures['memory.events.local'])
  const control = parseFlat(figures['memory.oom_control'])
  const stats: MemoryStats = {}
  const set = (key: keyof MemoryStats, value: number | undefined) => {
    if (value !== undefined) stats[key] = value
  }
  set('peak', parseNumber(figures['memory.peak'] ?? figures['memory.max_usage_in_bytes']))
  set('limitHits', (local.max ?? events.max) ?? parseNumber(figures['memory.failcnt']))
  set('oomKills', events.oom_kill ?? control.oom_kill)
  set('ownOoms', local.oom)
  return stats
}
