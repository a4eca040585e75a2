// SPDX-License-Identifier: Apache-2.0
// Defines and parses the options of `run`, `start` and `pool.run` for streams, results and callbacks. Called by job.ts
// and pool.ts. Pure.
import { fail } from '../errors/errors.ts'
import { type OutputOptions, type OutputSpec, parseOutput, type StartCall } from '../options/library.ts'
import { type RunOptions, refuseUnknown } from '../options/options.ts'
import type { JobEvent, Output, Result } from '../verdict/result.ts'
import { checkInput, type Input } from './input.ts'
import type { Stdio } from './stdio-sources.ts'

/** Options of `run`. */
export interface StartOptions extends RunOptions, OutputOptions {
  /**
   * The whole standard input: text, bytes, a stream, or an iterable of text and bytes. By default, `run` passes an
   * empty input, and after `start` the caller can write to `job.stdin`.
   */
  input?: Input
  /**
   * The command's streams: one value for stdin, stdout and stderr, or a list with one for each. Further entries of the
   * list are descriptors 3, 4, … of the command. `'pipe'` by default; from descriptor 3 on, closed by default.
   */
  stdio?: Stdio | readonly Stdio[]
  /** * Stops the job when the signal aborts, as at a timeout; `abortReason` of the result is the signal's reason. If the signal is already aborted, nothing is started: `run` resolves, and `start` throws the reason. None by default. */
  signal?: AbortSignal
  /** * Callback for each event of the job, as it happens. An error that the callback throws becomes an uncaught exception of this process. None by default. */
  onEvent?: (event: JobEvent) => void
}

/** Values of the option `stdio`. */
export type StdioOption = Stdio | readonly Stdio[] | undefined

/** Encodings of the output: those of Node, and `'buffer'` for bytes. */
export type Encoding = BufferEncoding | 'buffer'

/** Options whose type contains the encoding, the form and the streams of the output, from which the result's type follows. */
export type Typed<O, E extends Encoding, L extends boolean, S = StdioOption> = O & {
  encoding?: E
  lines?: L
  stdio?: S
}

/** The result of a call with the option `stdio` of type `S`. Without the option, or with `'pipe'`, both outputs are collected. */
export type ResultOf<O extends Output, S> = Result<O> &
  (S extends undefined | 'pipe' ? { stdout: O; stderr: O } : unknown)

/** The type of the output in an encoding. With `L`, the output is a list of lines. */
export type OutputOf<E extends Encoding, L extends boolean> = L extends true
  ? E extends 'buffer'
    ? Buffer[]
    : string[]
  : E extends 'buffer'
    ? Buffer
    : string

/** The streams and callbacks of a call. */
export type CallWays = Pick<StartOptions, 'stdio' | 'signal' | 'onEvent' | 'input'>

/**
 * Separates the options of a call from those of its job, and checks them.
 * @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT
 */
export function readCallOptions<O extends OutputOptions & CallWays>(
  call: StartCall,
  options: O,
): { output: OutputSpec; callOptions: CallWays; job: Omit<O, keyof OutputOptions | keyof CallWays> } {
  refuseUnknown(call, options)
  const { stdio, signal, onEvent, input, encoding, lines, all, stripFinalNewline, maxBuffer, reject, ...job } = options
  const output = parseOutput({ encoding, lines, all, stripFinalNewline, maxBuffer, reject } as OutputOptions)
  checkCallbacks(options)
  refuseTwoInputs(checkInput(input), stdio)
  return { output, callOptions: { stdio, signal, onEvent, input } as CallWays, job }
}

/** Checks the types of `signal` and `onEvent`. @throws OPTION_INVALID */
function checkCallbacks({ signal, onEvent }: Pick<StartOptions, 'signal' | 'onEvent'>): void {
  const invalid = (name: string, value: unknown, accepted: string) => fail('OPTION_INVALID', { name, value, accepted })
  // check only for this method, so that AbortSignals of other realms and of polyfills are accepted
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    throw invalid('signal', signal, 'the signal of an AbortController')
  if (onEvent !== undefined && typeof onEvent !== 'function') throw invalid('onEvent', onEvent, 'a function')
}

/** @throws OPTION_CONFLICT */
function refuseTwoInputs(input: Input | undefined, stdio: StartOptions['stdio']): void {
  if (input === undefined || stdio === undefined) return
  const stdin = Array.isArray(stdio) ? (stdio as readonly Stdio[])[0] : (stdio as Stdio)
  if (stdin === undefined || stdin === null || stdin === 'pipe') return
  throw fail('OPTION_CONFLICT', {
    name: 'input',
    why: 'stdio names another source',
    remedy: "give 'pipe' for stdin in stdio, or leave input out",
  })
}
