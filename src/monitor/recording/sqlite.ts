// SPDX-License-Identifier: Apache-2.0
// Opens and checks the database of a recording: its tables, in SQLite as WebAssembly. Only hutch record and hutch
// replay load it.
import type { Database, SQLite3Error } from 'node-sqlite3-wasm'
import { fail, HutchError } from '../../errors/errors.ts'
import { escapeUnsafe } from '../../text/quote.ts'

export type { Database }

/** Identifies the file as a recording: the text `hutc` in SQLite's field `application_id`. */
const applicationId = 0x68757463
const version = 1

/**
 * The tables. A span has the times of several samples; a block has the data of one group in a span. A file with other
 * objects is refused, because a view or a trigger from an untrusted file could run its own SQL.
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

/** Opens a database file with SQLite. @throws RECORD_LIBRARY_MISSING, RECORD_INVALID */
export async function openDatabase(path: string, readOnly: boolean, origin = path): Promise<Database> {
  const sqlite = await import('node-sqlite3-wasm').catch((error: Error) => {
    throw fail('RECORD_LIBRARY_MISSING', { why: error.message.split('\n')[0]! }, error)
  })
  // Node puts the module's exports in `default`; the bundle does not
  const { Database } = (sqlite as unknown as { default?: typeof sqlite }).default ?? sqlite
  return guard(origin, () => new Database(path, { readOnly, fileMustExist: true }))
}

/**
 * Creates the tables in an empty file; leaves any other file unchanged.
 *
 * Uses a write-ahead log and locks the file exclusively. This build of SQLite would take its own lock for that of
 * another process, and could not restore a rollback journal.
 */
export function makeTables(db: Database): void {
  db.exec('PRAGMA locking_mode=exclusive')
  if (db.all('SELECT 1 FROM sqlite_schema').length > 0) return
  db.exec('PRAGMA journal_mode=wal')
  db.exec(`BEGIN; ${schema.join(';')}; PRAGMA application_id=${applicationId}; PRAGMA user_version=${version}; COMMIT`)
}

/** Sets the options of a database that a recorder writes to. */
export function tuneForWriting(db: Database): void {
  db.exec(
    'PRAGMA journal_mode=wal; PRAGMA synchronous=normal; PRAGMA journal_size_limit=4194304; PRAGMA cache_size=-8000',
  )
}

/** Checks that the database has exactly the tables of a recording. @throws RECORD_INVALID */
export function checkTables(db: Database, path: string): void {
  guard(path, () => {
    db.exec('PRAGMA trusted_schema=off; PRAGMA cell_size_check=on')
    const [id, format] = ['application_id', 'user_version'].map((name) => db.get(`PRAGMA ${name}`)?.[name])
    if (id !== applicationId) throw fail('RECORD_INVALID', { path, why: 'the file is a database, but not a recording' })
    if (format !== version)
      throw fail('RECORD_INVALID', { path, why: `its format is ${format}, this hutch reads ${version}` })
    const found = db.all("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL OR type <> 'index'").map(({ sql }) => sql)
    if (found.length !== schema.length || !schema.every((sql) => found.includes(sql)))
      throw fail('RECORD_INVALID', { path, why: 'its tables do not belong to a recording' })
  })
}

/** Runs a function that reads the database. Turns errors of SQLite, and of its memory, into RECORD_INVALID. */
export function guard<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (HutchError.is(error)) throw error
    // escape SQLite's message, which may contain a name from the untrusted file
    throw fail('RECORD_INVALID', { path, why: escapeUnsafe((error as SQLite3Error).message) }, error)
  }
}
