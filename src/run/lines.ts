// SPDX-License-Identifier: Apache-2.0
// Reads a stream line by line. Used by job.ts. Not pure: consumes the stream.
import type { Readable } from '../system/streams.ts'
import type { Decoder } from './decode.ts'

/** Yields the stream's lines as they arrive, without their newlines. */
export async function* readLines(stream: Readable, decoder: Decoder): AsyncGenerator<string, void, undefined> {
  let rest = ''
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const lines = decoder.write(chunk).split('\n')
    lines[0] = rest + lines[0]!
    rest = lines.pop()!
    yield* lines
  }
  rest += decoder.end()
  if (rest !== '') yield rest
}
