// SPDX-License-Identifier: Apache-2.0
// Encodes programs for the C core; native/wire/program.h describes the format. Pure.
import { encodePath } from '../text/non-utf8.ts'
import { type Op, ops, type Program } from './ops.ts'

/** "hut1", little-endian. */
export const programMagic = 0x31747568

/** Parts of an operation that can fail, in the order of their numbers in program.h; see stepPart in system/events.ts. */
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

let scratch = Buffer.alloc(1 << 16)
let at = 0

function reserve(size: number): void {
  if (at + size <= scratch.length) return
  const larger = Buffer.alloc(Math.max(scratch.length * 2, at + size))
  scratch.copy(larger, 0, 0, at)
  scratch = larger
}

function putU32(value: number): void {
  reserve(4)
  at = scratch.writeUInt32LE(value >>> 0, at)
}

function pad(): void {
  reserve(4)
  while (at & 3) scratch[at++] = 0
}

/** Writes the text's bytes and a NUL, without padding. */
function putText(text: string): void {
  reserve(text.length * 3 + 1)
  const bytes = encodePath(text)
  at += typeof bytes === 'string' ? scratch.write(text, at, 'utf8') : bytes.copy(scratch, at)
  scratch[at++] = 0
}

const put = {
  u32: putU32,
  u64(value: number): void {
    putU32(value % 0x1_0000_0000)
    putU32(Math.floor(value / 0x1_0000_0000))
  },
  string(text: string): void {
    const start = at
    putU32(0)
    putText(text)
    scratch.writeUInt32LE(at - start - 5, start)
    pad()
  },
  strings(texts: readonly string[]): void {
    putU32(texts.length)
    const start = at
    putU32(0)
    if (texts.length > 0) putText(texts.join('\0'))
    scratch.writeUInt32LE(at - start - 4, start)
    pad()
  },
  numbers(values: readonly number[]): void {
    putU32(values.length)
    for (const value of values) putU32(value)
  },
}

// flat lists of fields, made once per operation, so that encoding only walks a list
const layouts = new Map(
  Object.entries(ops).map(([name, op]) => [name, Object.entries(op.fields) as [string, keyof typeof put][]]),
)

function putOps(list: readonly Op[]): number {
  const section = at
  for (const op of list) {
    putU32(ops[op.op].code)
    const start = at
    putU32(0)
    for (const [field, type] of layouts.get(op.op)!) put[type]((op as Record<string, unknown>)[field] as never)
    scratch.writeUInt32LE(at - start - 4, start)
  }
  return at - section
}

/** Returns the program in the format of native/wire/program.h. The bytes are valid until the next call. */
export function encodeProgram(program: Program): Uint8Array {
  at = 0
  putU32(programMagic)
  at += 12
  const outer = putOps(program.outer)
  const inner = putOps(program.inner)
  scratch.writeUInt32LE(outer, 4)
  scratch.writeUInt32LE(inner, 8)
  scratch.writeUInt32LE(0, 12)
  return scratch.subarray(0, at)
}

/** Maximum bytes of a job's request, without the word before its operations; equal to the value in native/wire/program.h. */
export const orderBytesAtMost = 131_072 - 4

/** Encodes inner operations as a request to a waiting sandbox. The bytes are valid until the next call. */
export function encodeOrder(list: readonly Op[]): Uint8Array {
  at = 0
  putOps(list)
  return scratch.subarray(0, at)
}

/** Encodes single fields one after another, as in an operation. Returns a copy. */
export function encodeFields(
  fields: readonly (['string', string] | ['strings', readonly string[]] | ['numbers', readonly number[]])[],
): Buffer {
  at = 0
  for (const [type, value] of fields) put[type](value as never)
  return Buffer.from(scratch.subarray(0, at))
}

/** Splits the result of readFile operations: the text of each file by its outer step. Unreadable files are missing. */
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
