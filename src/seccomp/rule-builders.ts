// SPDX-License-Identifier: Apache-2.0
// Builds the rules of hutch's own profiles from groups of calls with a reason. Pure.
import { type ArgumentCondition, actions, type Circumstances, type SeccompRule } from './profile.ts'

/** A group of related calls. */
export interface Group {
  /** The purpose of the group, or why it is refused. */
  why: string
  /** Names separated by white space. */
  calls: string
  /** `allow` by default. */
  action?: number
  /** Alternatives. All conditions of at least one list must hold. */
  when?: readonly (readonly ArgumentCondition[])[]
  includes?: Circumstances
  excludes?: Circumstances
}

/** Returns the groups as rules of a profile. */
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

/** Requires an argument to equal a value in all 64 bits. */
export function is(index: number, value: number): ArgumentCondition {
  return { index, op: 'EQ', value: BigInt(value) }
}

/** Requires an argument to equal a value in its low 32 bits. The kernel ignores the high bits of an int, so they must not be compared. */
export function isInt(index: number, value: number): ArgumentCondition {
  return { index, op: 'MASKED_EQ', mask: 0xffff_ffffn, value: BigInt(value) }
}

/** Requires all of these bits to be clear. */
export function bitsClear(index: number, bits: number): ArgumentCondition {
  return { index, op: 'MASKED_EQ', mask: BigInt(bits), value: 0n }
}

/** Requires this bit to be set. */
export function hasBit(index: number, bit: number): ArgumentCondition {
  return { index, op: 'MASKED_EQ', mask: BigInt(bit), value: BigInt(bit) }
}

export function below(index: number, value: number): ArgumentCondition {
  return { index, op: 'LT', value: BigInt(value) }
}
