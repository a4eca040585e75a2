// SPDX-License-Identifier: Apache-2.0
// Collects a job's output: keeps bytes up to `maxBuffer`, decodes them if the caller wants text, and counts what was
// cut or replaced. Used by job.ts and the pool.
import type { OutputSpec } from '../options/library.ts'
import { bufferLimits, Readable } from '../system/streams.ts'
import type { Output, Result, StreamCounts } from '../verdict/result.ts'
import { openDecoder } from './decode.ts'
import type { Job } from './job.ts'
import type { CallWays } from './start-options.ts'

type Name = 'stdout' | 'stderr' | 'all' | `fd${number}`

/** Collects the output of one stream. */
interface Sink {
  write(bytes: Buffer): void
  end(): { output: Output; truncated: number; replaced: number }
}

/**
 * Reads the job's output to the end, and returns it as the fields of the result. A stream that is not a pipe has no
 * field. Bytes beyond `maxBuffer` are also read and then discarded, so that the job never waits for a reader.
 */
export async function collectOutput(
  { stdio }: { stdio: Job['stdio'] },
  spec: OutputSpec,
): Promise<Pick<Result<Output>, 'stdout' | 'stderr' | 'all' | 'stdio' | 'truncated' | 'replaced'>> {
  const sinks = new Map<Name, Sink>()
  const all = spec.all && (stdio[1] || stdio[2]) ? openSink(spec) : undefined
  const reads = stdio.map((stream, i) => {
    if (i === 0 || !stream || !('read' in stream)) return undefined
    const sink = openSink(spec)
    sinks.set(nameOf(i), sink)
    return readAll(stream, sink, i < 3 ? all : undefined)
  })
  if (all) sinks.set('all', all)
  await Promise.all(reads)
  const fields: { [name in Name]?: Output } = {}
  const truncated: StreamCounts = {}
  const replaced: StreamCounts = {}
  for (const [name, sink] of sinks) {
    const ended = sink.end()
    fields[name] = ended.output
    if (ended.truncated > 0) truncated[name] = ended.truncated
    if (ended.replaced > 0) replaced[name] = ended.replaced
  }
  const { stdout, stderr, all: both } = fields
  return {
    ...(stdout !== undefined && { stdout }),
    ...(stderr !== undefined && { stderr }),
    ...(both !== undefined && { all: both }),
    ...(stdio.length > 3 && { stdio: stdio.map((_, i) => fields[nameOf(i)]) }),
    ...(isFilled(truncated) && { truncated }),
    ...(isFilled(replaced) && { replaced }),
  }
}

/** Returns the output of a job that never started: empty, unless the option `stdio` names other streams. */
export async function emptyOutput(
  stdio: CallWays['stdio'],
  spec: OutputSpec,
): Promise<Pick<Result<Output>, 'stdout' | 'stderr' | 'all'>> {
  if (stdio !== undefined && stdio !== 'pipe') return {}
  return collectOutput({ stdio: [null, Readable.from([]), Readable.from([])] }, spec)
}

function nameOf(stream: number): Name {
  return stream === 1 ? 'stdout' : stream === 2 ? 'stderr' : `fd${stream}`
}

async function readAll(stream: Readable, sink: Sink, all: Sink | undefined): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    sink.write(chunk)
    all?.write(chunk)
  }
}

function isFilled(counts: StreamCounts): boolean {
  return Object.keys(counts).length > 0
}

function openSink(spec: OutputSpec): Sink {
  const { encoding } = spec
  return encoding === 'buffer' ? openBytes(spec) : openText(spec, encoding)
}

/** Returns a limit that keeps the first bytes of a stream and counts the rest. */
function openLimit(limit: number) {
  let left = limit
  return {
    truncated: 0,
    take(bytes: Buffer): Buffer {
      const kept = bytes.length <= left ? bytes : bytes.subarray(0, left)
      left -= kept.length
      this.truncated += bytes.length - kept.length
      return kept
    },
  }
}

function openBytes({ maxBuffer, lines, stripFinalNewline }: OutputSpec): Sink {
  const limit = openLimit(Math.min(maxBuffer, bufferLimits.MAX_LENGTH))
  const chunks: Buffer[] = []
  return {
    write: (bytes) => {
      const kept = limit.take(bytes)
      if (kept.length > 0) chunks.push(kept)
    },
    end: () => {
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      const output = lines ? splitBytes(bytes) : stripFinalNewline ? stripBytes(bytes) : bytes
      return { output, truncated: limit.truncated, replaced: 0 }
    },
  }
}

/** Characters of output for each byte, for encodings that always use more than one. */
const growth: { [encoding in BufferEncoding]?: number } = { hex: 2, base64: 4 / 3, base64url: 4 / 3 }

function openText({ maxBuffer, lines, stripFinalNewline }: OutputSpec, encoding: BufferEncoding): Sink {
  const longest = Math.floor((bufferLimits.MAX_STRING_LENGTH - 4) / (growth[encoding] ?? 1))
  const limit = openLimit(Math.min(maxBuffer, longest))
  const decoder = openDecoder(encoding)
  let text = ''
  return {
    write: (bytes) => {
      const kept = limit.take(bytes)
      if (kept.length > 0) text += decoder.write(kept)
    },
    end: () => {
      // a character that `maxBuffer` cut off counts as truncated, not as invalid; this does not apply to encodings such
      // as hex and base64
      const cut = limit.truncated > 0 && (encoding === 'utf8' || encoding === 'utf16le') ? decoder.held : 0
      if (cut === 0) text += decoder.end()
      const output = lines ? splitText(text) : stripFinalNewline ? stripText(text, encoding) : text
      return { output, truncated: limit.truncated + cut, replaced: decoder.replaced }
    },
  }
}

function splitText(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function splitBytes(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(10, from)
    const to = newline < 0 ? bytes.length : newline
    lines.push(bytes.subarray(from, to))
    from = to + 1
  }
  return lines
}

function stripBytes(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== 10) return bytes
  return bytes.subarray(0, bytes.length - (bytes.at(-2) === 13 ? 2 : 1))
}

/** Removes a final newline. In hex and base64, the newline is one of the encoded bytes. */
function stripText(text: string, encoding: BufferEncoding): string {
  if (growth[encoding]) return stripBytes(Buffer.from(text, encoding)).toString(encoding)
  return text.replace(/\r?\n$/, '')
}
