// SPDX-License-Identifier: Apache-2.0
// Moments worth a mark, out of counts that only grow: pure. The counts come by the samples and, sooner, by the kernel's events.
import type { Mark, Row } from './api-types.ts'

/** Marks that are kept for those who come later. */
const kept = 500

/** How long a group must run freely before throttling is reported again. */
const freeMs = 10_000

export interface Marks {
  /** Returns everything in the rows that was not reported before. */
  take(time: number, rows: { [path: string]: Row }, known: (path: string) => boolean): void
  /** These groups are gone: another of that name begins anew. */
  forget(groups: readonly string[]): void
  /** Adds a counter value that the kernel has just reported. */
  tell(at: number, group: string, kind: 'oom' | 'refused', total: number): void
  /** Those since the last call. */
  fresh(): Mark[]
  readonly all: readonly Mark[]
}

export function makeMarks(): Marks {
  const all: Mark[] = []
  let fresh: Mark[] = []
  let id = 0
  const counts = { oom: new Map<string, number>(), refused: new Map<string, number>() }
  const throttledAt = new Map<string, number>()

  const add = (mark: Omit<Mark, 'id'>) => {
    const full = { id: ++id, ...mark }
    all.push(full)
    fresh.push(full)
    if (all.length > kept) all.shift()
  }
  const count = (at: number, group: string, kind: 'oom' | 'refused', total: number, isNew: boolean) => {
    const before = counts[kind].get(group)
    counts[kind].set(group, total)
    // counts from before the first sample are not reported; a group that appears later started at 0
    const more = total - (before ?? (isNew ? 0 : total))
    if (more > 0) add({ at, group, kind, count: more })
  }
  return {
    all,
    take(time, rows, known) {
      for (const [group, row] of Object.entries(rows)) {
        const isNew = !known(group)
        if (row.oomKills !== undefined) count(time, group, 'oom', row.oomKills, isNew)
        if (row.pidsRefused !== undefined) count(time, group, 'refused', row.pidsRefused, isNew)
        if (!row.throttled) continue
        if (time - (throttledAt.get(group) ?? Number.NEGATIVE_INFINITY) > freeMs)
          add({ at: time, group, kind: 'throttled', count: 1 })
        throttledAt.set(group, time)
      }
    },
    forget(groups) {
      for (const map of [counts.oom, counts.refused, throttledAt]) for (const group of groups) map.delete(group)
    },
    tell(at, group, kind, total) {
      if (total > (counts[kind].get(group) ?? 0)) count(at, group, kind, total, true)
    },
    fresh() {
      const told = fresh
      fresh = []
      return told
    },
  }
}
