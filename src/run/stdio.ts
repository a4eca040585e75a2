// SPDX-License-Identifier: Apache-2.0
// Connects a job's standard streams to pipes, this process's own streams or descriptors, and limits their size. Called by job.ts and pool/.

import { fail } from '../errors/errors.ts'
import { monotonicMs, pause } from '../system/clock.ts'
import { fstatSync, write } from '../system/files.ts'
import { closeDescriptor, errnoName } from '../system/native.ts'
import { readPipe, writePipe } from '../system/pipes.ts'
import { watchedNative } from '../system/reactor.ts'
import { promisify, Readable, type Writable } from '../system/streams.ts'

/** The destination of a standard stream: a pipe to this process, its own stream, /dev/null, or a descriptor. */
export type StreamEnd = 'pipe' | 'inherit' | 'ignore' | number

/** Descriptors of a job's streams. */
export interface Ends {
  /** This process's ends of the pipes; -1 for a stream without a pipe. */
  ours: number[]
  /** The command's streams; -1 means /dev/null. */
  theirs: [number, number, number]
  /** Descriptors that this process must close after the start. */
  opened: number[]
  /** Descriptors that output is copied to; -1 if the caller reads the stream. */
  targets: number[]
}

/** Maximum bytes of a stream, and the callback for exceeding it. */
export interface Cap {
  max: number
  reached?: (stream: 'stdout' | 'stderr') => void
}

/**
 * Opens pipes for the requested streams. If output is `capped`, it also opens pipes for streams that go elsewhere. Streams with the same
 * destination share one pipe, to keep their order. @throws STEP_REFUSED, OPTION_INVALID
 */
export function openStreams(stdio: StreamEnd | readonly StreamEnd[], capped: boolean): Ends {
  const each = typeof stdio === 'object' ? stdio : [stdio, stdio, stdio]
  const out: Ends = { ours: [-1, -1, -1], theirs: [-1, -1, -1], opened: [], targets: [-1, -1, -1] }
  const openPipe = (i: number) => {
    const [read, write] = watchedNative().pipe()
    if (write === undefined) throw pipeRefused(read)
    out.ours[i] = i === 0 ? write : read
    out.theirs[i] = i === 0 ? read : write
    out.opened.push(out.theirs[i]!)
  }
  try {
    for (const [i, kind] of each.entries()) {
      const fd = kind === 'inherit' ? i : kind
      if (fd === 'pipe') openPipe(i)
      else if (typeof fd !== 'number') {
        if (kind !== 'ignore')
          throw fail('OPTION_INVALID', {
            name: 'stdio',
            value: kind,
            accepted: "'pipe', 'inherit', 'ignore', a descriptor, a stream, a file URL or { file }",
          })
      } else if (!capped || i === 0) out.theirs[i] = fd
      else if (i === 2 && out.targets[1]! >= 0 && isSameFile(fd, out.targets[1]!)) out.theirs[2] = out.theirs[1]
      else {
        out.targets[i] = fd
        openPipe(i)
      }
    }
  } catch (error) {
    closeEnds(out)
    throw error
  }
  return out
}

/** Closes this process's ends after a failed start, and in every case the descriptors that the command has inherited. */
export function closeEnds(ends: Ends): void {
  for (const fd of [...ends.ours, ...ends.opened]) if (fd >= 0) closeDescriptor(fd)
}

/** A job's streams for its caller, and the data still in transit. */
export interface Streams {
  stdin: Writable | null
  stdout: Readable | null
  stderr: Readable | null
  /** Resolves when all output has been written to its destination. Rejects if a write failed. */
  poured: Promise<unknown> | undefined
  /** Resolves when the caller has read all of a capped stream; undefined without a cap. */
  read: Promise<unknown> | undefined
  /** All job processes have ended. Stop waiting for a pipe that another process still holds, once it is silent. */
  over(): void
}

