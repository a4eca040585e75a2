// SPDX-License-Identifier: Apache-2.0
// Lists the options that only the library has, about streams and results: one row for each, with type and parser. Pure.
import { fail } from '../errors/errors.ts'
import { parseSize } from '../text/units.ts'

/** The calls that start a job. */
export type StartCall = 'run' | 'start' | 'pool.run'

/** A row for one option of the library. */
interface LibraryRow {
  key: string
  /** The option's type, written in TypeScript. */
  type: string
  calls: readonly StartCall[]
  help: string
  default?: string
}

const every = ['run', 'start', 'pool.run'] as const
const collecting = ['run', 'pool.run'] as const

export const libraryRows = [
  {
    key: 'input',
    type: 'string | Uint8Array | Readable | ReadableStream | Iterable | AsyncIterable',
    calls: every,
    help: 'The whole standard input. A stream or an iterable yields text or bytes.',
    default: 'empty; with `start`, what is written to `job.stdin`',
  },
  {
    key: 'stdio',
    type: 'Stdio | Stdio[]',
    calls: every,
    help: "The streams of the command: 'pipe', 'inherit', 'ignore', a descriptor, a stream, a file URL or `{ file, append }`. One value for stdin, stdout and stderr, or a list with one for each. Its fourth entry is descriptor 3.",
    default: "'pipe'",
  },
  {
    key: 'encoding',
    type: "BufferEncoding | 'buffer'",
    calls: every,
    help: "Encoding of the output. 'buffer' returns bytes. With `start`, the encoding of lines.",
    default: "'utf8'",
  },
  {
    key: 'lines',
    type: 'boolean',
    calls: collecting,
    help: 'Return output as a list of lines, without their newlines.',
    default: 'false',
  },
  {
    key: 'all',
    type: 'boolean',
    calls: every,
    help: 'Also return stdout and stderr together, in the order of arrival. With `start`, as the stream `job.all`.',
    default: 'false',
  },
  {
    key: 'stripFinalNewline',
    type: 'boolean',
    calls: collecting,
    help: 'Remove one newline from the end of output.',
    default: 'false: output is unchanged',
  },
  {
    key: 'maxBuffer',
    type: 'number | string',
    calls: collecting,
    help: 'Maximum bytes to keep of each output stream. Further output is discarded and counted in `truncated`; the job continues.',
    default: "'64M'",
  },
  {
    key: 'reject',
    type: 'boolean',
    calls: every,
    help: 'Throw a `RunError` unless the command exits with status 0. The error has all fields of the result.',
    default: 'false',
  },
  {
    key: 'signal',
    type: 'AbortSignal',
    calls: every,
    help: 'An AbortSignal that stops the job. If it is already aborted, the job does not start.',
  },
  {
    key: 'onEvent',
    type: '(event: JobEvent) => void',
    calls: every,
    help: 'Called for each event as it happens.',
  },
] as const satisfies readonly LibraryRow[]

/** Splits the arguments of a call `run(file, args?, options?)` or `run(file, options?)`. @throws OPTION_INVALID */
export function splitArguments<O extends object>(
  call: StartCall,
  second: readonly string[] | O | undefined,
  third: O | undefined,
): { args: readonly string[]; options: O } {
  if (second === undefined || second === null || Array.isArray(second))
    return { args: (second as readonly string[]) ?? [], options: third ?? ({} as O) }
  if (typeof second === 'object' && third === undefined) return { args: [], options: second as O }
  throw fail('OPTION_INVALID', {
    name: `the second argument of ${call}`,
    value: second,
    accepted: `a list of arguments, then options: ${call}('ls', ['-l'], options)`,
  })
}

/** Returns the names of the options that only this call of the library has, without the job's own options. */
export function ownKeys(call: StartCall): string[] {
  return libraryRows.filter(({ calls }) => (calls as readonly StartCall[]).includes(call)).map(({ key }) => key)
}

