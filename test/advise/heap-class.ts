// SPDX-License-Identifier: Apache-2.0
// A Java program as the bytes of its class, because a runtime environment without a compiler has to run it. Pure.

const u2 = (value: number) => [value >> 8, value & 255]
const u4 = (value: number) => [...u2(value >>> 16), ...u2(value & 0xffff)]
const utf8 = (text: string) => [1, ...u2(text.length), ...Buffer.from(text)]
const ref = (tag: number, ...indexes: number[]) => [tag, ...indexes.flatMap(u2)]
const integer = (value: number) => [3, ...u4(value)]

/** The constant pool; the first index is 1. */
const constants = [
  ref(7, 2), // class Heap
  utf8('Heap'),
  ref(7, 4), // class java/lang/Object
  utf8('java/lang/Object'),
  utf8('main'),
  utf8('([Ljava/lang/String;)V'),
  utf8('Code'),
  utf8('kept'),
  utf8('[[B'),
  ref(12, 8, 9), // kept: byte[][]
  ref(9, 1, 10), // Heap.kept
  ref(7, 13), // class byte[]
  utf8('[B'),
  integer(1 << 20),
  integer(1 << 16),
]

/** Instructions that repeat `body` while the local variable 1 is below the number on the stack that `limit` pushes. */
function loop(limit: number[], body: number[]): number[] {
  const length = 1 + limit.length + 3 + body.length + 3 + 3
  return [
    ...[0x03, 0x3c], // iconst_0, istore_1
    ...[0x1b, ...limit], // iload_1
    ...[0xa2, ...u2(length - 1 - limit.length)], // if_icmpge: behind the loop
    ...body,
    ...[0x84, 1, 1], // iinc 1, 1
    ...[0xa7, ...u2(0x10000 - (length - 3))], // goto: iload_1
  ]
}

/**
 * Returns the class Heap: its `main` fills a static `byte[][]` with `mib` arrays of 1 MiB, which it keeps, and then makes garbage of
 * 64 KiB, `rounds` times. The format is that of Java 5, whose verifier needs no table of stack frames.
 */
export function heapClass(mib: number, rounds: number): Buffer {
  const code = [
    ...[0x10, mib, 0xbd, ...u2(12), 0xb3, ...u2(11)], // kept = new byte[mib][]
    ...loop([0x10, mib], [0xb2, ...u2(11), 0x1b, 0x12, 14, 0xbc, 8, 0x53]), // kept[i] = new byte[1 << 20]
    ...loop([0x11, ...u2(rounds)], [0x12, 15, 0xbc, 8, 0x57]), // new byte[1 << 16]
    0xb1, // return
  ]
  const attribute = [...u2(4), ...u2(2), ...u4(code.length), ...code, ...u2(0), ...u2(0)]
  return Buffer.from([
    ...u4(0xcafebabe),
    ...[...u2(0), ...u2(49)],
    ...[...u2(constants.length + 1), ...constants.flat()],
    ...[...u2(0x21), ...u2(1), ...u2(3), ...u2(0)],
    ...[...u2(1), ...u2(0x9), ...u2(8), ...u2(9), ...u2(0)],
    ...[...u2(1), ...u2(0x9), ...u2(5), ...u2(6), ...u2(1)],
    ...[...u2(7), ...u4(attribute.length), ...attribute],
    ...u2(0),
  ])
}
