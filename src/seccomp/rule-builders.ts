// SPDX-License-Identifier: Apache-2.0
// Builds the rules of hutch's own seccomp profiles from groups of calls, each with a reason. Pure.
import { type ArgumentCondition, actions, type Circumstances, type SeccompRule } from './profile.ts'

/** A group of system calls that are allowed or refused for the same reason. */
export interface Group {
  /** What the calls are needed for, or why they are refused. */
  why: string
  /** Names of the calls, separated by white space. */
  calls: string
  /** `allow` by default. */
  action?: number
  /** Alternative lists of conditions. The rule applies if all conditions of at least one list hold. */
  when?: readonly (readonly ArgumentCondition[])[]
  includes?: Circumstances
  excludes?: Circumstances
}

/** Converts groups of calls to rules of a profile. */
export function rulesOf(groups: readonly Group[]): SeccompRule[] {
  return groups.flatMap(({ calls, action = actions.allow, when = [[]], includes, excludes }) =>
    when.map((conditions) => ({
      names: calls.trim().split(/\s+/),
      action,
      conditions,
      ...(includes && { includes }),
      ...(excludes && { excludes }),
    })),
  )
}

/** Returns a condition: all 64 bits of the argument equal the value. */
export function is(index: number, value: number): ArgumentCondition {
  return { index, op: 'EQ', value: BigInt(value) }
}

/**
 * Returns a condition: the low 32 bits of the argument equal the value. For an int, the kernel ignores the high bits,
 * so they must not be compared.
 */
export function isInt(index: number, value: number): ArgumentCondition {
  return { index, op: 'MASKED_EQ', mask: 0xffff_ffffn, value: BigInt(value) }
}

/** Returns a condition: all of these bits of the argument are clear. */
export function bitsClear(index: number, bits: number): ArgumentCondition {
  return { index, op: 'MASKED_EQ', mask: BigInt(bits), value: 0n }
}

/** Returns a condition: this bit of the argument is set. */
export function hasBit(index: number, bit: number): ArgumentCondition {
  return { index, op: 'MASKED_EQ', mask: BigInt(bit), value: BigInt(bit) }
}

export function below(index: number, value: number): ArgumentCondition {
  return { index, op: 'LT', value: BigInt(value) }
}
