// SPDX-License-Identifier: Apache-2.0
// The table of operations, put together from the files of its families. native/wire/program.h lists the same codes and fields.
import { groupOps } from './groups.ts'
import { mountOps } from './mounts.ts'
import { namespaceOps } from './namespaces.ts'
import { processOps } from './process.ts'
import { rightOps } from './rights.ts'
import type { OpRow, Values } from './row.ts'

/** Each operation under its name: see row.ts. */
export const ops = { ...groupOps, ...processOps, ...namespaceOps, ...mountOps, ...rightOps }

/** Whose session a spawned process is in: native/wire/program.h says what each is. */
export const sessions = { kept: 0, own: 1, library: 2 } as const

type Table = typeof ops
type OpName = keyof Table

/** One operation with its fields, and the option that asked for it. */
export type Op = {
  [N in OpName]: { op: N; origin: string } & (Table[N] extends OpRow<infer F> ? Values<F> : never)
}[OpName]

/** A compiled plan: outer happens around the child, inner in it. */
export interface Program {
  outer: Op[]
  inner: Op[]
}

/** The row of an operation, for any of them. */
export function rowOf(op: Op): OpRow<never> {
  return ops[op.op] as unknown as OpRow<never>
}
