// SPDX-License-Identifier: Apache-2.0
// Finds what a recording contains about one group: its peak, and when processes were killed. Called by hutch why.

import type { RecalledOf } from '../../cgroup/controllers/figure.ts'
import { type FigureOf, figures, type NamedFigure } from '../../cgroup/controllers/figures.ts'
import { formatSize } from '../../text/units.ts'
import type { EvidenceLine } from '../../verdict/limit-words.ts'
import { formatTime } from '../../why/memory.ts'
import type { GroupSample } from '../sample.ts'
import { findGroups, openRecording } from './recording.ts'

/** What a recording contains about one group. Times are in milliseconds since 1970. */
export interface RecordedGroup {
  file: string
  group: string
  from: number
  to: number
  /** Maximum of all samples, and its time, by name of the figure. Pressure is in percent of ten seconds. */
  highest: { [figure: string]: { most: number; at: number } }
  /** When the OOM killer killed processes of the group, and how many. */
  kills: { at: number; count: number }[]
  /** When memory.high throttled the group, and how often in the minute that followed. */
  slowed: { at: number; count: number }[]
  /** When the group was removed; absent if it still existed at the end. */
  gone?: number
}

/** A figure that is described from recorded samples. */
export type RecalledFigure = NamedFigure & { recalled: RecalledOf }

/** Returns the figures that `hutch why`, or the verdict, describes from recorded samples. */
export function recalledBy(reader: 'why' | 'verdict'): RecalledFigure[] {
  return figures
    .flatMap((figure) => (figure.recalled?.by.includes(reader) ? [{ ...figure, recalled: figure.recalled }] : []))
    .sort((a, b) => a.recalled.order - b.recalled.order)
}

/** Returns a figure of a sample as one number: of pressure, the percentage of ten seconds in which some task waited. */
export function recalledValue({ name, kind }: RecalledFigure, sample: GroupSample): number | undefined {
  if (kind === 'stalls') return sample[name as FigureOf<'stalls'>]?.some.avg10
  return sample[name as FigureOf<'count'>]
}

/** Formats a figure's number in its unit. */
export function formatRecalled({ unit }: RecalledFigure, value: number): string {
  return unit === 'bytes' ? formatSize(value) : String(value)
}

/** Describes the maximum of a figure. */
export function describeHighest(figure: RecalledFigure, most: number): string {
  const { waitedFor } = figure.recalled
  if (waitedFor !== undefined) return `some task waited for ${waitedFor} ${most} % of the time`
  return `at most ${formatRecalled(figure, most)}`
}

/**
 * Finds a group by its path, or by the end of a path that only one group has. Returns undefined if the recording does
 * not contain it.
 *
 * @throws FILE_REFUSED, RECORD_INVALID, RECORD_LIBRARY_MISSING
 */
export async function findRecorded(file: string, name: string): Promise<RecordedGroup | undefined> {
  const recording = await openRecording(file)
  try {
    const [path, other] = findGroups(recording, name)
    if (path === undefined || other !== undefined) return undefined
    const looks = recording.history(path, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
    const events = recording.events().filter((event) => event.path === path)
    const first = looks[0]
    if (!first) return undefined
    const highest: RecordedGroup['highest'] = {}
    for (const figure of recalledBy('why'))
      for (const { time, sample } of looks) {
        const value = recalledValue(figure, sample)
        if (value !== undefined && value > (highest[figure.name]?.most ?? 0))
          highest[figure.name] = { most: value, at: time }
      }
    const last = events.at(-1)
    const those = (wanted: string) =>
      events.filter(({ kind }) => kind === wanted).map(({ time, count }) => ({ at: time, count }))
    return {
      file,
      group: path,
      from: first.time,
      to: looks.at(-1)!.time,
      highest,
      kills: those('oom'),
      slowed: those('high'),
      ...(last?.kind === 'gone' && { gone: last.time }),
    }
  } finally {
    recording.close()
  }
}

/** Returns the sum of the counts of all events. */
export function total(events: readonly { count: number }[]): number {
  return events.reduce((sum, { count }) => sum + count, 0)
}

/** Returns what the recording contains about the group, as lines with a label and a text. */
export function recordedLines({ file, from, to, highest, kills, slowed, gone }: RecordedGroup): EvidenceLine[] {
  const lines: EvidenceLine[] = [
    [
      'recorded',
      `in ${file}, from ${formatTime(from)} to ${formatTime(to)}${gone === undefined ? '' : `, and removed at ${formatTime(gone)}`}`,
    ],
  ]
  for (const figure of recalledBy('why')) {
    const found = highest[figure.name]
    if (found) lines.push([figure.recalled.label, `${describeHighest(figure, found.most)}, at ${formatTime(found.at)}`])
  }
  const times = total(slowed)
  if (times > 0)
    lines.push([
      'slowed',
      `${times} ${times === 1 ? 'time' : 'times'} by memory.high, from ${formatTime(slowed[0]!.at)} to ${formatTime(slowed.at(-1)!.at)}`,
    ])
  const count = total(kills)
  if (count > 0) lines.push(['killed', `${count} for memory, the last at ${formatTime(kills.at(-1)!.at)}`])
  return lines
}
