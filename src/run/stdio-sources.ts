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
 * Where a stream of the command comes from or goes to. `'pipe'`: to this program. `'inherit'`: this program's stream of
 * the same number. `'ignore'`: /dev/null. A number is a descriptor of this program. A stream, a file URL or `{ file }` is
 * the source of stdin, or the destination of output. With `append`, output is added to the end of the file.
 *
 * In a list, the fourth entry is descriptor 3 of the command, and so on, up to 32 entries. There, `'pipe'` carries bytes
 * both ways, `'ignore'` and undefined leave the number closed, and a file is written. To read a file, open it and give
 * its descriptor.
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
  /** The caller's streams that the command reads as descriptors 3, 4, …, by number. */
  inputs: (Input | undefined)[]
  /** The caller's streams to which output is copied, by the number of the job's stream. */
  writables: (Writable | undefined)[]
}

/** Maximum number of streams: MAX_STREAMS in native/wire/program.h. */
const maxStreams = 32
const words: readonly unknown[] = ['pipe', 'inherit', 'ignore']

/** Opens the sources and destinations of the job's streams. @throws OPTION_INVALID, FILE_REFUSED; no file is open then */
export function openStdio(stdio: Stdio | readonly Stdio[] | undefined): StdioSources {
  if (stdio === undefined || typeof stdio === 'string' || typeof stdio === 'number')
    return { stdio: stdio ?? 'pipe', opened: [], inputs: [], writables: [] }
  const each: readonly Stdio[] = Array.isArray(stdio) ? stdio : Array(3).fill(stdio)
  if (each.length > maxStreams)
    throw fail('OPTION_INVALID', {
      name: 'stdio',
      value: `${each.length} streams`,
      accepted: `at most ${maxStreams}: stdin, stdout, stderr, and descriptors 3 to ${maxStreams - 1}`,
    })
  const sources: StdioSources = { stdio: [], opened: [], inputs: [], writables: [] }
  try {
    sources.stdio = Array.from({ length: Math.max(3, each.length) }, (_, i) => openOne(each[i], i, sources))
  } catch (error) {
    for (const fd of sources.opened) closeSync(fd)
    throw error
  }
  return sources
}

function openOne(one: Stdio, i: number, sources: StdioSources): StreamEnd {
  if (one === undefined || one === null) return i < 3 ? 'pipe' : 'ignore'
  if (typeof one !== 'object') {
    if (typeof one !== 'number' && !words.includes(one)) throw refused(one, i)
    return one
  }
  const file = one instanceof URL ? one : 'file' in one ? one.file : undefined
  if (file !== undefined) {
    if ('append' in one && one.append !== undefined && typeof one.append !== 'boolean')
      throw fail('OPTION_INVALID', { name: `stdio[${i}].append`, value: one.append, accepted: 'true or false' })
    const fd = openFile(file, i === 0 ? 'r' : 'append' in one && one.append ? 'a' : 'w')
    sources.opened.push(fd)
    return fd
  }
  const canRead = Symbol.asyncIterator in one
  const canWrite = typeof (one as Writable).write === 'function'
  const reads = i === 0 || (i > 2 && canRead && !canWrite)
  const fd = idleDescriptor(one as Readable | Writable, reads)
  if (fd !== undefined) return fd
  if (reads ? !canRead : !canWrite) throw refused(one, i)
  if (i === 0) sources.input = one as Input
  else if (reads) sources.inputs[i] = one as Input
  else sources.writables[i] = one as Writable
  return i < 3 ? 'pipe' : reads ? 'input' : 'output'
}

function refused(value: unknown, i: number) {
  const stream = i === 0 ? 'readable' : i < 3 ? 'writable' : 'readable or writable'
  return fail('OPTION_INVALID', {
    name: `stdio[${i}]`,
    value,
    accepted: `'pipe', 'inherit', 'ignore', a descriptor, a ${stream} stream, a file URL or { file }`,
  })
}

/**
 * Returns the descriptor of a caller's stream, which the command can then use directly. Returns undefined if the stream
 * has buffered data, or has no descriptor.
 */
function idleDescriptor(stream: (Readable | Writable) & { fd?: unknown }, reads: boolean): number | undefined {
  if (typeof stream.fd !== 'number' || stream.fd < 0) return undefined
  const { readableLength = 0, readableDidRead = false, writableLength = 0 } = stream as Partial<Readable & Writable>
  return (reads ? readableLength > 0 || readableDidRead : writableLength > 0) ? undefined : stream.fd
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
  const { stdin, stdout, stderr, more } = streams
  const copies = [stdin, stdout, stderr, ...more].map((from, i) => {
    const to = writables[i]
    if (!from || !to) return undefined
    return copyOne(from as Readable, to, () => {
      left.set(to, left.get(to)! - 1)
      return left.get(to) === 0
    })
  })
  return {
    ...streams,
    stdout: copies[1] ? null : stdout,
    stderr: copies[2] ? null : stderr,
    more: more.map((stream, i) => (copies[i + 3] ? null : stream)),
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
