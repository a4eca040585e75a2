// SPDX-License-Identifier: Apache-2.0
// Merges many samples into fewer, for old data. Pure. Counters stay exact, and figures that have peaks keep their
// maximum.
import { type FigureOf, figures, namesOfKind } from '../../cgroup/controllers/figures.ts'
import type { GroupSample, Pressure } from '../sample.ts'

const peaks = figures.filter(({ peak }) => peak).map(({ name }) => name as FigureOf<'count'>)
const pressures = namesOfKind('stalls')

/** Returns the index of the last sample in each interval of `step` milliseconds. */
export function lastOfEach(times: readonly number[], step: number): number[] {
  const last: number[] = []
  for (const [i, time] of times.entries())
    if (i + 1 === times.length || Math.floor(times[i + 1]! / step) !== Math.floor(time / step)) last.push(i)
  return last
}

/**
 * Returns one merged sample for each index in `last`. It combines all samples after the previous index. It contains a
 * group if any of those samples does.
 */
export function thin(
  samples: readonly (GroupSample | undefined)[],
  last: readonly number[],
): (GroupSample | undefined)[] {
  return last.map((end, i) => {
    const all = samples.slice(i === 0 ? 0 : last[i - 1]! + 1, end + 1)
    return all.reduce((before, now) => (before === now ? now : join(before, now)), undefined)
  })
}

function join(before: GroupSample | undefined, now: GroupSample | undefined): GroupSample | undefined {
  if (!before || !now) return now ?? before
  const joined: GroupSample = { ...now }
  for (const name of peaks) joined[name] = larger(before[name], now[name])
  for (const name of pressures) joined[name] = joinPressure(before[name], now[name])
  return joined
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (b ?? a) : Math.max(a, b)
}

function joinPressure(before: Pressure | undefined, now: Pressure | undefined): Pressure | undefined {
  if (!before || !now) return now ?? before
  const some = { ...now.some, avg10: Math.max(before.some.avg10, now.some.avg10) }
  const full = now.full && { ...now.full, avg10: Math.max(before.full?.avg10 ?? 0, now.full.avg10) }
  return full ? { some, full } : { some }
}
