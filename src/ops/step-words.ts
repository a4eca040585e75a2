// SPDX-License-Identifier: Apache-2.0
// Returns the texts in the table of operations that describe a refused operation. Pure; called by run/op-errors.ts and
// run/mount-errors.ts.
import { asRoot, oneOf, type RemedyText, text } from '../errors/remedy-text.ts'
import { type Op, rowOf } from './ops.ts'

/** Returns what a refused operation should have done, in words that follow "cannot". */
export function stepWhat(op: Op): string {
  const { what = op.op } = rowOf(op)
  return typeof what === 'string' ? what : what(op as never)
}

/** Returns the remedy for a refused operation. */
export function stepRemedy(op: Op, errno: string): RemedyText {
  const { right, ways, remedy } = rowOf(op)
  if (right && (errno === 'EPERM' || errno === 'EACCES'))
    return text`${right}: ${oneOf([...(ways?.() ?? []), 'leave it out', asRoot()], 'leave it out')}`
  return remedy?.(op as never, errno) ?? 'see hutch doctor'
}
