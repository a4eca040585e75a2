// SPDX-License-Identifier: Apache-2.0
// Prevents two recorders from writing the same file. SQLite's own lock is a directory that remains after kill -9. This
// module instead searches /proc for another process that has the file open for writing.
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { fail } from '../../errors/errors.ts'

/** Bits of the open flags in /proc/PID/fdinfo that contain the access mode. */
const accessMode = 3

/**
 * Opens the file for writing until `release`, and creates it if necessary. Other recorders can see the open descriptor
 * in /proc.
 *
 * @throws FILE_REFUSED, RECORD_BUSY
 */
export function takeFile(path: string): { release(): void } {
  const fd = openForWriting(path)
  try {
    const file = fstatSync(fd)
    if (!file.isFile()) throw fail('RECORD_INVALID', { path, why: 'not a regular file' })
    // the file is opened before the search, so that of two recorders that start at the same time, at least one finds the other
    const other = writerOf(file.dev, file.ino)
    if (other !== undefined) throw fail('RECORD_BUSY', { path, pid: other })
    rmdirSync(`${path}.lock`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      closeSync(fd)
      throw error
    }
  }
  return { release: () => closeSync(fd) }
}

function openForWriting(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    const remedy =
      code === 'ELOOP' ? 'name the file itself, not a link to it' : 'name a file that can be written with --db'
    throw fail('FILE_REFUSED', { what: 'record into', path, errno: code, remedy })
  }
}

/** Returns the id of another process that has the file open for writing. Sees only processes that this user may examine. */
function writerOf(dev: number, ino: number): number | undefined {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    for (const fd of entries(`/proc/${pid}/fd`))
      try {
        const file = statSync(`/proc/${pid}/fd/${fd}`)
        if (file.ino !== ino || file.dev !== dev) continue
        const flags = Number.parseInt(
          /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0',
          8,
        )
        if ((flags & accessMode) !== constants.O_RDONLY) return Number(pid)
      } catch {
        // ignored: the other process closed the descriptor during the search
      }
  }
  return undefined
}

/** Returns the names in a directory below /proc. Returns an empty array if the process has ended, or may not be examined. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
