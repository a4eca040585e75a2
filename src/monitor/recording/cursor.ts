// SPDX-License-Identifier: Apache-2.0
// Moves through the samples of a recording. Exports makeCursor and parseMoment; hutch replay and ui/top/ use them.
import { fail } from '../../errors/errors.ts'
import { parseDuration } from '../../text/units.ts'
import type { Snapshot } from '../sample.ts'
import type { Recording } from './recording.ts'

export interface Cursor {
  /** The sample at the cursor. `before` is the previous sample. */
  readonly now: Snapshot
  readonly before: Snapshot
  /** Milliseconds between two samples at the cursor's position. */
  readonly step: number
  /** Moves forward or back by a number of samples. Returns false if the recording begins or ends there. */
  move(looks: number): boolean
  /** Moves to the last sample that is not after this time. If all are after it, moves to the first sample. */
  seek(time: number): void
}

/** Maximum number of decoded spans in memory. A span is a group of samples that were written together. */
const maxDecoded = 4

/** Returns a cursor at the recording's first sample. @throws RECORD_EMPTY, RECORD_INVALID */
export function makeCursor(recording: Recording, path: string): Cursor {
  const { spans } = recording
  if (spans.length === 0) throw fail('RECORD_EMPTY', { path, what: 'anything' })
  const decoded = new Map<number, Snapshot[]>()
  const looksOf = (at: number) => {
    const looks = decoded.get(at) ?? recording.read(spans[at]!)
    decoded.delete(at)
    decoded.set(at, looks)
    for (const old of decoded.keys()) if (decoded.size > maxDecoded) decoded.delete(old)
    return looks
  }
  let [span, look] = [0, 0]
  const stepOf = (from: [number, number], by: 1 | -1): [number, number] | undefined => {
    const [at, i] = [from[0], from[1] + by]
    if (i >= 0 && i < looksOf(at).length) return [at, i]
    const next = at + by
    if (next < 0 || next >= spans.length) return undefined
    return [next, by === 1 ? 0 : looksOf(next).length - 1]
  }
  return {
    get now() {
      return looksOf(span)[look]!
    },
    get before() {
      const [at, i] = stepOf([span, look], -1) ?? [span, look]
      return looksOf(at)[i]!
    },
    get step() {
      return spans[span]!.step
    },
    move(looks) {
      for (let left = Math.abs(looks); left > 0; left--) {
        const next = stepOf([span, look], looks > 0 ? 1 : -1)
        if (!next) return false
        ;[span, look] = next
      }
      return true
    },
    seek(time) {
      span = Math.max(
        0,
        spans.findLastIndex(({ start }) => start <= time),
      )
      look = Math.max(
        0,
        looksOf(span).findLastIndex((found) => found.time <= time),
      )
    },
  }
}

/**
 * Parses a time, in the machine's time zone unless the text names a zone. Returns milliseconds since 1970. A time of
 * day without a date means the last such time before `end`.
 */
export function parseMoment(text: string, end: number): number | undefined {
  const ago = text.startsWith('-') ? parseDuration(text.slice(1), 1000) : undefined
  if (ago !== undefined) return end - ago
  const unix = /^@(\d{1,12}(?:\.\d+)?)$/.exec(text)
  if (unix) return Number(unix[1]) * 1000
  const day = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?$/.exec(text)
  if (day) {
    const moment = new Date(end)
    moment.setHours(Number(day[1]), Number(day[2]), 0, Number(day[3] ?? 0) * 1000)
    if (moment.getTime() > end) moment.setDate(moment.getDate() - 1)
    return moment.getTime()
  }
  // JavaScript would parse a date without a time as UTC
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00` : text) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

export const acceptedMoments = 'a time such as 2026-01-31T12:00:00, 12:00:30, @1700000000, or -10m before the end'
