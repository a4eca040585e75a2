// SPDX-License-Identifier: Apache-2.0
// The class Buffer, as far as hutch uses it. Conversions are functions of C. Buffers that C creates get this class's prototype and never
// run its constructor, so it has no fields.
import { encodings, host } from './host.ts'

const numbers: { [encoding: string]: number } = { ...encodings, 'utf-8': 0, binary: 1, ascii: 1 }

function numberOf(encoding: string): number {
  const number = numbers[encoding]
  if (number === undefined) throw new TypeError(`Unknown encoding: ${encoding}`)
  return number
}

class Bytes extends Uint8Array {
  static override from(data: unknown, second?: unknown, third?: number): Bytes {
    if (typeof data === 'string')
      return host.encode(data, numberOf((second as string | undefined) ?? 'utf8')) as unknown as Bytes
    if (data instanceof ArrayBuffer) return new Bytes(data, second as number | undefined, third)
    const source = data as ArrayLike<number>
    const bytes = new Bytes(source.length)
    bytes.set(source)
    return bytes
  }
  static alloc(size: number, fill?: number): Bytes {
    const bytes = new Bytes(size)
    return fill ? bytes.fill(fill) : bytes
  }
  static allocUnsafe(size: number): Bytes {
    return new Bytes(size)
  }
  static isBuffer(value: unknown): boolean {
    return value instanceof Bytes
  }
  static byteLength(data: string | Uint8Array): number {
    return typeof data === 'string' ? host.byteLength(data) : data.length
  }
  static concat(list: readonly Uint8Array[], total = list.reduce((sum, { length }) => sum + length, 0)): Bytes {
    const bytes = new Bytes(total)
    let at = 0
    for (const each of list) {
      bytes.set(each.subarray(0, total - at), at)
      at += each.length
    }
    return bytes
  }
  static compare(a: Uint8Array, b: Uint8Array): number {
    const shared = Math.min(a.length, b.length)
    for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1
    return Math.sign(a.length - b.length)
  }

  override toString(encoding = 'utf8', from = 0, to = this.length): string {
    return host.decode(this, numberOf(encoding), from, to)
  }
  toJSON(): object {
    return { type: 'Buffer', data: Array.from(this) }
  }
  equals(other: Uint8Array): boolean {
    return Bytes.compare(this, other) === 0
  }
  compare(other: Uint8Array): number {
    return Bytes.compare(this, other)
  }
  copy(to: Uint8Array, at = 0, from = 0, end = this.length): number {
    const part = this.subarray(from, Math.min(end, from + to.length - at))
    to.set(part, at)
    return part.length
  }
  write(text: string, at: unknown = 0, _length?: unknown, encoding?: string): number {
    if (typeof at === 'number' && encoding === undefined) return host.encodeInto(text, this, at)
    const number = numberOf(encoding ?? (typeof at === 'string' ? at : 'utf8'))
    const offset = typeof at === 'number' ? at : 0
    if (number === 0) return host.encodeInto(text, this, offset)
    const bytes = host.encode(text, number).subarray(0, this.length - offset)
    this.set(bytes, offset)
    return bytes.length
  }
  override indexOf(value: unknown, from = 0): number {
    if (typeof value === 'number') return super.indexOf(value & 0xff, from)
    const wanted = typeof value === 'string' ? host.encode(value, 0) : (value as Uint8Array)
    for (let at = from; at + wanted.length <= this.length; at++) {
      let i = 0
      while (i < wanted.length && this[at + i] === wanted[i]) i++
      if (i === wanted.length) return at
    }
    return -1
  }
  override lastIndexOf(value: unknown, from = this.length - 1): number {
    return super.lastIndexOf(typeof value === 'string' ? value.charCodeAt(0) : (value as number), from)
  }
  override includes(value: unknown, from = 0): boolean {
    return this.indexOf(value, from) >= 0
  }
  override slice(from?: number, to?: number): Bytes {
    return this.subarray(from, to) as Bytes
  }

  readUInt8(at = 0): number {
    return this[at]!
  }
  readUInt16LE(at = 0): number {
    return this[at]! | (this[at + 1]! << 8)
  }
  readUInt16BE(at = 0): number {
    return (this[at]! << 8) | this[at + 1]!
  }
  readInt32LE(at = 0): number {
    return this[at]! | (this[at + 1]! << 8) | (this[at + 2]! << 16) | (this[at + 3]! << 24)
  }
  readInt32BE(at = 0): number {
    return (this[at]! << 24) | (this[at + 1]! << 16) | (this[at + 2]! << 8) | this[at + 3]!
  }
  readUInt32LE(at = 0): number {
    return this.readInt32LE(at) >>> 0
  }
  readUInt32BE(at = 0): number {
    return this.readInt32BE(at) >>> 0
  }
  readBigUInt64LE(at = 0): bigint {
    return (BigInt(this.readUInt32LE(at + 4)) << 32n) | BigInt(this.readUInt32LE(at))
  }
  readBigInt64LE(at = 0): bigint {
    return BigInt.asIntN(64, this.readBigUInt64LE(at))
  }
  writeUInt8(value: number, at = 0): number {
    this[at] = value
    return at + 1
  }
  writeUInt16LE(value: number, at = 0): number {
    this[at] = value
    this[at + 1] = value >>> 8
    return at + 2
  }
  writeInt32LE(value: number, at = 0): number {
    this[at] = value
    this[at + 1] = value >>> 8
    this[at + 2] = value >>> 16
    this[at + 3] = value >>> 24
    return at + 4
  }
  writeUInt32LE(value: number, at = 0): number {
    return this.writeInt32LE(value, at)
  }
  writeBigUInt64LE(value: bigint, at = 0): number {
    this.writeInt32LE(Number(BigInt.asIntN(32, value)), at)
    return this.writeInt32LE(Number(BigInt.asIntN(32, value >> 32n)), at + 4)
  }
  writeBigInt64LE(value: bigint, at = 0): number {
    return this.writeBigUInt64LE(value, at)
  }
}

host.setBufferPrototype(Bytes.prototype)

export { Bytes }
