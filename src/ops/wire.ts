// SPDX-License-Identifier: Apache-2.0
// Encodes programs of operations for the C core, in the format of native/wire/program.h. Pure.
import { encodePath } from '../text/non-utf8.ts'
import { type Op, ops, type Program } from './ops.ts'

/** "hut1", little-endian. */
export const programMagic = 0x31747568

/**
 * Parts of an operation that can fail, in the order of their numbers in program.h. system/events.ts reports the number
 * as `stepPart`.
 */
export const stepParts = [
  'whole',
  'source',
  'target',
  'attributes',
  'file system',
  'attach',
  'layer',
  'filter',
  'process',
  'read only',
  'no suid',
  'no dev',
  'no exec',
] as const

/** Bytes that stay free beyond what `reserve` was asked for: numbers between two texts need less. */
const slack = 256

let scratch = Buffer.alloc(1 << 16)
/** The same memory. Numbers are aligned to 4 bytes, and the C core exists only for little-endian processors. */
let words = new Uint32Array(scratch.buffer, scratch.byteOffset, scratch.length >> 2)
let at = 0

function reserve(size: number): void {
  if (at + size + slack <= scratch.length) return
  const larger = Buffer.alloc(Math.max(scratch.length * 2, (at + size + slack + 3) & ~3))
  scratch.copy(larger, 0, 0, at)
  scratch = larger
  words = new Uint32Array(scratch.buffer, scratch.byteOffset, scratch.length >> 2)
}

function putU32(value: number): void {
  words[at >> 2] = value
  at += 4
}

function putU64(value: number): void {
  words[at >> 2] = value % 0x1_0000_0000
  words[(at >> 2) + 1] = Math.floor(value / 0x1_0000_0000)
  at += 8
}

/** Writes a text with a NUL and zeros up to a multiple of 4 bytes. Returns the length of the text in bytes. */
function putText(text: string): number {
  reserve(text.length * 3)
  const start = at
  const bytes = encodePath(text)
  const length = typeof bytes === 'string' ? scratch.write(text, start, 'utf8') : bytes.copy(scratch, start)
  const end = start + length
  scratch[end] = scratch[end + 1] = scratch[end + 2] = scratch[end + 3] = 0
  at = (end + 4) & ~3
  return length
}

const put = {
  u32: putU32,
  u64: putU64,
  exact64(value: number | bigint): void {
    if (Number.isSafeInteger(value) && value >= 0) putU64(value as number)
    else at = scratch.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at)
  },
  string(text: string): void {
    const start = at
    at += 4
    const length = putText(text)
    words[start >> 2] = length
  },
  strings(texts: readonly string[]): void {
    reserve(0)
    putU32(texts.length)
    const start = at
    putU32(0)
    if (texts.length === 0) return
    // each text is followed by a NUL, which counts
    const length = putText(texts.join('\0'))
    words[start >> 2] = length + 1
  },
  numbers(values: readonly number[]): void {
    putU32(values.length)
    reserve(values.length * 4)
    words.set(values, at >> 2)
    at += values.length * 4
  },
}

// the fields of each operation as a flat list, made only once, so that encoding is fast
const layouts = new Map(
  Object.entries(ops).map(([name, op]) => [name, Object.entries(op.fields) as [string, keyof typeof put][]]),
)

/** The encoded forms of operations that many programs share: null until the first one is encoded. */
const encodings = new WeakMap<Op, Uint8Array | null>()

/** Declares that an operation never changes, so that it is encoded only once. Returns the operation. */
export function shareOp<O extends Op>(op: O): O {
  if (!encodings.has(op)) encodings.set(op, null)
  return op
}

function putOps(list: readonly Op[]): number {
  const section = at
  for (const op of list) {
    const known = encodings.get(op)
    reserve(known?.length ?? 0)
    if (known) {
      scratch.set(known, at)
      at += known.length
      continue
    }
    const begin = at
    putU32(ops[op.op].code)
    at += 4
    for (const [field, type] of layouts.get(op.op)!) put[type]((op as Record<string, unknown>)[field] as never)
    words[(begin >> 2) + 1] = at - begin - 8
    if (known === null) encodings.set(op, new Uint8Array(scratch.subarray(begin, at)))
  }
  return at - section
}

/** Encodes a program in the format of native/wire/program.h. The bytes are valid until the next call. */
export function encodeProgram(program: Program): Uint8Array {
  at = 16
  const outer = putOps(program.outer)
  const inner = putOps(program.inner)
  words.set([programMagic, outer, inner, 0])
  return scratch.subarray(0, at)
}

/**
 * Encodes a program from the bytes of another one, which end before its last inner operations. Writes `digits` at each of `places`, and
 * appends `rest`. The bytes are valid until the next call.
 */
export function continueProgram(
  bytes: Uint8Array,
  places: readonly number[],
  digits: string,
  rest: readonly Op[],
): Uint8Array {
  at = 0
  reserve(bytes.length)
  scratch.set(bytes)
  for (const place of places) for (let i = 0; i < digits.length; i++) scratch[place + i] = digits.charCodeAt(i)
  at = bytes.length
  const inner = scratch.readUInt32LE(8) + putOps(rest)
  scratch.writeUInt32LE(inner, 8)
  return scratch.subarray(0, at)
}

/** Maximum bytes of the operations in a request to a prestarted sandbox; equal to the value in native/wire/program.h. */
export const orderBytesAtMost = 131_072 - 4

/** Encodes inner operations as a request to a prestarted sandbox. The bytes are valid until the next call. */
export function encodeOrder(list: readonly Op[]): Uint8Array {
  at = 0
  putOps(list)
  return scratch.subarray(0, at)
}

/** Encodes single fields, one after another, in the same form as in an operation. Returns a copy of the bytes. */
export function encodeFields(
  fields: readonly (['string', string] | ['strings', readonly string[]] | ['numbers', readonly number[]])[],
): Buffer {
  at = 0
  reserve(0)
  for (const [type, value] of fields) put[type](value as never)
  return Buffer.from(scratch.subarray(0, at))
}

/**
 * Decodes the results of the readFile operations. Returns the text of each file by the index of its operation in
 * `outer`. Unreadable files are missing.
 */
export function decodeFigures(bytes: Buffer | undefined): Map<number, string> {
  const figures = new Map<number, string>()
  for (let i = 0; bytes && i + 8 <= bytes.length; ) {
    const step = bytes.readUInt32LE(i)
    const length = bytes.readInt32LE(i + 4)
    i += 8
    if (length < 0) continue
    figures.set(step, bytes.toString('latin1', i, i + length))
    i += (length + 3) & ~3
  }
  return figures
}
