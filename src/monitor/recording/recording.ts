// SPDX-License-Identifier: Apache-2.0
// Reads a recording from a private copy of its file, so that reading never blocks the recorder. The file may be
// hostile: its content is only treated as data.
import { rmSync } from 'node:fs'
import { fail } from '../../errors/errors.ts'
import { ownDirectory, removeAbandoned } from '../../host/own-directory.ts'
import { byTree } from '../processes.ts'
import type { GroupSample, Snapshot } from '../sample.ts'
import { type Budget, decodeBlock, decodeTimes } from './column-codec.ts'
import { copyFile } from './copy.ts'
import { checkTables, type Database, guard, openDatabase } from './sqlite.ts'

/** A span: several samples that were written together. */
interface Span {
  id: number
  /** The intended milliseconds between two samples. */
  step: number
  start: number
  end: number
}

/**
 * An event of a group: `created`, `removed`, `oom` (the OOM killer killed processes) or `high` (throttled by
 * memory.high). `high` is recorded once a minute, with the time of its first occurrence.
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
  /**
   * Returns the samples of one group between two times, including samples at these times. If `among` is given, only
   * samples of these spans.
   */
  history(path: string, from: number, to: number, among?: readonly Span[]): { time: number; sample: GroupSample }[]
  close(): void
}

/** Maximum number of values in one span: enough for 100,000 groups. */
const maxAtOnce = 10_000_000
/**
 * Maximum number of figures that one query may decode; they use at most 128 MiB. This is enough for one minute of
 * 140,000 idle or 2,400 busy groups, or for 40 hours of one group sampled every second.
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
    // opened for writing, because SQLite merges the recorder's write-ahead log into this copy
    const db = await openDatabase(copy, false, path)
    guard(path, () => db.exec('PRAGMA locking_mode=exclusive; BEGIN; SELECT 1 FROM sqlite_schema'))
    checkTables(db, path)
    return makeRecording(db, path)
  } finally {
    // SQLite keeps the copy open, so its name can be deleted now
    process.off('exit', removeAtExit)
    removeAtExit()
  }
}

/** Returns the paths of the recorded groups that equal a path or end with it. */
export function findGroups(recording: Recording, name: string): string[] {
  const ends = recording.paths().filter((path) => path === name || path.endsWith(`/${name}`))
  return ends.includes(name) ? [name] : ends
}

/** Opens a recording for a single query. Returns one group's samples and events between two times. */
export async function history(path: string, group: string, from: number, to: number) {
  const recording = await openRecording(path)
  try {
    return recording.history(group, from, to)
  } finally {
    recording.close()
  }
}

/** Returns a recording that reads an open database. `path` is the file name used in errors. @throws RECORD_INVALID */
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
    if (budget.figures < 0) throw invalid(`the recording has more than ${maxFigures} figures to be read at once`)
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
