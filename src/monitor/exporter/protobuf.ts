// SPDX-License-Identifier: Apache-2.0
// The wire format of protocol buffers, as much of it as OTLP needs: pure. https://protobuf.dev/programming-guides/encoding/

const fixed64 = 1
const delimited = 2

function varint(value: number): number[] {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return [...bytes, value]
}

/** A whole number from 0, an enum or a flag. */
export function encodeNumber(field: number, value: number): Buffer {
  return Buffer.from([...varint(field * 8), ...varint(value)])
}

/** A message, of its fields. */
export function encodeSubmessage(field: number, parts: readonly Buffer[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  return Buffer.concat([Buffer.from([...varint(field * 8 + delimited), ...varint(length)]), ...parts])
}

export function encodeText(field: number, text: string): Buffer {
  return encodeSubmessage(field, [Buffer.from(text)])
}

export function encodeDouble(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(9, field * 8 + fixed64)
  bytes.writeDoubleLE(value, 1)
  return bytes
}

/** Milliseconds since 1970, as nanoseconds. */
export function encodeTime(field: number, ms: number): Buffer {
  const bytes = Buffer.alloc(9, field * 8 + fixed64)
  bytes.writeBigUInt64LE(BigInt(Math.round(ms * 1000)) * 1000n, 1)
  return bytes
}

/** The fields of a message that are whole numbers, texts or messages, the last of each; what is broken ends it. */
export function decodeFields(bytes: Buffer): Map<number, number | Buffer> {
  const fields = new Map<number, number | Buffer>()
  let at = 0
  const next = () => {
    let value = 0
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const key = next()
    const kind = key % 8
    const value = kind === 0 || kind === delimited ? next() : Number.NaN
    if (Number.isNaN(value) || (kind === delimited && value > bytes.length - at)) return fields
    fields.set(Math.floor(key / 8), kind === 0 ? value : bytes.subarray(at, at + value))
    if (kind === delimited) at += value
  }
  return fields
}
