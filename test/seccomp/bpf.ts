// SPDX-License-Identifier: Apache-2.0
// Classic BPF, interpreted as the kernel does it for a system call.

/** struct seccomp_data. */
export interface Call {
  number: number
  machine: number
  args: readonly bigint[]
}

/** Decodes struct sock_filter from bytes as they are in memory. */
export function wordsOf(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i))
}

/** The word that the filter returns. Anything that the kernel's verifier would refuse is an error. */
export function runFilter(words: readonly number[], call: Call): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(call.number, 0)
  data.writeUInt32LE(call.machine, 4)
  for (let i = 0; i < 6; i++) data.writeBigUInt64LE(call.args[i] ?? 0n, 16 + 8 * i)
  let accumulator = 0
  const length = words.length / 2
  for (let at = 0; at < length; at++) {
    const code = words[2 * at]! & 0xffff
    const yes = (words[2 * at]! >>> 16) & 0xff
    const no = words[2 * at]! >>> 24
    const k = words[2 * at + 1]! >>> 0
    const jump = (holds: boolean) => {
      at += holds ? yes : no
    }
    switch (code) {
      case 0x20:
        accumulator = data.readUInt32LE(k)
        break
      case 0x54:
        accumulator = (accumulator & k) >>> 0
        break
      case 0x05:
        at += k
        break
      case 0x15:
        jump(accumulator === k)
        break
      case 0x25:
        jump(accumulator > k)
        break
      case 0x35:
        jump(accumulator >= k)
        break
      case 0x45:
        jump((accumulator & k) !== 0)
        break
      case 0x06:
        return k
      default:
        throw new Error(`no such instruction: ${code.toString(16)} at ${at}`)
    }
  }
  throw new Error('it ran over the end')
}
