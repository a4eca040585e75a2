// SPDX-License-Identifier: Apache-2.0
// Turns the value of the option `stdio` into descriptors and pipes: files, URLs and streams of the caller. Used by
// job.ts and the pool.
import { fail } from '../errors/errors.ts'
import { closeSync, openSync } from '../system/files.ts'
import { fileURLToPath } from '../system/paths.ts'
import { finished, PassThrough, type Readable, type Writable } from '../system/streams.ts'
import type { Input } from './input.ts'
import type { StreamEnd, Streams } from './stdio.ts'

/**
 * Where a stream of the command comes from or goes to. `'pipe'`: to this program. `'inherit'`: this program's own
 * stream. `'ignore'`: /dev/null. A number is a descriptor of this program. A stream, a file URL or `{ file }` is the
 * source of stdin, or the destination of output. With `append`, output is added to the end of the file.
 */
export type Stdio =
  | 'pipe'
  | 'inherit'
  | 'ignore'
  | number
  | Readable
  | Writable
  | URL
  | { file: string | URL; append?: boolean }
  | null
  | undefined

/** The value of `stdio`, resolved to descriptors and pipes. */
export interface StdioSources {
  stdio: StreamEnd | readonly StreamEnd[]
  /** Descriptors of opened files. This process closes them after the start. */
  opened: number[]
  /** The caller's stream that is the source of stdin. */
  input?: Input
  /** The caller's streams to which output is copied, by the number of the job's stream. */
  writables: (Writable | undefined)[]
}

const names = ['stdin', 'stdout', 'stderr'] as const

/** Opens the sources and destinations of the job's streams. @throws OPTION_INVALID, FILE_REFUSED; no file is open then */
export function openStdio(stdio: Stdio | readonly Stdio[] | undefined): StdioSources {
  if (stdio === undefined || typeof stdio === 'string' || typeof stdio === 'number')
    return { stdio: stdio ?? 'pipe', opened: [], writables: [] }
  const each: readonly Stdio[] = Array.isArray(stdio) ? stdio : Array(3).fill(stdio)
  if (each.length > names.length)
    throw fail('OPTION_INVALID', {
      name: 'stdio',
      value: `${each.length} streams`,
      accepted: 'at most three: stdin, stdout and stderr',
    })
  const sources: StdioSources = { stdio: [], opened: [], writables: [] }
  try {
    sources.stdio = names.map((_, i) => openOne(each[i], i, sources))
  } catch (error) {
    for (const fd of sources.opened) closeSync(fd)
    throw error
  }
  return sources
}

function openOne(one: Stdio, i: number, sources: StdioSources): StreamEnd {
  if (one === undefined || one === null) return 'pipe'
  if (typeof one !== 'object') return one
  const file = one instanceof URL ? one : 'file' in one ? one.file : undefined
  if (file !== undefined) {
    const fd = openFile(file, i === 0 ? 'r' : 'append' in one && one.append ? 'a' : 'w')
    sources.opened.push(fd)
    return fd
  }
  const fd = idleDescriptor(one as Readable | Writable, i)
  if (fd !== undefined) return fd
  if (i === 0 && Symbol.asyncIterator in one) sources.input = one
  else if (i > 0 && typeof (one as Writable).write === 'function') sources.writables[i] = one as Writable
  else
    throw fail('OPTION_INVALID', {
      name: `stdio[${i}]`,
      value: one,
      accepted: `'pipe', 'inherit', 'ignore', a descriptor, a ${i === 0 ? 'readable' : 'writable'} stream, a file URL or { file }`,
    })
  return 'pipe'
}

/**
 * Returns the descriptor of a caller's stream, which the command can then use directly. Returns undefined if the stream
 * has buffered data, or has no descriptor.
 */
function idleDescriptor(stream: (Readable | Writable) & { fd?: unknown }, i: number): number | undefined {
  if (typeof stream.fd !== 'number' || stream.fd < 0) return undefined
  const { readableLength = 0, readableDidRead = false, writableLength = 0 } = stream as Partial<Readable & Writable>
  return (i === 0 ? readableLength > 0 || readableDidRead : writableLength > 0) ? undefined : stream.fd
}

function openFile(file: string | URL, flags: 'r' | 'w' | 'a'): number {
  const path = file instanceof URL ? toPath(file) : file
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw fail('OPTION_INVALID', { name: 'stdio', value: file, accepted: 'a path or a file URL as file' })
  try {
    return openSync(path, flags)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fail('FILE_REFUSED', {
      what: flags === 'r' ? 'read' : 'write',
      path,
      errno: code,
      remedy: 'check the path in stdio, and its permissions',
    })
  }
}

function toPath(url: URL): string {
  if (url.protocol === 'file:') return fileURLToPath(url)
  throw fail('OPTION_INVALID', { name: 'stdio', value: url.href, accepted: 'a file URL' })
}

/**
 * Copies output to the caller's streams. Returns the job's other streams. A caller's stream is ended after the last
 * output that goes to it.
 */
export function copyOutput(streams: Streams, writables: StdioSources['writables']): Streams {
  if (!writables.some(Boolean)) return streams
  const users = (to: Writable) => writables.filter((other) => other === to).length
  const left = new Map(writables.flatMap((to): [Writable, number][] => (to ? [[to, users(to)]] : [])))
  const copies = (['stdout', 'stderr'] as const).map((name, i) => {
    const from = streams[name]
    const to = writables[i + 1]
    if (!from || !to) return undefined
    return copyOne(from, to, () => {
      left.set(to, left.get(to)! - 1)
      return left.get(to) === 0
    })
  })
  return {
    ...streams,
    stdout: copies[0] ? null : streams.stdout,
    stderr: copies[1] ? null : streams.stderr,
    poured: Promise.all([streams.poured, ...copies]),
  }
}

/** Copies one stream. At its end, calls `isLast` to find whether another output still goes to the same destination. */
function copyOne(from: Readable, to: Writable, isLast: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => {
      from.destroy()
      reject(fail('STREAM_FAILED', { what: 'write the output of the command', why: error.message }, error))
    }
    const forget = finished(to, { readable: false }, (error) => {
      if (error) refuse(error)
    })
    from.pipe(to, { end: false })
    from.once('close', () => {
      forget()
      if (!isLast()) resolve()
      else to.end((error?: Error | null) => (error ? refuse(error) : resolve()))
    })
  })
}

/** Merges streams to one, in the order in which data arrives. */
export function mergeStreams(streams: readonly (Readable | null)[]): Readable | null {
  const open = streams.filter((stream) => stream !== null)
  if (open.length === 0) return null
  const all = new PassThrough()
  let left = open.length
  for (const stream of open) {
    stream.pipe(all, { end: false })
    stream.once('close', () => {
      if (--left === 0) all.end()
    })
  }
  return all
}
