// SPDX-License-Identifier: Apache-2.0
// The database of a recording: its tables, and SQLite as WebAssembly, which only hutch record and hutch replay load.
import type { Database, SQLite3Error } from 'node-sqlite3-wasm'
import { fail, HutchError } from '../../errors/errors.ts'
import { escapeUnsafe } from '../../text/quote.ts'

export type { Database }

/** `hutc`, where SQLite's file format has room for whose file it is. */
const applicationId = 0x68757463
const version = 1

/**
 * A span is some looks at all groups, by their times; a block is what one group had in one span. A file that has
 * anything else in it is not read: a view or a trigger would be a program of whoever made the file.
 */
const schema = [
  'CREATE TABLE spans (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, times BLOB NOT NULL)',
  'CREATE INDEX spans_by_time ON spans (start)',
  'CREATE TABLE groups (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE)',
  'CREATE TABLE blocks (id INTEGER PRIMARY KEY, span INTEGER NOT NULL, member INTEGER NOT NULL, samples BLOB NOT NULL)',
  'CREATE INDEX blocks_by_span ON blocks (span)',
  'CREATE INDEX blocks_by_group ON blocks (member, span)',
  'CREATE TABLE events (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, member INTEGER NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL)',
]

/** @throws RECORD_LIBRARY_MISSING, RECORD_INVALID */
export async function openDatabase(path: string, readOnly: boolean, origin = path): Promise<Database> {
  const sqlite = await import('node-sqlite3-wasm').catch((error: Error) => {
    throw fail('RECORD_LIBRARY_MISSING', { why: error.message.split('\n')[0]! }, error)
  })
  // as a module it has a default, bundled it has not
  const { Database } = (sqlite as unknown as { default?: typeof sqlite }).default ?? sqlite
  return guard(origin, () => new Database(path, { readOnly, fileMustExist: true }))
}

/**
 * Creates the tables in an empty file; another file is not changed. It uses a write-ahead log and holds the file. This SQLite takes its
 * own lock for another process's, and could not roll back a rollback journal.
 */
export function makeTables(db: Database): void {
  db.exec('PRAGMA locking_mode=exclusive')
  if (db.all('SELECT 1 FROM sqlite_schema').length > 0) return
  db.exec('PRAGMA journal_mode=wal')
  db.exec(`BEGIN; ${schema.join(';')}; PRAGMA application_id=${applicationId}; PRAGMA user_version=${version}; COMMIT`)
}

/** Of a recording that is written on. */
export function tuneForWriting(db: Database): void {
  db.exec(
    'PRAGMA journal_mode=wal; PRAGMA synchronous=normal; PRAGMA journal_size_limit=4194304; PRAGMA cache_size=-8000',
  )
}

/** @throws RECORD_INVALID */
export function checkTables(db: Database, path: string): void {
  guard(path, () => {
    db.exec('PRAGMA trusted_schema=off; PRAGMA cell_size_check=on')
    const [id, format] = ['application_id', 'user_version'].map((name) => db.get(`PRAGMA ${name}`)?.[name])
    if (id !== applicationId) throw fail('RECORD_INVALID', { path, why: 'it is a database, but not a recording' })
    if (format !== version)
      throw fail('RECORD_INVALID', { path, why: `its format is ${format}, this hutch reads ${version}` })
    const found = db.all("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL OR type <> 'index'").map(({ sql }) => sql)
    if (found.length !== schema.length || !schema.every((sql) => found.includes(sql)))
      throw fail('RECORD_INVALID', { path, why: 'its tables do not belong to a recording' })
  })
}

/** What goes wrong while it is read is the file's fault: SQLite's errors, and those of its memory. */
export function guard<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (HutchError.is(error)) throw error
    // a message may have a name of the file's in it
    throw fail('RECORD_INVALID', { path, why: escapeUnsafe((error as SQLite3Error).message) }, error)
  }
}
