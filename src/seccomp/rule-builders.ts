// SPDX-License-Identifier: Apache-2.0
// How hutch's own profiles are written: groups of calls, each with what it is for.
import { actions, type Circumstances, type Condition, type Rule } from './profile.ts'

/** Calls that belong together. */
export interface Group {
  /** What it is for, or why it is refused. */
  why: string
  /** Separated by white space. */
  calls: string
  /** `allow` if not given. */
  action?: number
  /** Each list must hold as a whole; one of them is enough. */
  when?: readonly (readonly Condition[])[]
  includes?: Circumstances
  excludes?: Circumstances
}

/** Flat rules, as every profile has them. */
export function rulesOf(groups: readonly Group[]): Rule[] {
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

/** The argument is this, in all its 64 bits. */
export function is(index: number, value: number): Condition {
  return { index, op: 'EQ', value: BigInt(value) }
}

/** The argument is this in its low 32 bits: the kernel looks at no more of an int, so no more may be compared. */
export function isInt(index: number, value: number): Condition {
  return { index, op: 'MASKED_EQ', mask: 0xffff_ffffn, value: BigInt(value) }
}

/** None of these bits is set. */
export function without(index: number, bits: number): Condition {
  return { index, op: 'MASKED_EQ', mask: BigInt(bits), value: 0n }
}

/** This bit is set. */
export function hasBit(index: number, bit: number): Condition {
  return { index, op: 'MASKED_EQ', mask: BigInt(bit), value: BigInt(bit) }
}

export function below(index: number, value: number): Condition {
  return { index, op: 'LT', value: BigInt(value) }
}
