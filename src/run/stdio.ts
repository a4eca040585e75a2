// SPDX-License-Identifier: Apache-2.0
// Connects a job's streams to pipes, this process's own streams or descriptors, and limits their size. Called by job.ts and pool/.

import { fail } from '../errors/errors.ts'
import { monotonicMs, pause } from '../system/clock.ts'
import { fstatSync, write } from '../system/files.ts'
import { closeDescriptor, errnoName } from '../system/native.ts'
import { connectionStream, readPipe, writePipe } from '../system/pipes.ts'
import { watchedNative } from '../system/reactor.ts'
import { type Duplex, promisify, Readable, type Writable } from '../system/streams.ts'

/**
 * The other end of a stream: a pipe to this process, this process's own stream, /dev/null, or a descriptor. From descriptor 3 on, 'pipe' carries bytes
 * both ways, 'input' and 'output' are pipes to and from the command, and an ignored number is closed.
 */
export type StreamEnd = 'pipe' | 'input' | 'output' | 'inherit' | 'ignore' | number

/** Number of the standard streams: stdin, stdout and stderr. They precede the streams for descriptors 3 and above. */
const standard = 3

/** The descriptors of a job's standard streams. */
export interface Ends {
  /** This process's ends of the pipes; -1 for a stream that has no pipe. */
  ours: number[]
  /** The command's descriptors. -1 means /dev/null for stdin, stdout and stderr, and a closed descriptor for 3, 4 and so on. */
  theirs: number[]
  /** What the caller requested for each stream. */
  kinds: readonly StreamEnd[]
  /** Descriptors that the command inherits, and that this process must close after the start. */
  opened: number[]
  /** Descriptors to which this process copies the output; -1 for a stream that the caller reads. */
  targets: number[]
}

/** The maximum output of a stream in bytes, and the callback if the job exceeds it. */
export interface Cap {
  max: number
  reached?: (stream: 'stdout' | 'stderr') => void
}

/**
 * Opens pipes for the requested streams. With `capped`, output always goes through a pipe, so that this process can
 * count it. Streams with the same destination share one pipe, to keep their order.
 *
 * @throws STEP_REFUSED, OPTION_INVALID
 */
export function openStreams(stdio: StreamEnd | readonly StreamEnd[], capped: boolean): Ends {
  const each = typeof stdio === 'object' ? stdio : [stdio, stdio, stdio]
  const none = each.map(() => -1)
  const out: Ends = { ours: none, theirs: [...none], kinds: each, opened: [], targets: [...none] }
  const openPipe = (i: number, kind: 'pipe' | 'input' | 'output') => {
    const bothWays = i >= standard && kind === 'pipe'
    const [read, write] = bothWays ? watchedNative().socketPair() : watchedNative().pipe()
    if (write === undefined) throw pipeRefused(bothWays, read)
    const feeds = i === 0 || kind === 'input'
    out.ours[i] = feeds ? write : read
    out.theirs[i] = feeds ? read : write
    out.opened.push(out.theirs[i]!)
  }
  try {
    for (const [i, kind] of each.entries()) {
      const fd = kind === 'inherit' ? i : kind
      if (fd === 'pipe' || (i >= standard && (fd === 'input' || fd === 'output'))) openPipe(i, fd)
      else if (typeof fd !== 'number') {
        if (kind !== 'ignore')
          throw fail('OPTION_INVALID', {
            name: 'stdio',
            value: kind,
            accepted: "'pipe', 'inherit', 'ignore', a descriptor, a stream, a file URL or { file }",
          })
      } else if (!capped || i === 0 || i >= standard) out.theirs[i] = fd
      else if (i === 2 && out.targets[1]! >= 0 && isSameFile(fd, out.targets[1]!)) out.theirs[2] = out.theirs[1]!
      else {
        out.targets[i] = fd
        openPipe(i, 'pipe')
      }
    }
  } catch (error) {
    closeEnds(out)
    throw error
  }
  return out
}

/**
 * Closes this process's ends of the pipes after a failed start. Also closes the descriptors that the command should
 * have inherited.
 */
export function closeEnds(ends: Ends): void {
  for (const fd of [...ends.ours, ...ends.opened]) if (fd >= 0) closeDescriptor(fd)
}

/** The streams that a job's caller reads and writes, and promises for the data that is still on its way. */
export interface Streams {
  stdin: Writable | null
  stdout: Readable | null
  stderr: Readable | null
  /** The streams for descriptors 3, 4 and so on; null for a descriptor that is not a pipe. */
  more: (Duplex | Readable | Writable | null)[]
  /** Resolves when all output has been written to its destination. Rejects if a write failed. */
  poured: Promise<unknown> | undefined
  /** Resolves when the caller has read all of a stream with a maximum size. Undefined without a maximum. */
  read: Promise<unknown> | undefined
  /**
   * Called when all job processes have ended. Another process may still hold a pipe open: closes such a pipe when
   * nothing comes through it any more.
   */
  over(): void
}

/** Creates streams on this process's ends of the pipes. `cap` limits the output of each. */
export function connectStreams(ends: Ends, cap: Cap | undefined): Streams {
  const stdin = ends.ours[0]! < 0 ? null : writePipe(ends.ours[0]!)
  const outputs = ends.ours.slice(1, standard).map((fd) => (fd < 0 ? null : readPipe(fd)))
  // ignore EPIPE, which means that the command has closed its stdin: it must not crash this process
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
    more: ends.ours.slice(standard).map((fd, i) => (fd < 0 ? null : connectOne(fd, ends.kinds[i + standard]!))),
    poured: pours.length > 0 ? Promise.all(pours) : undefined,
    read: reads.length > 0 ? Promise.all(reads) : undefined,
    over: () => {
      for (const close of closings) close()
    },
  }
}

function connectOne(fd: number, kind: StreamEnd): Duplex | Readable | Writable {
  if (kind === 'output') return readPipe(fd)
  return (kind === 'input' ? writePipe(fd) : connectionStream(fd)).on('error', () => {})
}

/**
 * Yields a stream's bytes up to the maximum. When one more byte arrives, ends the stream and reports that the job
 * exceeded the maximum.
 */
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

/** The state of a pipe: whether a chunk is being written, and when the last chunk was written. */
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
    // not an error. EPIPE: the destination is closed; the command gets EPIPE too, because this process's end of its
    // pipe is now closed. Premature close: `closeWhenSilent` closed a pipe that another process still held after the
    // job's end
    if (code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE') return
    throw fail('FILE_REFUSED', {
      what: 'write what the command wrote to',
      path: `descriptor ${fd}`,
      errno: code,
      remedy: 'check where stdout and stderr go, and whether there is space',
    })
  }
}

/**
 * Writes bytes to a descriptor. If the descriptor is full, and non-blocking because another process set it so, waits
 * and tries again.
 */
async function writeOnce(fd: number, bytes: Buffer): Promise<number> {
  try {
    return (await writeSome(fd, bytes, 0, bytes.length, null)).bytesWritten
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    await pause(5)
    return 0
  }
}

/** Closes a pipe as soon as nothing has come through it for 200 ms. */
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

function pipeRefused(bothWays: boolean, negative: number) {
  return fail('STEP_REFUSED', {
    what: 'make a pipe',
    operation: bothWays ? 'socketpair' : 'pipe2',
    origin: 'stdio',
    errno: errnoName(negative),
    remedy: 'raise the limit of open files (ulimit -n)',
  })
}
