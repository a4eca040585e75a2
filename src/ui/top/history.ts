// SPDX-License-Identifier: Apache-2.0
// Keeps the last figures of each group for the sparklines of its details. Pure.
import type { GroupRates } from '../../monitor/rates.ts'
import type { GroupSample, Snapshot } from '../../monitor/sample.ts'

/** Number of samples kept. */
export const kept = 120

const tracks = {
  cpu: (_: GroupSample, rates: GroupRates | undefined) => rates?.cpus,
  memory: (sample: GroupSample) => sample.memory,
  pids: (sample: GroupSample) => sample.pids,
  read: (_: GroupSample, rates: GroupRates | undefined) => rates?.readBytes,
  written: (_: GroupSample, rates: GroupRates | undefined) => rates?.writtenBytes,
  cpuStalled: (_: GroupSample, rates: GroupRates | undefined) => rates?.cpuStalled,
  memoryStalled: (_: GroupSample, rates: GroupRates | undefined) => rates?.memoryStalled,
  ioStalled: (_: GroupSample, rates: GroupRates | undefined) => rates?.ioStalled,
} as const
export type Track = keyof typeof tracks
const names = Object.keys(tracks) as Track[]

/** Returns a figure, or NaN if it is unknown. */
export function figureOf(track: Track, sample: GroupSample, rates: GroupRates | undefined): number {
  return tracks[track](sample, rates) ?? Number.NaN
}

export interface History {
  /** Returns the figures, oldest first. NaN is unknown. */
  of(path: string, track: Track): number[]
}

/** Makes a history of the added samples. */
export function makeHistory(): History & { add(now: Snapshot, rates: ReadonlyMap<string, GroupRates>): void } {
  let groups = new Map<string, Float64Array>()
  let looks = 0
  return {
    add(now, rates) {
      const at = (looks++ % kept) * names.length
      const next = new Map<string, Float64Array>()
      for (const [path, sample] of now.groups) {
        const figures = groups.get(path) ?? new Float64Array(kept * names.length).fill(Number.NaN)
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
      const count = Math.min(looks, kept)
      return Array.from({ length: count }, (_, i) => figures[((looks - count + i) % kept) * names.length + column]!)
    },
  }
}

const levels = '▁▂▃▄▅▆▇█'

/** Draws a character for each figure, scaled from 0 to the maximum (or to `most`, if higher). An unknown figure is blank. */
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
