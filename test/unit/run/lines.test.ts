// SPDX-License-Identifier: Apache-2.0
// Lines and collected output of text that arrives in pieces: wherever the borders of the pieces are, no character is lost or changed.
import { PassThrough, Readable } from 'node:stream'
import { array, assert, asyncProperty, boolean, constantFrom, nat, string, tuple, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { parseOutput } from '../../../src/options/library.ts'
import { openDecoder } from '../../../src/run/decode.ts'
import { readLines } from '../../../src/run/lines.ts'
import { collectOutput } from '../../../src/run/output.ts'

/** Characters of one to four bytes, newlines, and U+FFFD itself. */
const text = string({ unit: constantFrom('a', '\n', '\r', 'é', '€', '😀', '\ufffd', '\0'), maxLength: 12 })
const textEncodings = ['utf8', 'utf16le'] as const
const encodings = ['utf8', 'utf16le', 'latin1', 'base64', 'hex'] as const
type TextEncoding = (typeof encodings)[number]

/** Returns the bytes in two pieces for each border, and in single bytes. */
function cuts(bytes: Buffer): Buffer[][] {
  const pairs = Array.from(bytes, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)])
  return [...pairs, Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)), [bytes]]
}

function streamOf(pieces: Buffer[]): Readable {
  return Readable.from(
    pieces.filter(({ length }) => length > 0),
    { objectMode: false },
  )
}

async function linesOf(pieces: Buffer[], encoding: BufferEncoding): Promise<string[]> {
  const lines = []
  for await (const line of readLines(streamOf(pieces), openDecoder(encoding))) lines.push(line)
  return lines
}

function splitLines(whole: string): string[] {
  const lines = whole.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

async function collected(pieces: Buffer[], encoding: BufferEncoding) {
  const stdio = [null, streamOf(pieces), null]
  return collectOutput({ stdio }, parseOutput({ encoding, lines: true }))
}

test('lines are the same for each border between two pieces, and for single bytes', async () => {
  await assert(
    asyncProperty(text, constantFrom(...textEncodings), async (whole, encoding) => {
      for (const pieces of cuts(Buffer.from(whole, encoding))) {
        expect(await linesOf(pieces, encoding)).toEqual(splitLines(whole))
        expect(await collected(pieces, encoding)).toEqual({ stdout: splitLines(whole) })
      }
    }),
    { numRuns: 40 },
  )
})

test('arbitrary bytes give the same lines for each border', async () => {
  await assert(
    asyncProperty(uint8Array({ maxLength: 12 }), constantFrom('utf8', 'latin1'), async (array, encoding) => {
      const bytes = Buffer.from(array)
      for (const pieces of cuts(bytes))
        expect(await linesOf(pieces, encoding)).toEqual(splitLines(bytes.toString(encoding)))
    }),
  )
})

/** Writes pieces to stdout and stderr in the given order, and returns the collected output. */
async function collectBoth(pieces: (readonly [toStderr: boolean, bytes: Buffer])[], encoding: TextEncoding) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const output = collectOutput({ stdio: [null, stdout, stderr] }, parseOutput({ encoding, all: true }))
  for (const [toStderr, bytes] of pieces) {
    const stream = toStderr ? stderr : stdout
    stream.write(bytes)
    // the reader has received the piece before the next one is written
    while (stream.readableLength > 0) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
  stdout.end()
  stderr.end()
  return output
}

test('all is the text of all bytes in the order of arrival, in each encoding', async () => {
  const piece = tuple(boolean(), uint8Array({ minLength: 1, maxLength: 5 }))
  await assert(
    asyncProperty(array(piece, { maxLength: 6 }), constantFrom(...encodings), async (given, encoding) => {
      const pieces = given.map(([toStderr, bytes]) => [toStderr, Buffer.from(bytes)] as const)
      const bytesOf = (wanted: (toStderr: boolean) => boolean) =>
        Buffer.concat(pieces.filter(([toStderr]) => wanted(toStderr)).map(([, bytes]) => bytes))
      const result = await collectBoth(pieces, encoding)
      const expected = {
        stdout: bytesOf((toStderr) => !toStderr),
        stderr: bytesOf((toStderr) => toStderr),
        all: bytesOf(() => true),
      }
      for (const [name, bytes] of Object.entries(expected)) {
        const odd = encoding === 'utf16le' && bytes.length % 2 === 1
        expect([name, result[name as 'all']]).toEqual([name, bytes.toString(encoding) + (odd ? '\ufffd' : '')])
        expect(odd).toBe(encoding === 'utf16le' && result.replaced?.[name as 'all'] === 1)
      }
    }),
  )
})

test('a character that is split between two pieces of one stream is whole in all', async () => {
  await assert(
    asyncProperty(text, constantFrom(...textEncodings), nat(), async (whole, encoding, border) => {
      const bytes = Buffer.from(whole, encoding)
      const at = bytes.length === 0 ? 0 : border % bytes.length
      const pieces = [bytes.subarray(0, at), bytes.subarray(at)].filter(({ length }) => length > 0)
      const result = await collectBoth(
        pieces.map((piece) => [false, piece]),
        encoding,
      )
      expect(result).toEqual({ stdout: whole, stderr: '', all: whole })
    }),
  )
})
