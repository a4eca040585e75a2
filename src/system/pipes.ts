// SPDX-License-Identifier: Apache-2.0
// Our ends of pipes as streams. Node has a stream for a pipe; for other runtimes, the addon's functions make one.

import { systemConstants } from './constants.ts'
import { systemError } from './errors.ts'
import { errnoName, native } from './native.ts'
import { unwatchJob, watchedNative, watchJob } from './reactor.ts'
import { runsInNode } from './runtime.ts'
import { Socket } from './sockets.ts'
import { Readable, Writable } from './streams.ts'

const chunkSize = 65_536
const again = -systemConstants.errno.EAGAIN

/** Returns a stream that reads our end of a pipe, and owns it. */
export function readPipe(fd: number): Readable {
  if (runsInNode) return new Socket({ fd, readable: true, writable: false })
  const pipe = watchPipe(fd, false)
  const stream: Readable = new Readable({
    highWaterMark: chunkSize,
    // always after an event: a stream that finds bytes each time at once would not let anything else run
    read: () =>
      pipe.whenReady(() => {
        const bytes = Buffer.allocUnsafe(chunkSize)
        const got = native().readSome(fd, bytes)
        if (got === again) stream._read(chunkSize)
        else if (got < 0) stream.destroy(pipeError('read', got))
        else stream.push(got > 0 ? bytes.subarray(0, got) : null)
      }),
    destroy: pipe.close,
  })
  return stream
}

/** Returns a stream that writes to our end of a pipe, and owns it. */
export function writePipe(fd: number): Writable {
  if (runsInNode) return new Socket({ fd, readable: false, writable: true })
  const pipe = watchPipe(fd, true)
  const write = (chunk: Uint8Array, done: (error?: Error) => void) => {
    const written = native().writeSome(fd, chunk)
    if (written < 0 && written !== again) return done(pipeError('write', written))
    const rest = chunk.subarray(Math.max(written, 0))
    if (rest.length === 0) return done()
    pipe.whenReady(() => write(rest, done))
  }
  return new Writable({ write: (chunk, _encoding, done) => write(chunk, done), destroy: pipe.close })
}

function watchPipe(fd: number, writes: boolean) {
  const addon = watchedNative()
  const id = addon.watchPipe(fd, writes)
  if (id < 0) throw pipeError('watch', id)
  let ready: (() => void) | undefined
  // an event may also come before the pipe is armed: when its other end is closed
  watchJob(id, () => {
    const call = ready
    ready = undefined
    call?.()
  })
  return {
    whenReady(call: () => void): void {
      ready = call
      addon.armPipe(id)
    },
    close(error: Error | null, done: (error: Error | null) => void): void {
      ready = undefined
      unwatchJob(id)
      addon.closeTrigger(id)
      done(error)
    },
  }
}

function pipeError(syscall: string, negative: number): Error {
  return systemError(syscall, errnoName(negative), negative)
}
