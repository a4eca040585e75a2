// SPDX-License-Identifier: Apache-2.0
// Writes files for the caller of a job. Such a file is opened before the job starts, so that the job cannot redirect
// the write.

import { encodePath } from '../text/non-utf8.ts'
import { pauseSync } from './clock.ts'
import {
  closeSync,
  fchmodSync,
  fileConstants,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from './files.ts'
import { accessSync, native } from './native.ts'
import { basename, dirname } from './paths.ts'
import { randomBytes } from './random.ts'

const { O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_WRONLY } = fileConstants
/** The flag O_PATH, which Node's constants lack. It has the same value on all supported machines. */
const O_PATH = 0x200000
/** Matches paths in /proc that name a descriptor of a process. */
const descriptorLink = /^\/proc\/\d+\/fd\/\d+$/
/** Matches paths that name a descriptor of this process, such as /dev/stdout and the paths of a shell's process substitution. */
const ownLink = /^\/(?:dev\/(stdout|stderr|fd\/(\d+))|proc\/(?:self|thread-self)\/fd\/(\d+))$/
/** Milliseconds without progress after which hutch stops waiting for the reader of a pipe. */
const maxStall = 10_000
const endings = [1, 2, 3, 15]

/** Returns true if a path names a descriptor of a process in /proc. */
export function isDescriptor(path: string): boolean {
  return descriptorLink.test(path)
}

/** Returns the descriptor of this process that a path names, such as 1 for /dev/stdout. Returns undefined for any other path. */
export function ownDescriptor(path: string): number | undefined {
  const found = ownLink.exec(path)
  if (!found) return undefined
  return found[1] === 'stdout' ? 1 : found[1] === 'stderr' ? 2 : Number(found[2] ?? found[3])
}

interface DocumentOptions {
  /** File mode of a new file, regardless of the umask. By default 0666 minus the umask. */
  mode?: number
  /** True if a file that already exists is an error (EEXIST). By default it is replaced. */
  keepsExisting?: boolean
}

/**
 * Writes the whole content to a file that was opened earlier. If this fails, keeps the existing file and throws an
 * error of node:fs.
 */
export type Document = (content: string | Uint8Array, options?: DocumentOptions) => void

/**
 * Prepares a later write to a path: opens its directory or, if it names a device or pipe, that. A symbolic link as the
 * last part of the path is not followed: the new file replaces it. @throws errors of node:fs
 */
export function openDocument(path: string): Document {
  const own = ownDescriptor(path)
  if (own !== undefined) return openOwn(own)
  const bytes = encodePath(path)
  const found = lstatSync(bytes, { throwIfNoEntry: false })
  // throws EISDIR
  if (found?.isDirectory()) openSync(bytes, fileConstants.O_WRONLY)
  if (isDescriptor(path) || (found && !found.isFile() && !found.isSymbolicLink())) {
    accessSync(bytes, fileConstants.W_OK)
    const held = openSync(bytes, O_PATH | (isDescriptor(path) ? 0 : fileConstants.O_NOFOLLOW))
    return (content) => writeThrough(held, content)
  }
  const directory = openSync(encodePath(dirname(path)), O_PATH | O_DIRECTORY)
  accessSync(`/proc/self/fd/${directory}`, fileConstants.W_OK)
  if (found?.isFile()) accessSync(bytes, fileConstants.W_OK)
  return (content, options = {}) => replace(`/proc/self/fd/${directory}`, basename(path), content, options)
}

/**
 * Opens a pipe of this process once more, as non-blocking, so that a full pipe cannot block hutch. Sockets cannot be
 * opened again, and a file opened again would lose its position.
 */
function openOwn(own: number): Document {
  const isPipe = fstatSync(own).isFIFO()
  return (content) => {
    let again: number | undefined
    try {
      if (isPipe) again = openSync(`/proc/self/fd/${own}`, O_WRONLY | O_NONBLOCK)
    } catch {
      // a pipe of another user cannot be opened again, so use the descriptor itself
    }
    try {
      writeAll(again ?? own, content)
    } finally {
      if (again !== undefined) closeSync(again)
    }
  }
}

function replace(directory: string, name: string, content: string | Uint8Array, options: DocumentOptions): void {
  const target = encodePath(`${directory}/${name}`)
  const draft = `${directory}/.hutch-${randomBytes(12).toString('hex')}`
  const fd = openSync(draft, 'wx', options.mode === undefined ? 0o666 : 0o600)
  try {
    try {
      writeAll(fd, content)
      if (options.mode !== undefined) fchmodSync(fd, options.mode)
    } finally {
      closeSync(fd)
    }
    if (options.keepsExisting) linkSync(draft, target)
    else renameSync(draft, target)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Writes to an open device or pipe. Throws ENXIO for a pipe without a reader, because waiting for one could be endless. */
function writeThrough(held: number, content: string | Uint8Array): void {
  const fd = openSync(`/proc/self/fd/${held}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  try {
    writeAll(fd, content)
  } finally {
    closeSync(fd)
  }
}

function writeAll(fd: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  let stalled = Date.now()
  const before = native().forward(0)
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at)
      stalled = Date.now()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || Date.now() - stalled > maxStall) throw error
      const came = native().forward(0) & ~before
      for (const signal of endings) if (came & (1 << signal)) native().dieBy(signal)
      pauseSync(5)
    }
  }
}