/** Options for the form in which output is returned. */
export interface OutputOptions {
  /**
   * The encoding of the output, in Node's names; `'utf8'` by default. `'buffer'` returns bytes. Invalid bytes are
   * replaced by U+FFFD, and `replaced` of the result counts them. In `'latin1'`, `'hex'` and `'base64'` no byte is
   * invalid.
   */
  encoding?: BufferEncoding | 'buffer'
  /** True if output is returned as a list of lines, without their newlines (`\n`). False by default. */
  lines?: boolean
  /** True if the result also has `all`: stdout and stderr together, in the order of arrival. False by default. */
  all?: boolean
  /** True if one newline at the end of output is removed. False by default. */
  stripFinalNewline?: boolean
  /**
   * Maximum bytes to keep of each output stream, or a text such as `'1M'`; `'64M'` by default, `'max'` for no maximum.
   * Further output is discarded and counted in `truncated` of the result, while the job continues. (`maxOutput` ends
   * the job.)
   */
  maxBuffer?: number | string
  /**
   * True if a `RunError` is thrown unless the command exits with status 0. False by default: a failed command is a
   * normal result, and an exception means that hutch itself failed.
   */
  reject?: boolean
}

/** The same, checked. */
export interface OutputSpec {
  encoding: BufferEncoding | 'buffer'
  lines: boolean
  all: boolean
  stripFinalNewline: boolean
  /** Maximum bytes to keep of each output stream. */
  maxBuffer: number
  reject: boolean
}

const defaultOutput: OutputSpec = {
  encoding: 'utf8',
  lines: false,
  all: false,
  stripFinalNewline: false,
  maxBuffer: 2 ** 26,
  reject: false,
}

/** Encodings whose output is not readable text, and so has no lines. */
const wholeEncodings = ['hex', 'base64', 'base64url']

/** @throws OPTION_INVALID, OPTION_CONFLICT */
export function parseOutput(options: OutputOptions): OutputSpec {
  const spec: OutputSpec = { ...defaultOutput }
  for (const key of ['lines', 'all', 'stripFinalNewline', 'reject'] as const) {
    const value = options[key]
    if (value === undefined) continue
    if (typeof value !== 'boolean') throw fail('OPTION_INVALID', { name: key, value, accepted: 'true or false' })
    spec[key] = value
  }
  if (options.encoding !== undefined) spec.encoding = parseEncoding(options.encoding)
  if (options.maxBuffer !== undefined) {
    const size = parseSize(options.maxBuffer)
    if (size === undefined)
      throw fail('OPTION_INVALID', {
        name: 'maxBuffer',
        value: options.maxBuffer,
        accepted: 'a size such as 1M, or max',
      })
    spec.maxBuffer = size === 'max' ? Number.POSITIVE_INFINITY : size
  }
  if (spec.lines && wholeEncodings.includes(spec.encoding))
    throw fail('OPTION_CONFLICT', {
      name: 'lines',
      why: `text in ${spec.encoding} has no lines`,
      remedy: "give encoding: 'utf8', 'latin1' or 'buffer', or leave lines out",
    })
  return spec
}

function parseEncoding(value: unknown): OutputSpec['encoding'] {
  if (value === 'buffer') return value
  const name = typeof value === 'string' ? value.toLowerCase() : ''
  const known = otherNames[name] ?? name
  if (encodings.includes(known)) return known as BufferEncoding
  throw fail('OPTION_INVALID', { name: 'encoding', value, accepted: `one of ${encodings.join(', ')}, buffer` })
}

const encodings: readonly string[] = ['utf8', 'utf16le', 'latin1', 'ascii', 'hex', 'base64', 'base64url']
const otherNames: { [name: string]: string } = {
  'utf-8': 'utf8',
  'utf-16le': 'utf16le',
  ucs2: 'utf16le',
  'ucs-2': 'utf16le',
  binary: 'latin1',
}
