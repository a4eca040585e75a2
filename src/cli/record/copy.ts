// SPDX-License-Identifier: Apache-2.0
// A recording's file as it was at one moment, while somebody may be writing it.
import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fail } from '../../errors.ts'

/** A recording is written once a minute, within a moment. */
const tries = 100
const wait = 50
/** SQLite as WebAssembly does not take more. */
const largestFile = 2 ** 31

/**
 * Copies a database, and the journal of one whose writer was killed. A journal that changes or goes is that of a
 * writer at work: then again.
 * @throws FILE_REFUSED, RECORD_INVALID
 */
export async function copyFile(path: string, to: string): Promise<void> {
  closeSync(open(path))
  let before = ''
  let same = 0
  for (let i = 0; i < tries; i++) {
    const now = stateOf(path)
    same = now === before ? same + 1 : 0
    before = now
    const written = now.includes('journal')
    // half of the time for a writer to go on
    if (!written || same > tries / 2) {
      copyBytes(path, to)
      if (written) copyBytes(`${path}-journal`, `${to}-journal`)
      if (stateOf(path) === now) return
    }
    await pause(wait)
  }
  throw fail('RECORD_INVALID', { path, why: 'it is written all the time' })
}

/** Changes when the file does. */
function stateOf(path: string): string {
  const words = ['', '-journal'].map((end) => {
    const file = statSync(`${path}${end}`, { throwIfNoEntry: false, bigint: true })
    return file && file.size > 0n ? `${end} ${file.ino} ${file.size} ${file.mtimeNs}` : ''
  })
  return words.join('')
}

function copyBytes(path: string, to: string): void {
  const from = open(path)
  try {
    const file = fstatSync(from)
    if (!file.isFile()) throw fail('RECORD_INVALID', { path, why: 'it is not a regular file' })
    if (file.size > largestFile) throw fail('RECORD_INVALID', { path, why: 'it is larger than 2 GiB' })
    const out = openSync(to, 'w', 0o600)
    try {
      const buffer = Buffer.allocUnsafe(2 ** 20)
      for (let at = 0; ; ) {
        const count = readSync(from, buffer, 0, buffer.length, at)
        if (count === 0) break
        for (let written = 0; written < count; ) written += writeSync(out, buffer, written, count - written)
        at += count
      }
    } finally {
      closeSync(out)
    }
  } finally {
    closeSync(from)
  }
}

/** Without waiting for whoever is at the other end of a pipe. */
function open(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fail('FILE_REFUSED', { what: 'read', path, errno: code, remedy: 'name a file that hutch record wrote' })
  }
}
