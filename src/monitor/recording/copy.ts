// SPDX-License-Identifier: Apache-2.0
// Copies a recording's database file consistently, even while another process writes it.
import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fail } from '../../errors/errors.ts'

/** Suffix of the name of SQLite's write-ahead log. */
const log = '-wal'
/** Maximum number of attempts to copy the file without an interruption. A recorder writes only once a minute, briefly. */
const tries = 20
const wait = 50
/** Maximum file size in bytes that SQLite as WebAssembly accepts. */
const largestFile = 2 ** 31

/**
 * Copies a database and its write-ahead log. Starts again if another process wrote to them during the copy.
 *
 * @throws FILE_REFUSED, RECORD_INVALID
 */
export async function copyFile(path: string, to: string): Promise<void> {
  closeSync(open(path))
  for (let i = 0; i < tries; i++) {
    const before = stateOf(path)
    copyBytes(path, to)
    if (before.includes(log)) copyBytes(path + log, to + log)
    if (stateOf(path) === before) return
    await pause(wait)
  }
  throw fail('RECORD_INVALID', { path, why: 'it changes too fast' })
}

/** Returns a string that changes whenever the file changes. */
function stateOf(path: string): string {
  const words = ['', log].map((end) => {
    const file = statSync(`${path}${end}`, { throwIfNoEntry: false, bigint: true })
    return file && file.size > 0n ? `${end} ${file.ino} ${file.size} ${file.mtimeNs}` : ''
  })
  return words.join('')
}

function copyBytes(path: string, to: string): void {
  const from = open(path)
  try {
    const file = fstatSync(from)
    if (!file.isFile()) throw fail('RECORD_INVALID', { path, why: 'not a regular file' })
    if (file.size > largestFile) throw fail('RECORD_INVALID', { path, why: 'larger than 2 GiB' })
    const out = openSync(to, 'w', 0o600)
    try {
      const buffer = Buffer.allocUnsafe(2 ** 20)
      for (let at = 0; ; ) {
        const count = readSync(from, buffer, 0, buffer.length, at)
        if (count === 0) break
        writeAll(out, buffer.subarray(0, count), to)
        at += count
      }
    } finally {
      closeSync(out)
    }
  } finally {
    closeSync(from)
  }
}

function writeAll(out: number, bytes: Buffer, path: string): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(out, bytes, at)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    const remedy = 'name a directory with space for a copy of the recording: TMPDIR=DIR hutch replay ...'
    throw fail('FILE_REFUSED', { what: 'make a copy in', path: dirname(path), errno: code, remedy }, error)
  }
}

/** Opens a file. If it is a named pipe, does not wait for a writer. */
function open(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fail('FILE_REFUSED', { what: 'read', path, errno: code, remedy: 'name a file that hutch record wrote' })
  }
}
