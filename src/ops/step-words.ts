// SPDX-License-Identifier: Apache-2.0
// What the table of operations says of a step that was refused. Pure; called by run/op-errors.ts and run/mount-errors.ts.
import { asRoot, oneOf } from '../errors/front-door.ts'
import { type Op, rowOf } from './ops.ts'

/** Returns what the step does, to be read after "cannot". */
export function stepWhat(op: Op): string {
  const { what = op.op } = rowOf(op)
  return typeof what === 'string' ? what : what(op as never)
}

/** Returns what to do about a refused step. */
export function stepRemedy(op: Op, errno: string): string {
  const { right, ways, remedy } = rowOf(op)
  if (right && (errno === 'EPERM' || errno === 'EACCES'))
    return `${right}: ${oneOf([...(ways?.() ?? []).filter((way) => way !== undefined), 'leave it out', asRoot()], 'leave it out')}`
  return remedy?.(op as never, errno) ?? 'see hutch doctor'
}
