// SPDX-License-Identifier: Apache-2.0
// The table of operations, joined from the files of its families. native/wire/program.h lists the same codes and fields. Pure.
import { groupOps } from './groups.ts'
import { mountOps } from './mounts.ts'
import { namespaceOps } from './namespaces.ts'
import { processOps } from './process.ts'
import { rightOps } from './rights.ts'
import type { OpRow, Values } from './row.ts'

/** Operations by name; row.ts describes a row. */
export const ops = { ...groupOps, ...processOps, ...namespaceOps, ...mountOps, ...rightOps }

/** Session of a spawned process; native/wire/program.h defines the values. */
export const sessions = { kept: 0, own: 1, library: 2 } as const

type Table = typeof ops
type OpName = keyof Table

/** An operation with its fields and the option that requested it. */
export type Op = {
  [N in OpName]: { op: N; origin: string } & (Table[N] extends OpRow<infer F> ? Values<F> : never)
}[OpName]

/** A compiled plan. `outer` runs in the caller, around the child; `inner` runs in the child. */
export interface Program {
  outer: Op[]
  inner: Op[]
}

/** Returns the row of any operation. */
export function rowOf(op: Op): OpRow<never> {
  return ops[op.op] as unknown as OpRow<never>
}
