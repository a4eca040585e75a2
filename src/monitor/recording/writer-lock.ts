// SPDX-License-Identifier: Apache-2.0
// Prevents two recorders from writing the same file. SQLite's own lock is a directory that remains after kill -9. The kernel instead knows
// which processes have the file open for writing.
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

/** Bits of the open flags that contain the access mode. */
const accessMode = 3

/**
 * Creates the file if necessary and opens it for writing, which other processes can see, until `release`.
 *
 * @throws FILE_REFUSED, RECORD_BUSY
 */
export function takeFile(path: string): { release(): void } {
  const fd = openForWriting(path)
  try {
    const file = fstatSync(fd)
    if (!file.isFile()) throw fail('RECORD_INVALID', { path, why: 'not a regular file' })
    // open first, then search: of two simultaneous recorders, at least one sees the other
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

/** Returns a visible process, other than this one, that has the file open for writing. */
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
        // the descriptor was closed in the meantime
      }
  }
  return undefined
}

/** Returns the entries of a directory; an empty array for a process that has ended or may not be examined. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
