// SPDX-License-Identifier: Apache-2.0
// Makes markers for events from counters that only increase. Counters come from samples and, earlier, from kernel
// events. Pure.
import type { GroupRow, Mark } from './api-types.ts'

/** Number of markers that are kept for pages that are opened later. */
const kept = 500

/** Milliseconds without throttling after which new throttling makes another marker. */
const freeMs = 10_000

interface Marks {
  /** Returns markers for the counters that increased in a sample's rows. */
  take(time: number, rows: { [path: string]: GroupRow }, known: (path: string) => boolean): void
  /** Forgets the counters of removed groups, because new groups may have the same names. */
  forget(groups: readonly string[]): void
  /** Makes a marker for a counter that increased according to a kernel event. */
  report(at: number, group: string, kind: 'oom' | 'refused', total: number): void
  /** Returns the markers that were made since the last call. */
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
    // events before the first sample make no marker; the counter of a group that is created later starts at 0
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
    report(at, group, kind, total) {
      if (total > (counts[kind].get(group) ?? 0)) count(at, group, kind, total, true)
    },
    fresh() {
      const reported = fresh
      fresh = []
      return reported
    },
  }
}
