// SPDX-License-Identifier: Apache-2.0
// Provides this process's ends of pipes and connections as streams. Uses Node's own streams for pipes; for other runtimes, makes
// streams from functions of the C core.

import { systemConstants } from './constants.ts'
import { systemError } from './errors.ts'
import { errnoName, native } from './native.ts'
import { unwatchJob, watchedNative, watchJob } from './reactor.ts'
import { runsInNode } from './runtime.ts'
import { Socket } from './sockets.ts'
import { Duplex, Readable, Writable } from './streams.ts'

const chunkSize = 65_536
const again = -systemConstants.errno.EAGAIN

/** Returns a stream that reads this process's end of a pipe, and closes the descriptor at its end. */
export function readPipe(fd: number): Readable {
  if (runsInNode) return new Socket({ fd, readable: true, writable: false })
  const pipe = watchPipe(fd, false)
  const stream: Readable = new Readable({
    highWaterMark: chunkSize,
    // read only after an event: if each read found bytes at once, nothing else could run
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

/** Returns a stream that writes to this process's end of a pipe, and closes the descriptor at its end. */
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
  return new Writable({
    write: (chunk, _encoding, done) => write(chunk, done),
    // this fails for a pipe, whose reader sees the end when the pipe is closed
    final: (done) => (native().endWriting(fd), done()),
    destroy: pipe.close,
  })
}

/**
 * Returns a stream that reads from and writes to this process's end of a connection, and closes it at the end. Reading
 * and writing use separate descriptors, so that output is complete even if the command stops reading. Data that the
 * command does not read is discarded, as for stdin.
 */
export function connectionStream(fd: number): Duplex {
  const copy = native().duplicate(fd)
  if (copy < 0) throw pipeError('dup', copy)
  const [input, output] = [readPipe(fd), writePipe(copy)]
  const stream: Duplex = new Duplex({
    allowHalfOpen: false,
    read: () => void input.resume(),
    write: (chunk, _encoding, done) => void output.write(chunk, () => done()),
    final: (done) => void output.end(() => done()),
    destroy: (error, done) => {
      input.destroy()
      output.destroy()
      done(error)
    },
  })
  input.on('data', (chunk) => stream.push(chunk) || input.pause())
  input.once('end', () => stream.push(null))
  // ECONNRESET means that the command ended before it had read everything
  input.once('error', (error: NodeJS.ErrnoException) =>
    error.code === 'ECONNRESET' ? stream.push(null) : stream.destroy(error),
  )
  output.on('error', () => {})
  input.pause()
  return stream
}

function watchPipe(fd: number, writes: boolean) {
  const addon = watchedNative()
  const id = addon.watchPipe(fd, writes)
  if (id < 0) throw pipeError('watch', id)
  let ready: (() => void) | undefined
  // an event can come without a request, when the other end of the pipe is closed
  watchJob(id, () => {
    const call = ready
    if (!call) return
    ready = undefined
    addon.armPipe(id, false)
    call()
  })
  return {
    // like Node's, a pipe keeps the process alive only while a read or a write waits for it
    whenReady(call: () => void): void {
      ready = call
      addon.armPipe(id, true)
    },
    close(error: Error | null, done: (error: Error | null) => void): void {
      // closeTrigger expects a pipe that keeps the process alive
      if (!ready) addon.armPipe(id, true)
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
