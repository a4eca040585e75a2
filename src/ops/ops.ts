// SPDX-License-Identifier: Apache-2.0
// Joins the table of operations from the files of its families. native/wire/program.h lists the same codes and fields.
// Pure.
import { containerOps } from './containers.ts'
import { groupOps } from './groups.ts'
import { mountOps } from './mounts.ts'
import { namespaceOps } from './namespaces.ts'
import { processOps } from './process.ts'
import { rightOps } from './rights.ts'
import { rootFileOps } from './root-files.ts'
import type { OpRow, Values } from './row.ts'

/** All operations by name; row.ts describes the fields of a row. */
export const ops = {
  ...groupOps,
  ...processOps,
  ...namespaceOps,
  ...mountOps,
  ...rootFileOps,
  ...rightOps,
  ...containerOps,
}

/** Which session a started process belongs to; native/wire/program.h defines the values. */
export const sessions = { kept: 0, own: 1, library: 2 } as const

type Table = typeof ops
type OpName = keyof Table

/** An operation: its name, its fields, and the option that requested it. */
export type Op = {
  [N in OpName]: { op: N; origin: string } & (Table[N] extends OpRow<infer F> ? Values<F> : never)
}[OpName]

/** A compiled plan: two lists of operations. `outer` runs in the process that starts the child; `inner` runs in the child. */
export interface Program {
  readonly outer: Op[]
  readonly inner: Op[]
  /** Where the figures belong that `outer` reads; known in advance for a program that is compiled only if it is needed. */
  readonly places?: readonly FigurePlace[]
}

/** A file that an operation of `outer` reads. */
export interface FigurePlace {
  /** Index of the operation in `outer`. */
  step: number
  /** True if the operation comes after the wait. */
  isAfter: boolean
  /** Index of the job's group that contains the file; -1 if `directory` is another group. */
  group: number
  directory: string
  file: string
}

/** Returns an operation's row in the table. */
export function rowOf(op: Op): OpRow<never> {
  return ops[op.op] as unknown as OpRow<never>
}
