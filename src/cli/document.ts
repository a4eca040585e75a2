// SPDX-License-Identifier: Apache-2.0
// Files that hutch writes for its caller: opened before the job starts, so that nothing the job does leads a write elsewhere.
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { native } from '../native.ts'

const { O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants
/** Not among Node's constants; the same on every machine that hutch supports. */
const O_PATH = 0x200000
/** Descriptors of the caller, which are links by nature: process substitution, /dev/stdout. */
const descriptorLink = /^\/(?:dev\/(?:stdout|stderr|fd\/\d+)|proc\/(?:self|\d+)\/fd\/\d+)$/
/** Milliseconds without progress after which a reader of a pipe is given up; 10,000. */
const maxStall = 10_000
const endings = [1, 2, 3, 15]

/** True for a name that stands for a descriptor of the caller's. */
export function isDescriptor(path: string): boolean {
  return descriptorLink.test(path)
}

export interface DocumentOptions {
  /** The mode of a new file, whatever the umask is; 0666 less the umask by default. */
  mode?: number
  /** Fails with EEXIST instead of replacing what has the name by then. */
  keepsExisting?: boolean
}

/** Writes the whole text, or throws an error of node:fs and leaves what was there. */
export type Document = (content: string | Uint8Array, options?: DocumentOptions) => void

/**
 * Opens the directory of a path, or the device or pipe that the path names now. Links at the name itself are not
 * followed: a file replaces them. @throws errors of node:fs
 */
export function openDocument(path: string): Document {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) throw Object.assign(new Error(`${path} is a directory`), { code: 'EISDIR' })
  if (isDescriptor(path) || (found && !found.isFile() && !found.isSymbolicLink())) {
    accessSync(path, constants.W_OK)
    const held = openSync(path, O_PATH | (isDescriptor(path) ? 0 : constants.O_NOFOLLOW))
    return (content) => writeThrough(held, content)
  }
  const directory = openSync(dirname(path), O_PATH | O_DIRECTORY)
  accessSync(`/proc/self/fd/${directory}`, constants.W_OK)
  if (found?.isFile()) accessSync(path, constants.W_OK)
  return (content, options = {}) => replace(`/proc/self/fd/${directory}`, basename(path), content, options)
}

function replace(directory: string, name: string, content: string | Uint8Array, options: DocumentOptions): void {
  const target = `${directory}/${name}`
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

/** ENXIO for a pipe that nobody reads: waiting for a reader has no end. */
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
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}
