// SPDX-License-Identifier: Apache-2.0
// Keeps the latest figures of every group, for the graphs in its details. Pure.
import { type FigureOf, figures, rateRows } from '../../cgroup/controllers/figures.ts'
import type { GroupRates } from '../../monitor/rates.ts'
import type { GroupSample, Snapshot } from '../../monitor/sample.ts'

/** Number of samples that are kept. */
export const maxTopSamples = 120

type Read = (sample: GroupSample, rates: GroupRates | undefined) => number | undefined

/** Figures and rates for which graphs can be drawn, by name. */
const tracks: { readonly [track: string]: Read } = Object.fromEntries([
  ...figures.flatMap(({ name, track }): [string, Read][] =>
    track ? [[track, (sample) => sample[name as FigureOf<'count'>]]] : [],
  ),
  ...rateRows.flatMap(({ name, track }): [string, Read][] => (track ? [[track, (_, rates) => rates?.[name]]] : [])),
])
export type TrackName = string
const names = Object.keys(tracks)

/** Returns the value of a figure or rate in a sample. Returns NaN if it is unknown. */
export function figureOf(track: TrackName, sample: GroupSample, rates: GroupRates | undefined): number {
  return tracks[track]!(sample, rates) ?? Number.NaN
}

export interface History {
  /** Returns a group's values of a figure, oldest first. NaN means unknown. */
  of(path: string, track: TrackName): number[]
}

/** Creates an empty history, to which samples are added. */
export function makeTopHistory(): History & { add(now: Snapshot, rates: ReadonlyMap<string, GroupRates>): void } {
  let groups = new Map<string, Float64Array>()
  let looks = 0
  return {
    add(now, rates) {
      const at = (looks++ % maxTopSamples) * names.length
      const next = new Map<string, Float64Array>()
      for (const [path, sample] of now.groups) {
        const figures = groups.get(path) ?? new Float64Array(maxTopSamples * names.length).fill(Number.NaN)
        const rate = rates.get(path)
        for (const [i, name] of names.entries()) figures[at + i] = figureOf(name, sample, rate)
        next.set(path, figures)
      }
      groups = next
    },
    of(path, track) {
      const figures = groups.get(path)
      if (!figures) return []
      const column = names.indexOf(track)
      const count = Math.min(looks, maxTopSamples)
      return Array.from(
        { length: count },
        (_, i) => figures[((looks - count + i) % maxTopSamples) * names.length + column]!,
      )
    },
  }
}

const levels = '▁▂▃▄▅▆▇█'

/**
 * Draws a graph with one character for each value. It is scaled from 0 to the highest value, or to `max` if that is
 * higher. An unknown value is blank.
 */
export function drawSparkline(figures: readonly number[], width: number, most = 0): string {
  const last = figures.slice(-width)
  const top = Math.max(most, ...last.filter((figure) => !Number.isNaN(figure)))
  return last
    .map((figure) => {
      if (Number.isNaN(figure)) return ' '
      return levels[top > 0 ? Math.min(7, Math.floor((figure / top) * 8)) : 0]!
    })
    .join('')
    .padStart(width)
}
