// SPDX-License-Identifier: Apache-2.0
// Summarizes each group in a recording: its time span, its maximum figures, and the number of its events. Called by hutch replay.
import type { ListedOf } from '../../cgroup/controllers/figure.ts'
import { type FigureOf, figures, type RateName, rateRows } from '../../cgroup/controllers/figures.ts'
import { byTree } from '../processes.ts'
import { type GroupRates, rates } from '../rates.ts'
import type { GroupSample, Snapshot } from '../sample.ts'
import type { Recording } from './recording.ts'

type Read = (sample: GroupSample, rates: GroupRates | undefined) => number | undefined

/** A column in the list of groups: the maximum of a figure over all samples, or the number of events of one kind. */
export interface Listed extends ListedOf {
  name: RateName | FigureOf<'count'>
  read: Read | undefined
  event: string | undefined
}

/** Columns in the list of groups, taken from the table of figures. */
export const listed: readonly Listed[] = [
  ...figures.flatMap(({ name, listed }): Listed[] => {
    const count = name as FigureOf<'count'>
    return listed ? [{ ...listed, name: count, read: (sample) => sample[count], event: undefined }] : []
  }),
  ...rateRows.flatMap(({ name, listed, event }): Listed[] => {
    if (!listed) return []
    return [{ ...listed, name, read: event ? undefined : (_, rates) => rates?.[name], event: event?.kind }]
  }),
].sort((a, b) => a.order - b.order)

interface Overview {
  path: string
  from: number
  to: number
  /** Values by the name of the figure or of the rate. */
  figures: { [name: string]: number | undefined }
}

/** Returns a summary of each group in the recording, parents first. */
export function summarize(recording: Recording): Overview[] {
  const groups = new Map<string, Overview>()
  let before: Snapshot | undefined
  for (const span of recording.spans)
    for (const now of recording.read(span)) {
      const rate = before && rates(before, now)
      for (const [path, sample] of now.groups) {
        const known = groups.get(path) ?? { path, from: now.time, to: now.time, figures: noFigures() }
        groups.set(path, known)
        known.to = now.time
        for (const { name, read } of listed)
          if (read) known.figures[name] = larger(known.figures[name], read(sample, rate?.get(path)))
      }
      before = now
    }
  for (const { path, kind, count } of recording.events()) {
    const known = groups.get(path)
    const column = listed.find(({ event }) => event === kind)
    if (known && column) known.figures[column.name]! += count
  }
  return [...groups.values()].sort((a, b) => byTree(a.path, b.path))
}

/** Returns a summary in which every figure is unknown, and there are no events. */
function noFigures(): Overview['figures'] {
  return Object.fromEntries(listed.map(({ name, event }) => [name, event === undefined ? undefined : 0]))
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (b ?? a) : Math.max(a, b)
}
