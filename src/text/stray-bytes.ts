// SPDX-License-Identifier: Apache-2.0
// Decodes bytes to a text from which bytes that are not UTF-8 can be restored. Pure.

/** A byte that is not UTF-8 becomes the lone surrogate 0xdc00 plus the byte. Decoded UTF-8 contains no lone surrogates. */
const strayBase = 0xdc00

/** Decodes bytes to a text. `strayByte` restores each byte that is not UTF-8. */
export function decodeBytes(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const decode = (part: Uint8Array): string | undefined => {
    try {
      return decoder.decode(part)
    } catch {
      return undefined
    }
  }
  const whole = decode(bytes)
  if (whole !== undefined) return whole
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at]!
    const size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
    const character = decode(bytes.subarray(at, at + size))
    text += character ?? String.fromCharCode(strayBase + lead)
    at += character === undefined ? 1 : size
  }
  return text
}

/** Returns the byte that a character of a decoded text stands for. Returns undefined if the character was valid UTF-8. */
export function strayByte(character: string): number | undefined {
  const code = character.charCodeAt(0) - strayBase
  return character.length === 1 && code >= 0x80 && code <= 0xff ? code : undefined
}
