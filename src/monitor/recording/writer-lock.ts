// SPDX-License-Identifier: Apache-2.0
// Who records into a file. SQLite's lock here is a directory beside it, which a kill -9 leaves behind; who has the file open for writing, the kernel knows.
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

/** Of a file's flags, those that say whether it is read or written. */
const accessMode = 3

/**
 * Makes the file, if it is not there, and takes it for this process until `release`: open for writing, which others see.
 * @throws FILE_REFUSED, RECORD_BUSY
 */
export function takeFile(path: string): { release(): void } {
  const fd = openForWriting(path)
  try {
    const file = fstatSync(fd)
    if (!file.isFile()) throw fail('RECORD_INVALID', { path, why: 'it is not a regular file' })
    // opened first, looked second: of two who come at once, at least one sees the other
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

/** Another process that has this file open for writing, of those that can be seen. */
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
        // closed meanwhile
      }
  }
  return undefined
}

/** Nothing of a process that is gone or another's. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
