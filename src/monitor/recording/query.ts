// SPDX-License-Identifier: Apache-2.0
// Finds what a recording contains about one group: its peak, and when processes were killed. Called by hutch why.

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
  /** Maximum of all samples, and its time. Memory in bytes; the number of tasks; memory pressure in percent of ten seconds. */
  memory?: { most: number; at: number }
  pids?: { most: number; at: number }
  memoryPressure?: { most: number; at: number }
  /** When the OOM killer killed processes of the group, and how many. */
  kills: { at: number; count: number }[]
  /** When memory.high throttled the group, and how often in the minute that followed. */
  slowed: { at: number; count: number }[]
  /** When the group was removed; absent if it still existed at the end. */
  gone?: number
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
    const highest = (key: 'memory' | 'pids' | 'memoryPressure', read: (sample: GroupSample) => number | undefined) => {
      let found: { most: number; at: number } | undefined
      for (const { time, sample } of looks) {
        const value = read(sample)
        if (value !== undefined && value > (found?.most ?? 0)) found = { most: value, at: time }
      }
      return found && { [key]: found }
    }
    const last = events.at(-1)
    const those = (wanted: string) =>
      events.filter(({ kind }) => kind === wanted).map(({ time, count }) => ({ at: time, count }))
    return {
      file,
      group: path,
      from: first.time,
      to: looks.at(-1)!.time,
      ...highest('memory', (sample) => sample.memory),
      ...highest('pids', (sample) => sample.pids),
      ...highest('memoryPressure', (sample) => sample.memoryPressure?.some.avg10),
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
export function recordedLines({
  file,
  from,
  to,
  memory,
  pids,
  memoryPressure,
  kills,
  slowed,
  gone,
}: RecordedGroup): EvidenceLine[] {
  const lines: EvidenceLine[] = [
    [
      'recorded',
      `in ${file}, from ${formatTime(from)} to ${formatTime(to)}${gone === undefined ? '' : `, and removed at ${formatTime(gone)}`}`,
    ],
  ]
  if (memory) lines.push(['memory', `at most ${formatSize(memory.most)}, at ${formatTime(memory.at)}`])
  if (pids) lines.push(['tasks', `at most ${pids.most}, at ${formatTime(pids.at)}`])
  if (memoryPressure)
    lines.push([
      'pressure',
      `some task waited for memory ${memoryPressure.most} % of the time, at ${formatTime(memoryPressure.at)}`,
    ])
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
