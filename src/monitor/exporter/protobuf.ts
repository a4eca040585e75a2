// SPDX-License-Identifier: Apache-2.0
// Encodes and decodes the parts of the protocol buffers wire format that OTLP needs. Pure.
// https://protobuf.dev/programming-guides/encoding/

const fixed64 = 1
const delimited = 2

function varint(value: number): number[] {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return [...bytes, value]
}

/** Encodes a field with a non-negative whole number, an enum value or a flag. */
export function encodeNumber(field: number, value: number): Buffer {
  return Buffer.from([...varint(field * 8), ...varint(value)])
}

/** Encodes a field with a nested message, from the encoded fields of that message. */
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

/** Encodes a field with a time. `ms` is in milliseconds since 1970; the wire format has nanoseconds. */
export function encodeTime(field: number, ms: number): Buffer {
  const bytes = Buffer.alloc(9, field * 8 + fixed64)
  bytes.writeBigUInt64LE(BigInt(Math.round(ms * 1000)) * 1000n, 1)
  return bytes
}

/**
 * Decodes a message's fields that are whole numbers, texts or messages. Returns the last value of each field number.
 * Stops at invalid bytes.
 */
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
