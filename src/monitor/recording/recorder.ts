// SPDX-License-Identifier: Apache-2.0
// Samples all groups, and writes the samples to a file every minute. If the recorder is killed, at most the last minute
// is lost. hutch record uses it.
import { type FigureOf, rateRows } from '../../cgroup/controllers/figures.ts'
import { fail, HutchError } from '../../errors/errors.ts'
import { escapeUnsafe } from '../../text/quote.ts'
import type { GroupSample, Snapshot } from '../sample.ts'

import { encodeBlock, encodeTimes } from './column-codec.ts'
import { removeForgotten, removeOld, thinOld } from './retention.ts'
import { checkTables, type Database, makeTables, openDatabase, tuneForWriting } from './sqlite.ts'
import { takeFile } from './writer-lock.ts'

/** Maximum number of samples to collect before they are written. */
const looksTogether = 60
const timeTogether = 60_000

interface Recorder {
  /** Adds a sample. Writes all collected samples if there are enough. */
  add(snapshot: Snapshot): void
  /** Writes the samples that are not yet written, and closes the file. */
  close(): void
}

interface RecorderOptions {
  interval: number
  /** Age in milliseconds at which a sample is deleted. */
  keep: number
  /** Maximum size of the file in bytes. */
  size: number
}

type Happened = [time: number, path: string, kind: string, count: number]

/** Opens a file for recording. @throws FILE_REFUSED, RECORD_BUSY, RECORD_INVALID, RECORD_LIBRARY_MISSING */
export async function openRecorder(path: string, options: RecorderOptions): Promise<Recorder> {
  const file = takeFile(path)
  try {
    const db = await openDatabase(path, false)
    try {
      guardWrite(path, () => makeTables(db))
      checkTables(db, path)
      guardWrite(path, () => tuneForWriting(db))
      return recordInto(path, db, file, options)
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    file.release()
    throw error
  }
}

function recordInto(path: string, db: Database, file: { release(): void }, options: RecorderOptions): Recorder {
  let looks: Snapshot[] = []
  let last: Snapshot | undefined
  let happened: Happened[] = []
  /** a group may be throttled in every sample: record only one event a minute for it, so that events of other kinds are kept */
  const slowed = new Map<string, Happened>()
  let flushes = 0
  const flush = () => {
    if (looks.length === 0) return
    guardWrite(path, () => {
      db.exec('BEGIN IMMEDIATE')
      try {
        write(db, looks, happened, options.interval)
        const now = looks.at(-1)!.time
        thinOld(db, now)
        removeOld(db, now, options.keep, options.size)
        if (++flushes % 60 === 0) removeForgotten(db)
        db.exec('COMMIT')
      } catch (error) {
        if (db.inTransaction) db.exec('ROLLBACK')
        throw error
      }
    })
    looks = []
    happened = []
    slowed.clear()
  }
  const note = (one: Happened) => {
    const known = one[2] === 'high' ? slowed.get(one[1]) : undefined
    if (known) known[3] += one[3]
    else happened.push(one)
    if (!known && one[2] === 'high') slowed.set(one[1], one)
  }
  return {
    add(snapshot) {
      const now = { time: Math.round(snapshot.time), groups: snapshot.groups }
      if (last && now.time <= last.time) return
      if (last) for (const one of compare(last, now)) note(one)
      looks.push(now)
      last = now
      if (looks.length >= looksTogether || now.time - looks[0]!.time >= timeTogether) flush()
    },
    close() {
      try {
        flush()
      } finally {
        db.close()
        file.release()
      }
    },
  }
}

/** Counters whose increase is recorded as an event. */
const counted = rateRows.flatMap(({ event, figure }) =>
  event ? [{ ...event, name: figure.name as FigureOf<'count'> }] : [],
)

/** Returns the events between two samples: created and removed groups, OOM kills, and throttling by memory.high. */
function compare(before: Snapshot, now: Snapshot): Happened[] {
  const happened: Happened[] = []
  for (const [path, sample] of now.groups) {
    const then = before.groups.get(path)
    if (!then) happened.push([now.time, path, 'came', 1])
    else if (then !== sample)
      for (const { kind, name, fromUnknown } of counted) {
        const [known, count] = [then[name] ?? (fromUnknown ? 0 : undefined), sample[name] ?? 0]
        if (known !== undefined && count > known) happened.push([now.time, path, kind, count - known])
      }
  }
  for (const path of before.groups.keys()) if (!now.groups.has(path)) happened.push([now.time, path, 'gone', 1])
  return happened
}

function write(db: Database, looks: readonly Snapshot[], happened: readonly Happened[], step: number): void {
  const times = looks.map(({ time }) => time)
  const { lastInsertRowid: span } = db.run('INSERT INTO spans (step, start, end, times) VALUES (?, ?, ?, ?)', [
    step,
    times[0]!,
    times.at(-1)!,
    encodeTimes(times),
  ])
  const statements = [
    db.prepare('INSERT OR IGNORE INTO groups (path) VALUES (?)'),
    db.prepare('SELECT id FROM groups WHERE path = ?'),
    db.prepare('INSERT INTO blocks (span, member, samples) VALUES (?, ?, ?)'),
    db.prepare('INSERT INTO events (time, member, kind, count) VALUES (?, ?, ?, ?)'),
  ] as const
  const [add, find, insert, note] = statements
  const idOf = (path: string) => {
    const id = find.get([path])?.id
    return (id ?? add.run([path]).lastInsertRowid) as number
  }
  try {
    for (const path of new Set(looks.flatMap(({ groups }) => [...groups.keys()]))) {
      const samples = looks.map(({ groups }): GroupSample | undefined => groups.get(path))
      insert.run([span, idOf(path), encodeBlock(samples)])
    }
    for (const [time, path, kind, count] of happened) note.run([time, idOf(path), kind, count])
  } finally {
    for (const statement of statements) statement.finalize()
  }
}

function guardWrite<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (HutchError.is(error)) throw error
    const said = escapeUnsafe((error as Error).message)
    if (/not a database|malformed/.test(said)) throw fail('RECORD_INVALID', { path, why: said }, error)
    const remedy = "check that the disk has free space and that hutch can write in the file's directory"
    throw fail('FILE_REFUSED', { what: 'record into', path, errno: said, remedy }, error)
  }
}