/** Creates streams on this process's ends. Each is limited to `cap`. */
export function connectStreams(ends: Ends, cap: Cap | undefined): Streams {
  const stdin = ends.ours[0]! < 0 ? null : writePipe(ends.ours[0]!)
  const outputs = ends.ours.slice(1).map((fd) => (fd < 0 ? null : readPipe(fd)))
  // a closed reader (EPIPE) is for the command to handle, and must not crash this process
  stdin?.on('error', () => {})
  const pours: Promise<void>[] = []
  const reads: Promise<unknown>[] = []
  const closings: (() => void)[] = []
  const [stdout, stderr] = outputs.map((pipe, i): Readable | null => {
    if (!pipe || !cap) return pipe
    const name = i === 0 ? 'stdout' : 'stderr'
    const fd = ends.targets[i + 1]!
    if (fd >= 0) {
      const flow = { writing: false, lastAt: 0 }
      pours.push(pour(upTo(cap, pipe, name), fd, flow))
      closings.push(() => closeWhenSilent(pipe, flow))
      return null
    }
    let ended = () => {}
    reads.push(
      new Promise<void>((resolve) => {
        ended = resolve
      }),
    )
    return Readable.from(upTo(cap, pipe, name, ended), { objectMode: false })
  })
  return {
    stdin,
    stdout: stdout ?? null,
    stderr: stderr ?? null,
    poured: pours.length > 0 ? Promise.all(pours) : undefined,
    read: reads.length > 0 ? Promise.all(reads) : undefined,
    over: () => {
      for (const close of closings) close()
    },
  }
}

/** Yields a stream's bytes up to the cap. If one more byte arrives, ends the stream and reports the excess. */
async function* upTo(cap: Cap, from: Readable, name: 'stdout' | 'stderr', ended = () => {}): AsyncGenerator<Buffer> {
  let left = cap.max
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      if (chunk.length > left) cap.reached?.(name)
      if (left > 0) yield chunk.subarray(0, left)
      if (chunk.length > left) return
      left -= chunk.length
    }
  } finally {
    ended()
  }
}

const writeSome = promisify(write)

/** What passes through a pipe: whether a chunk is being written, and when the last one was. */
interface Flow {
  writing: boolean
  lastAt: number
}

async function pour(from: AsyncIterable<Buffer>, fd: number, flow: Flow): Promise<void> {
  try {
    for await (const chunk of from) {
      flow.writing = true
      for (let at = 0; at < chunk.length; ) at += await writeOnce(fd, chunk.subarray(at))
      flow.writing = false
      flow.lastAt = monotonicMs()
    }
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    // EPIPE: the reader has closed its end; the command gets EPIPE too, because our end is closed now. Premature close: another process
    // still held the pipe after the job, and the pipe was closed because it was silent
    if (code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE') return
    throw fail('FILE_REFUSED', {
      what: 'write what the command wrote to',
      path: `descriptor ${fd}`,
      errno: code,
      remedy: 'check where stdout and stderr go, and whether there is space',
    })
  }
}

/** Writes bytes to a descriptor. Waits if another process made the descriptor non-blocking and it is full. */
async function writeOnce(fd: number, bytes: Buffer): Promise<number> {
  try {
    return (await writeSome(fd, bytes, 0, bytes.length, null)).bytesWritten
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    await pause(5)
    return 0
  }
}

/** Closes the pipe when nothing has come through it for `silence` milliseconds. */
function closeWhenSilent(pipe: Readable, flow: Flow): void {
  const silence = 200
  let timer: NodeJS.Timeout
  const checkAfter = (ms: number) => {
    timer = setTimeout(check, ms)
  }
  const check = () => {
    const left = flow.writing ? silence : flow.lastAt + silence - monotonicMs()
    if (left > 0) checkAfter(left)
    else pipe.destroy()
  }
  checkAfter(silence)
  pipe.once('close', () => clearTimeout(timer))
}

function isSameFile(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one), fstatSync(other)]
  return a.dev === b.dev && a.ino === b.ino
}

function pipeRefused(negative: number) {
  return fail('STEP_REFUSED', {
    what: 'make a pipe',
    operation: 'pipe2',
    origin: 'stdio',
    errno: errnoName(negative),
    remedy: 'raise the limit of open files (ulimit -n)',
  })
}
