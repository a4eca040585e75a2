// SPDX-License-Identifier: Apache-2.0
// Merges and deletes old samples. Every sample is kept for an hour, one in ten seconds for a day, then one a minute.
// Samples are deleted when they are too old, or when the file is too large.
import { decodeBlock, decodeTimes, encodeBlock, encodeTimes } from './column-codec.ts'
import { lastOfEach, thin } from './downsample.ts'
import type { Database } from './sqlite.ts'

const tiers = [
  { after: 3_600_000, step: 10_000 },
  { after: 86_400_000, step: 60_000 },
]
/** Number of samples in a span after merging. */
const looks = 60
/** Maximum number of spans that one merge combines. */
const maxSpans = 64

interface Old {
  id: number
  start: number
  end: number
  times: number[]
}

/** Merges samples that are old enough to be kept less densely. Must run in a transaction. */
export function thinOld(db: Database, now: number): void {
  // one merge in each write of the recorder is enough: it makes room for at least ten writes
  for (const tier of tiers) {
    const spans = selectSpans(db, now - tier.after, tier.step)
    if (spans.length > 0) mergeSpans(db, spans, tier.step)
  }
}

/** Returns the spans that can be merged into one span of `looks` samples. Returns an empty array until there are enough. */
function selectSpans(db: Database, before: number, step: number): Old[] {
  const rows = db
    .all('SELECT id, start, end, times FROM spans WHERE step < ? AND end < ? ORDER BY start LIMIT ?', [
      step,
      before,
      maxSpans + 1,
    ])
    .map((row) => ({ ...row, times: decodeTimes(row.times as Uint8Array) ?? [] }) as unknown as Old)
  const [first] = rows
  if (!first) return []
  const reach = step * looks
  const end = rows.findIndex(
    (row, i) => i === maxSpans || (i > 0 && (row.end - first.start > reach || row.start <= rows[i - 1]!.end)),
  )
  if (end > 0) return rows.slice(0, end)
  // if the recorder did not run for a long time, no further spans follow these, so merge them now
  return before - first.start > 2 * reach ? rows : []
}

function mergeSpans(db: Database, spans: readonly Old[], step: number): void {
  const times = spans.flatMap((span) => span.times)
  const last = lastOfEach(times, step)
  const kept = last.map((i) => times[i]!)
  const members = new Map<number, Map<number, Uint8Array>>()
  for (const { id } of spans)
    for (const { member, samples } of db.all('SELECT member, samples FROM blocks WHERE span = ?', [id])) {
      const blocks = members.get(member as number) ?? new Map<number, Uint8Array>()
      members.set(member as number, blocks.set(id, samples as Uint8Array))
    }
  for (const { id } of spans) removeSpan(db, id)
  if (kept.length === 0) return
  const { lastInsertRowid: span } = db.run('INSERT INTO spans (step, start, end, times) VALUES (?, ?, ?, ?)', [
    step,
    kept[0]!,
    kept.at(-1)!,
    encodeTimes(kept),
  ])
  const insert = db.prepare('INSERT INTO blocks (span, member, samples) VALUES (?, ?, ?)')
  try {
    for (const [member, blocks] of members) {
      const samples = spans.flatMap(({ id, times: { length } }) => {
        const bytes = blocks.get(id)
        return (bytes && decodeBlock(bytes, length)) ?? new Array<undefined>(length).fill(undefined)
      })
      insert.run([span, member, encodeBlock(thin(samples, last))])
    }
  } finally {
    insert.finalize()
  }
}

/** Deletes samples older than `keep`, then the oldest ones until the file uses less than `size` bytes. Must run in a transaction. */
export function removeOld(db: Database, now: number, keep: number, size: number): void {
  for (const { id } of db.all('SELECT id FROM spans WHERE end < ? ORDER BY start LIMIT 64', [now - keep]))
    removeSpan(db, id as number)
  // SQLite needs a few more pages than those in use, so keep 3 % free
  while (usedBytes(db) > size * 0.97) {
    const oldest = db.get('SELECT id FROM spans ORDER BY start LIMIT 1')
    if (!oldest) break
    removeSpan(db, oldest.id as number)
  }
  const [first] = db.all('SELECT start FROM spans ORDER BY start LIMIT 1')
  db.run('DELETE FROM events WHERE time < ? OR id <= (SELECT max(id) FROM events) - 100000', [
    (first?.start ?? 0) as number,
  ])
}

/** Deletes groups that have no samples left. */
export function removeForgotten(db: Database): void {
  db.exec('DELETE FROM groups WHERE id NOT IN (SELECT member FROM blocks) AND id NOT IN (SELECT member FROM events)')
}

function removeSpan(db: Database, id: number): void {
  db.run('DELETE FROM blocks WHERE span = ?', [id])
  db.run('DELETE FROM spans WHERE id = ?', [id])
}

function usedBytes(db: Database): number {
  const [pages, free, size] = ['page_count', 'freelist_count', 'page_size'].map((name) =>
    Number(db.get(`PRAGMA ${name}`)?.[name]),
  )
  return (pages! - free!) * size!
}
