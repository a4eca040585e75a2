// SPDX-License-Identifier: Apache-2.0
// Assembles a classic BPF program from its end to its start. All jumps go forward, so each target already exists and
// the distance is known. Called by compile.ts; pure.
import type { ArgumentCondition } from './profile.ts'

/** A jump target: an instruction that already exists, or a value for the filter to return. */
export type JumpTarget = { at: number } | { returns: number }

const code = {
  load: 0x20, // BPF_LD | BPF_W | BPF_ABS
  and: 0x54, // BPF_ALU | BPF_AND | BPF_K
  jump: 0x05, // BPF_JMP | BPF_JA
  equal: 0x15,
  greater: 0x25,
  atLeast: 0x35,
  returns: 0x06,
} as const

/** Byte offsets of fields in struct seccomp_data. */
const offsets = { number: 0, machine: 4, arguments: 16 } as const

/**
 * Maximum distance of a conditional jump. The kernel allows 255 instructions, but up to two more may be inserted
 * between the jump and its target.
 */
const reach = 252

/**
 * Collects instructions, each as [code, jump if true, jump if false, constant]. The instruction that is emitted last is
 * the program's first.
 */
export class Assembler {
  readonly #last: [code: number, yes: number, no: number, k: number][] = []
  readonly #returns = new Map<number, number>()

  get length(): number {
    return this.#last.length
  }

  /** Returns the program as an array of struct sock_filter, with two little-endian words for each instruction. */
  words(): number[] {
    return this.#last
      .toReversed()
      .flatMap(([operation, yes, no, k]) => [(operation | (yes << 16) | (no << 24)) >>> 0, k >>> 0])
  }

  /** Emits a comparison of the loaded value with a constant. */
  compare(operation: 'equal' | 'greater' | 'atLeast', k: number, yes: JumpTarget, no: JumpTarget): JumpTarget {
    const yesAt = this.#near(yes)
    const noAt = this.#near(no)
    const next = this.#last.length - 1
    return this.#push(code[operation], next - yesAt, next - noAt, k)
  }

  loadNumber(): JumpTarget {
    return this.#push(code.load, 0, 0, offsets.number)
  }

  loadMachine(): JumpTarget {
    return this.#push(code.load, 0, 0, offsets.machine)
  }

  /** Emits, if needed, a jump to the target, so that code emitted next can simply continue into it. */
  begin(target: JumpTarget): JumpTarget {
    const at = this.#near(target)
    return at === this.#last.length - 1 ? { at } : this.#push(code.jump, 0, 0, this.#last.length - 1 - at)
  }

  /** Emits a condition on an argument of the system call. The 64 bits are loaded in two halves, the high half first. */
  condition({ index, op, value, mask = 0n }: ArgumentCondition, yes: JumpTarget, no: JumpTarget): JumpTarget {
    const [high, low] = halves(value)
    const [highMask, lowMask] = halves(mask)
    switch (op) {
      case 'EQ':
        return this.#equal(index, [high, low], yes, no)
      case 'NE':
        return this.#equal(index, [high, low], no, yes)
      case 'GT':
        return this.#above('greater', index, [high, low], yes, no)
      case 'GE':
        return this.#above('atLeast', index, [high, low], yes, no)
      case 'LE':
        return this.#above('greater', index, [high, low], no, yes)
      case 'LT':
        return this.#above('atLeast', index, [high, low], no, yes)
      case 'MASKED_EQ': {
        const next = this.#masked(index, 0, low & lowMask, lowMask, yes, no)
        return this.#masked(index, 1, high & highMask, highMask, next, no)
      }
    }
  }

  #equal(index: number, [high, low]: [number, number], yes: JumpTarget, no: JumpTarget): JumpTarget {
    this.compare('equal', low, yes, no)
    const next = this.#loadHalf(index, 0)
    this.compare('equal', high, next, no)
    return this.#loadHalf(index, 1)
  }

  #above(
    operation: 'greater' | 'atLeast',
    index: number,
    [high, low]: [number, number],
    yes: JumpTarget,
    no: JumpTarget,
  ) {
    this.compare(operation, low, yes, no)
    const next = this.#loadHalf(index, 0)
    const equal = this.compare('equal', high, next, no)
    this.compare('greater', high, yes, equal)
    return this.#loadHalf(index, 1)
  }

  /** Emits a comparison of one half of an argument under a mask. If the mask clears the whole half, it is not loaded. */
  #masked(index: number, half: 0 | 1, value: number, mask: number, yes: JumpTarget, no: JumpTarget): JumpTarget {
    if (mask === 0) return yes
    this.compare('equal', value, yes, no)
    if (mask !== 0xffff_ffff) this.#push(code.and, 0, 0, mask)
    return this.#loadHalf(index, half)
  }

  #loadHalf(index: number, half: 0 | 1): JumpTarget {
    return this.#push(code.load, 0, 0, offsets.arguments + 8 * index + 4 * half)
  }

  #push(operation: number, yes: number, no: number, k: number): { at: number } {
    this.#last.push([operation, yes, no, k])
    return { at: this.#last.length - 1 }
  }

  /**
   * Returns the position of an instruction within reach of a conditional jump. If the target is too far away, first
   * emits a copy of its return, or a jump to it.
   */
  #near(target: JumpTarget): number {
    const at = 'at' in target ? target.at : (this.#returns.get(target.returns) ?? Number.NEGATIVE_INFINITY)
    if (this.#last.length - 1 - at <= reach) return at
    if ('at' in target) return this.#push(code.jump, 0, 0, this.#last.length - 1 - at).at
    const written = this.#push(code.returns, 0, 0, target.returns).at
    this.#returns.set(target.returns, written)
    return written
  }
}

function halves(value: bigint): [high: number, low: number] {
  return [Number((value >> 32n) & 0xffff_ffffn), Number(value & 0xffff_ffffn)]
}
