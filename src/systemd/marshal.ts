// SPDX-License-Identifier: Apache-2.0
// Encodes and decodes D-Bus messages: D-Bus specification, "Marshaling" and "Message Protocol". Pure. Received messages
// are untrusted.
import { fail } from '../errors/errors.ts'

/**
 * A D-Bus value. The types x and t are bigint. Arrays, structs and dictionary entries are lists. A variant is
 * [signature, value].
 */
export type DbusValue = number | bigint | string | boolean | DbusValue[]

/** A D-Bus message, with the header fields that a client needs. */
export interface Message {
  kind: 'call' | 'return' | 'error' | 'signal'
  serial: number
  path?: string
  interface?: string
  member?: string
  errorName?: string
  replySerial?: number
  destination?: string
  sender?: string
  signature?: string
  body: DbusValue[]
}

const kinds = ['call', 'return', 'error', 'signal'] as const
type TextField = 'path' | 'interface' | 'member' | 'errorName' | 'destination' | 'sender' | 'signature'
const fieldCodes: { [code: number]: [name: TextField | 'replySerial', type: string] } = {
  1: ['path', 'o'],
  2: ['interface', 's'],
  3: ['member', 's'],
  4: ['errorName', 's'],
  5: ['replySerial', 'u'],
  6: ['destination', 's'],
  7: ['sender', 's'],
  8: ['signature', 'g'],
}

/** Maximum length of an answer in bytes. It is more than any answer to hutch's calls; the protocol allows 128 MiB. */
const longestMessage = 2 ** 20
const deepest = 32

const widths: { [type: string]: 1 | 2 | 4 | 8 } = { y: 1, n: 2, q: 2, b: 4, i: 4, u: 4, h: 4, x: 8, t: 8, d: 8 }
const alignments: { [type: string]: number } = { ...widths, s: 4, o: 4, a: 4, '(': 8, '{': 8, g: 1, v: 1 }

const bad = (why: string) => fail('SYSTEMD_ANSWER_INVALID', { why })

/** Splits a D-Bus signature into complete types: `sa(sv)u` becomes s, a(sv) and u. @throws SYSTEMD_ANSWER_INVALID */
export function splitSignature(signature: string): string[] {
  if (signature.length > 255) throw bad('a signature is longer than 255 characters')
  const types: string[] = []
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at, 0)
    types.push(signature.slice(at, end))
    at = end
  }
  return types
}

function endOfType(signature: string, at: number, depth: number): number {
  const type = signature[at] ?? ''
  if (depth > deepest) throw bad('a signature is nested too deep')
  if (type === 'a') return endOfType(signature, at + 1, depth + 1)
  if (type === '(' || type === '{') {
    let end = at + 1
    while (end < signature.length && signature[end] !== ')' && signature[end] !== '}')
      end = endOfType(signature, end, depth + 1)
    if (signature[end] !== (type === '(' ? ')' : '}') || end === at + 1) throw bad('a signature is not well formed')
    return end + 1
  }
  if (!Object.hasOwn(alignments, type)) throw bad('a signature has an unknown type in it')
  return at + 1
}

/** Encodes a D-Bus message, in little-endian byte order. */
export function encodeMessage(message: Message): Uint8Array {
  const body: number[] = []
  const types = splitSignature(message.signature ?? '')
  for (const [i, type] of types.entries()) write(body, type, message.body[i]!)
  const fields: DbusValue[] = Object.entries(fieldCodes).flatMap(([code, [name, type]]): DbusValue[] => {
    const value = message[name]
    return value === undefined ? [] : [[Number(code), [type, value]]]
  })
  const out: number[] = [0x6c, kinds.indexOf(message.kind) + 1, 0, 1]
  write(out, 'u', body.length)
  write(out, 'u', message.serial)
  write(out, 'a(yv)', fields)
  pad(out, 8)
  return Uint8Array.from([...out, ...body])
}

function pad(out: number[], alignment: number): void {
  while (out.length % alignment) out.push(0)
}

function write(out: number[], type: string, value: DbusValue): void {
  pad(out, alignments[type[0]!]!)
  const width = widths[type]
  if (width) out.push(...numberBytes(type, width, value))
  else if (type === 's' || type === 'o' || type === 'g') {
    const text = Buffer.from(value as string)
    if (type === 'g') out.push(text.length)
    else out.push(...numberBytes('u', 4, text.length))
    out.push(...text, 0)
  } else if (type === 'v') {
    const [signature, inner] = value as [string, DbusValue]
    write(out, 'g', signature)
    write(out, signature, inner)
  } else if (type[0] === 'a') {
    const lengthAt = out.length
    out.push(0, 0, 0, 0)
    pad(out, alignments[type[1]!]!)
    const begin = out.length
    for (const item of value as DbusValue[]) write(out, type.slice(1), item)
    out.splice(lengthAt, 4, ...numberBytes('u', 4, out.length - begin))
  } else
    for (const [i, inner] of splitSignature(type.slice(1, -1)).entries()) write(out, inner, (value as DbusValue[])[i]!)
}

