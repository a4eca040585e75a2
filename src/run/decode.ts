// SPDX-License-Identifier: Apache-2.0
// Decodes output to text as chunks of bytes arrive, and counts the bytes that the encoding cannot represent. Used by
// output.ts and lines.ts; pure.

/** Decodes one stream. */
export interface Decoder {
  /** Decodes a chunk. Returns the text of all characters that are complete. */
  write(bytes: Buffer): string
  /** Ends the decoding. Returns the text of the remaining bytes, an incomplete character. */
  end(): string
  /** Number of bytes of an incomplete character, which are kept until the next chunk. */
  readonly held: number
  /** Number of invalid sequences that were replaced by U+FFFD, and of bytes that were changed or left out. */
  readonly replaced: number
}

/** Returns the length of the longest prefix that ends at a complete character. */
type CompleteLength = (bytes: Buffer) => number

const complete: { [encoding in BufferEncoding]?: CompleteLength } = {
  utf8: completeUtf8,
  utf16le: ({ length }) => length - (length % 2),
  base64: ({ length }) => length - (length % 3),
  base64url: ({ length }) => length - (length % 3),
}

/**
 * Returns the length of the longest prefix of whole characters in UTF-8. A multi-byte character begins with a byte from
 * 0xC2 to 0xF4, and has at most three more bytes.
 */
function completeUtf8(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) break
    if (byte < 0xc0) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** Creates a decoder for one of Node's encodings. */
export function openDecoder(encoding: BufferEncoding): Decoder {
  const completeLength = complete[encoding] ?? ((bytes) => bytes.length)
  let rest = emptyBuffer
  let replaced = 0
  const decode = (bytes: Buffer) => {
    const text = bytes.toString(encoding)
    replaced += countReplaced(encoding, bytes, text)
    return text
  }
  return {
    write(bytes) {
      const all = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes
      const length = completeLength(all)
      rest = length < all.length ? Buffer.from(all.subarray(length)) : emptyBuffer
      return length > 0 ? decode(length < all.length ? all.subarray(0, length) : all) : ''
    },
    end() {
      const bytes = rest
      rest = emptyBuffer
      if (bytes.length === 0) return ''
      if (encoding !== 'utf16le') return decode(bytes)
      replaced++
      return '\ufffd'
    },
    get held() {
      return rest.length
    },
    get replaced() {
      return replaced
    },
  }
}

const emptyBuffer: Buffer = Buffer.alloc(0)
const replacement = Buffer.from('\ufffd')

function countReplaced(encoding: BufferEncoding, bytes: Buffer, text: string): number {
  if (encoding === 'ascii') return bytes.reduce((count, byte) => count + (byte >> 7), 0)
  if (encoding !== 'utf8') return 0
  return count((from) => text.indexOf('\ufffd', from), 1) - count((from) => bytes.indexOf(replacement, from), 3)
}

function count(find: (from: number) => number, length: number): number {
  let found = 0
  for (let at = find(0); at >= 0; at = find(at + length)) found++
  return found
}
