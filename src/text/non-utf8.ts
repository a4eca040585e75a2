// SPDX-License-Identifier: Apache-2.0
// Converts names of groups and files that are not UTF-8 to text and back. Pure. A byte that is not UTF-8 becomes U+FFFD
// and two hexadecimal digits: `�ff`. A U+FFFD in a name is encoded in the same way, so that different names have
// different texts. The text is safe in JSON, a label and a terminal.

const mark = '\ufffd'
const stray = /\ufffd([89a-f][0-9a-f])/

/** Decodes names from bytes; slashes or NULs may separate several names. */
export function decodeNames(bytes: Buffer): string {
  const text = bytes.toString()
  if (!text.includes(mark)) return text
  const parts: string[] = []
  for (let at = 0; at < bytes.length; ) {
    let end = at
    while (bytes[end]! < 0x80) end++
    if (end > at) {
      parts.push(bytes.toString('latin1', at, end))
      at = end
      continue
    }
    const length = lengthOf(bytes[at]!)
    const one = bytes.toString('utf8', at, at + length)
    const whole = !one.includes(mark)
    parts.push(whole ? one : `${mark}${bytes[at]!.toString(16)}`)
    at += whole ? length : 1
  }
  return parts.join('')
}

function lengthOf(lead: number): number {
  return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
}

/** Returns true if a text may differ from the original bytes, because it was decoded as UTF-8. */
export function isOdd(name: string): boolean {
  return name.includes(mark)
}

/** Encodes a path for the kernel. Returns a string if possible, as for almost every path; otherwise bytes. */
export function encodePath(path: string): string | Buffer {
  if (!path.includes(mark)) return path
  const parts = path.split(stray).map((part, i) => (i % 2 === 0 ? Buffer.from(part) : Buffer.from(part, 'hex')))
  return Buffer.concat(parts)
}

/** Escapes each U+FFFD of a text, so that `encodePath` does not read it as the start of an encoded byte. */
export function keepMarks(text: string): string {
  return text.replaceAll(mark, decodeNames(Buffer.from(mark)))
}

/**
 * Decodes a group's name that a user copied from hutch's output. There, U+FFFD followed by two hexadecimal digits
 * stands for a byte.
 */
export function asPrinted(argument: string): string {
  return argument.includes(mark) ? argument.replaceAll(keepMarks(mark), mark) : argument
}

/** Decodes a path that a user typed, in which a U+FFFD stands for itself. */
export function asDecoded(path: string): string {
  const bytes = encodePath(path)
  return typeof bytes === 'string' ? bytes : decodeNames(bytes)
}
