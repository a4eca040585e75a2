// SPDX-License-Identifier: Apache-2.0
// Reads a recording. It opens a private copy of the file, so that the recorder is never blocked. A hostile file is treated as data only.
import { rmSync } from 'node:fs'
import { fail } from '../../errors/errors.ts'
import { ownDirectory, removeAbandoned } from '../../host/own-directory.ts'
import { byTree } from '../processes.ts'
import type { GroupSample, Snapshot } from '../sample.ts'
import { type Budget, decodeBlock, decodeTimes } from './column-codec.ts'
import { copyFile } from './copy.ts'
import { checkTables, type Database, guard, openDatabase } from './sqlite.ts'

/** Samples that were written together. */
interface Span {
  id: number
  /** Planned milliseconds between two samples. */
  step: number
  start: number
  end: number
}

/**
 * An event of a group: created, removed, processes killed by the OOM killer (oom), or throttled by memory.high (high). The time of `high`
 * is the first in a minute.
 */
interface RecordedEvent {
  time: number
  path: string
  kind: string
  count: number
}

export interface Recording {
  /** Spans sorted by time. */
  spans: readonly Span[]
  read(span: Span): Snapshot[]
  paths(): string[]
  events(): RecordedEvent[]
  /** Returns the samples of one group between two times, both included; only from the spans in `among`, if given. */
  history(path: string, from: number, to: number, among?: readonly Span[]): { time: number; sample: GroupSample }[]
  close(): void
}

/** Maximum number of samples in a span, enough for 100,000 groups. */
const maxAtOnce = 10_000_000
/**
 * Maximum number of figures per query; they use at most 128 MiB. It is enough for a minute of 140,000 idle or 2,400 busy groups. It is also
 * enough for 40 hours of one group, sampled every second.
 */
const maxFigures = 5_000_000

/** Opens a recording. @throws FILE_REFUSED, RECORD_INVALID, RECORD_LIBRARY_MISSING */
export async function openRecording(path: string): Promise<Recording> {
  removeAbandoned('replay')
  const directory = ownDirectory('replay')
  const removeAtExit = () => rmSync(directory, { recursive: true, force: true })
  process.on('exit', removeAtExit)
  try {
    const copy = `${directory}/copy`
    await copyFile(path, copy)
    // open for writing: SQLite merges the log of the recorder into the copy
    const db = await openDatabase(copy, false, path)
    guard(path, () => db.exec('PRAGMA locking_mode=exclusive; BEGIN; SELECT 1 FROM sqlite_schema'))
    checkTables(db, path)
    return makeRecording(db, path)
  } finally {
    // the file stays open, but its name is no longer needed
    process.off('exit', removeAtExit)
    removeAtExit()
  }
}

/** Returns the paths of groups that match a path, or the end of one. */
export function findGroups(recording: Recording, name: string): string[] {
  const ends = recording.paths().filter((path) => path === name || path.endsWith(`/${name}`))
  return ends.includes(name) ? [name] : ends
}

/** Returns one group's samples and events between two times, for a single query. */
export async function history(path: string, group: string, from: number, to: number) {
  const recording = await openRecording(path)
  try {
    return recording.history(group, from, to)
  } finally {
    recording.close()
  }
}

/** Returns a recording over an open database. `path` is the name in errors. @throws RECORD_INVALID */
export function makeRecording(db: Database, path: string): Recording {
  const invalid = (why: string) => fail('RECORD_INVALID', { path, why })
  const select = (sql: string, values: (number | string)[] = []) => guard(path, () => db.all(sql, values))
  const spans = select('SELECT id, step, start, end FROM spans ORDER BY start LIMIT 200000').map((row) => {
    if (Object.values(row).some((figure) => typeof figure !== 'number' || !(Math.abs(figure) <= 8.64e15)))
      throw invalid('it contains an invalid time')
    return row as unknown as Span
  })
  const bytes = (found: unknown) => (found instanceof Uint8Array ? found : new Uint8Array())
  const timesOf = (span: Span) => {
    const times = decodeTimes(bytes(select('SELECT times FROM spans WHERE id = ?', [span.id])[0]?.times))
    if (!times) throw invalid(`the times of span ${span.id} are damaged`)
    return times
  }
  const decode = (found: unknown, count: number, span: Span, budget: Budget) => {
    const samples = decodeBlock(bytes(found), count, budget)
    if (budget.figures < 0) throw invalid(`it has more than ${maxFigures} figures to be read at once`)
    if (!samples) throw invalid(`a block of span ${span.id} is damaged`)
    return samples
  }
  return {
    spans,
    read(span) {
      const times = timesOf(span)
      const count = Number(select('SELECT count(*) AS blocks FROM blocks WHERE span = ?', [span.id])[0]?.blocks)
      if (count * times.length > maxAtOnce) throw invalid(`span ${span.id} has too many groups`)
      const groups = times.map(() => new Map<string, GroupSample>())
      const blocks = select('SELECT path, samples FROM blocks JOIN groups ON groups.id = member WHERE span = ?', [
        span.id,
      ])
        .map(({ path: group, samples }) => [String(group), samples] as const)
        .sort(([a], [b]) => byTree(a, b))
      const budget = { figures: maxFigures }
      for (const [group, samples] of blocks)
        for (const [i, sample] of decode(samples, times.length, span, budget).entries())
          if (sample) groups[i]!.set(group, sample)
      return times.map((time, i) => ({ time, groups: groups[i]! }))
    },
    paths: () =>
      select('SELECT path FROM groups')
        .map(({ path: group }) => String(group))
        .sort(byTree),
    events: () =>
      select(
        'SELECT time, path, kind, count FROM events JOIN groups ON groups.id = member ORDER BY time LIMIT 100000',
      ).map(({ time, path: group, kind, count }) => ({
        time: Number(time),
        path: String(group),
        kind: String(kind),
        count: Number(count),
      })),
    history(group, from, to, among = spans) {
      const budget = { figures: maxFigures }
      return among
        .filter((span) => span.end >= from && span.start <= to)
        .flatMap((span) => {
          const sql = 'SELECT samples FROM blocks JOIN groups ON groups.id = member WHERE path = ? AND span = ? LIMIT 1'
          const [block] = select(sql, [group, span.id])
          if (!block) return []
          const times = timesOf(span)
          return decode(block.samples, times.length, span, budget).flatMap((sample, i) =>
            sample && times[i]! >= from && times[i]! <= to ? [{ time: times[i]!, sample }] : [],
          )
        })
    },
    close: () => db.close(),
  }
}