function numberBytes(type: string, width: 1 | 2 | 4 | 8, value: DbusValue): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  if (type === 'd') view.setFloat64(0, value as number, true)
  else view.setBigUint64(0, BigInt.asUintN(64, BigInt(value as number)), true)
  return new Uint8Array(view.buffer, 0, width)
}

/**
 * Returns the length of the D-Bus message at the start of the buffer. Returns undefined until its first 16 bytes have
 * arrived.
 *
 * @throws SYSTEMD_ANSWER_INVALID
 */
export function measureMessage(bytes: Uint8Array): number | undefined {
  if (bytes.length < 16) return undefined
  if (bytes[0] !== 0x6c && bytes[0] !== 0x42) throw bad('a message begins with neither l nor B')
  if (bytes[3] !== 1) throw bad(`a message is of protocol version ${bytes[3]}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = bytes[0] === 0x6c
  const header = 16 + view.getUint32(12, little)
  const length = header + ((8 - (header % 8)) % 8) + view.getUint32(4, little)
  if (length > longestMessage) throw bad(`a message has ${length} bytes`)
  return length
}

interface Reader {
  view: DataView
  little: boolean
  at: number
}

/** Decodes a complete D-Bus message. @throws SYSTEMD_ANSWER_INVALID */
export function decodeMessage(bytes: Uint8Array): Message {
  if (measureMessage(bytes) !== bytes.length) throw bad('a message is cut short')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const reader: Reader = { view, little: bytes[0] === 0x6c, at: 8 }
  const kind = kinds[bytes[1]! - 1]
  if (!kind) throw bad(`a message is of kind ${bytes[1]}`)
  const message: Message = { kind, serial: read(reader, 'u', 0) as number, body: [] }
  for (const field of read(reader, 'a(yv)', 0) as [number, [string, DbusValue]][]) {
    const [code, [type, value]] = field
    const [name, expected] = fieldCodes[code] ?? []
    if (!name) continue
    if (type !== expected) throw bad(`header field ${code} is of type ${type}`)
    Object.assign(message, { [name]: value })
  }
  skipPadding(reader, 8)
  message.body = splitSignature(message.signature ?? '').map((type) => read(reader, type, 0))
  if (reader.at !== bytes.length) throw bad('a message is longer than its signature says')
  return message
}

function read(reader: Reader, type: string, depth: number): DbusValue {
  if (depth > 2 * deepest) throw bad('a value is nested too deep')
  skipPadding(reader, alignments[type[0]!]!)
  const width = widths[type]
  if (width) return readNumber(reader, type, width)
  if (type === 's' || type === 'o') return readText(reader, readNumber(reader, 'u', 4) as number)
  if (type === 'g') return readText(reader, readNumber(reader, 'y', 1) as number)
  if (type === 'v') {
    const signature = read(reader, 'g', depth) as string
    if (splitSignature(signature).length !== 1) throw bad('a variant holds not one value')
    return [signature, read(reader, signature, depth + 1)]
  }
  if (type[0] === 'a') return readArray(reader, type.slice(1), depth)
  return splitSignature(type.slice(1, -1)).map((inner) => read(reader, inner, depth + 1))
}

function readArray(reader: Reader, type: string, depth: number): DbusValue[] {
  const length = readNumber(reader, 'u', 4) as number
  skipPadding(reader, alignments[type[0]!]!)
  const end = reader.at + length
  if (end > reader.view.byteLength) throw bad('an array is longer than its message')
  const items: DbusValue[] = []
  while (reader.at < end) items.push(read(reader, type, depth + 1))
  if (reader.at !== end) throw bad('an array ends within a value')
  return items
}

function readText(reader: Reader, length: number): string {
  const begin = reader.at
  reader.at += length + 1
  if (reader.at > reader.view.byteLength || reader.view.getUint8(reader.at - 1) !== 0)
    throw bad('a text does not end in NUL within its message')
  const text = Buffer.from(reader.view.buffer, reader.view.byteOffset + begin, length).toString('utf8')
  if (text.includes('\0')) throw bad('a text has a NUL in it')
  return text
}

function readNumber(reader: Reader, type: string, width: number): DbusValue {
  const { view, little, at } = reader
  if (at + width > view.byteLength) throw bad('a message ends within a value')
  reader.at += width
  switch (type) {
    case 'y':
      return view.getUint8(at)
    case 'n':
      return view.getInt16(at, little)
    case 'q':
      return view.getUint16(at, little)
    case 'i':
      return view.getInt32(at, little)
    case 'x':
      return view.getBigInt64(at, little)
    case 't':
      return view.getBigUint64(at, little)
    case 'd':
      return view.getFloat64(at, little)
    case 'b':
      return view.getUint32(at, little) !== 0
    default:
      return view.getUint32(at, little)
  }
}

function skipPadding(reader: Reader, alignment: number): void {
  reader.at += (alignment - (reader.at % alignment)) % alignment
}
