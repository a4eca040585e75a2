// SPDX-License-Identifier: Apache-2.0
// Writes a job's standard input from text, bytes, a stream or an iterable. Used by follow.ts.
import { fail } from '../errors/errors.ts'
import { pipeline, type Readable, type Writable } from '../system/streams.ts'
import type { Streams } from './stdio.ts'

/** One part of a command's standard input: text, or bytes. */
export type InputChunk = string | Uint8Array

/** The whole standard input of a command, as the caller gives it. */
export type Input = InputChunk | Readable | Iterable<InputChunk> | AsyncIterable<InputChunk>

/** @throws OPTION_INVALID */
export function checkInput(input: unknown): Input | undefined {
  if (input === undefined || typeof input === 'string' || input instanceof Uint8Array) return input
  const { [Symbol.iterator]: each, [Symbol.asyncIterator]: eachLater } = Object(input) as Partial<
    Iterable<InputChunk> & AsyncIterable<InputChunk>
  >
  if (Object(input).fd === 0)
    throw fail('OPTION_INVALID', {
      name: 'input',
      value: 'process.stdin',
      why: 'bytes that the command does not read would be lost',
      accepted: "stdio: ['inherit', 'pipe', 'pipe'] instead",
    })
  if (typeof each === 'function' || typeof eachLater === 'function') return input as Input
  throw fail('OPTION_INVALID', {
    name: 'input',
    value: input,
    accepted: 'text, bytes, a readable stream, or an iterable of text and bytes',
  })
}

/**
 * Starts to write the inputs of stdin and of descriptors 3, 4, … of a job. Returns functions to call when the job has
 * ended; they stop the writing.
 */
export function startFeeds(
  streams: Pick<Streams, 'stdin' | 'more'>,
  { input, inputs = [] }: { input?: Input | undefined; inputs?: readonly (Input | undefined)[] },
  failed: (error: unknown) => void,
): (() => void)[] {
  const feeds = input === undefined ? [] : [startFeed(streams.stdin, input, failed)]
  for (const [i, each] of inputs.entries())
    if (each !== undefined) feeds.push(startFeed(streams.more[i - 3] as Writable, each, failed))
  return feeds
}

/**
 * Writes the input while the job reads it. Calls `failed` if reading the input fails. Returns a function to call when
 * the job has ended; it stops the writing.
 */
function startFeed(stdin: Writable | null, input: Input, failed: (error: unknown) => void): () => void {
  if (!stdin) return () => {}
  if (typeof input === 'string' || input instanceof Uint8Array) {
    stdin.end(input)
    return () => {}
  }
  let ended = false
  pipeline(checkPieces(input), stdin, (error) => {
    // these errors are expected: the command may end, or close its input, before it has read everything
    if (error && !ended && error.code !== 'EPIPE' && error.code !== 'ECONNRESET')
      failed(fail('STREAM_FAILED', { what: 'read the input of the command', why: error.message }, error))
  })
  return () => {
    ended = true
    stdin.destroy()
    // otherwise a stream without new data would keep this process running
    if ('destroy' in input) input.destroy()
  }
}

async function* checkPieces(input: Exclude<Input, InputChunk>): AsyncGenerator<InputChunk, void, undefined> {
  for await (const piece of input as AsyncIterable<InputChunk>) {
    if (typeof piece !== 'string' && !(piece instanceof Uint8Array))
      throw fail('OPTION_INVALID', { name: 'input', value: piece, accepted: 'text or bytes as each piece' })
    yield piece
  }
}
