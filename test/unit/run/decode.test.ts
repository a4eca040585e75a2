// SPDX-License-Identifier: Apache-2.0
// Decoding output as it comes: the same text for any cut into chunks, and a count of what was lost.
import { array, assert, constantFrom, oneof, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { openDecoder } from '../../../src/run/decode.ts'

const encodings = ['utf8', 'utf16le', 'latin1', 'ascii', 'hex', 'base64', 'base64url'] as const
/** Bytes that begin, continue and end characters of UTF-8, also wrong ones. */
const difficult = array(
  constantFrom(0x00, 0x0a, 0x41, 0x80, 0xbf, 0xc0, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0xff),
  { maxLength: 24 },
).map((bytes) => Uint8Array.from(bytes))
const bytesOf = oneof(uint8Array({ maxLength: 40 }), difficult)

test.each(encodings)('%s: chunks give the text of the whole, or the count says what is missing', (encoding) => {
  assert(
    property(array(bytesOf, { maxLength: 8 }), (chunks) => {
      const decoder = openDecoder(encoding)
      const pieces = chunks.map((chunk) => decoder.write(Buffer.from(chunk)))
      const text = pieces.join('') + decoder.end()
      const bytes = Buffer.concat(chunks)
      const odd = encoding === 'utf16le' && bytes.length % 2 === 1
      expect(text).toBe(bytes.toString(encoding) + (odd ? '\ufffd' : ''))
      expect(decoder.held).toBe(0)
      expect(decoder.replaced > 0).toBe(!Buffer.from(text, encoding).equals(bytes))
    }),
    { numRuns: 1000 },
  )
})

test('replacement characters of the command itself are not counted', () => {
  const decoder = openDecoder('utf8')
  decoder.write(Buffer.from('a\ufffdb'))
  decoder.write(Buffer.from([0xff, 0x41, 0xc3]))
  decoder.end()
  expect(decoder.replaced).toBe(2)
})
