// SPDX-License-Identifier: Apache-2.0
// A program as a person reads it: each operation in words, and the shell line that does the same by hand. Pure.
import { type Op, type Program, rowOf } from './ops.ts'

/** One operation, explained. An empty shell line means that a shell has nothing like it. */
export interface ExplainedStep {
  section: 'outer' | 'inner'
  step: number
  op: Op['op']
  origin: string
  words: string
  shell: string
}

/** Every step of both sections, in the order in which they are written down. */
export function explainProgram(program: Program): ExplainedStep[] {
  // what has a relative target is meant from the file system attached last at an absolute one
  let last = ''
  const explain = (section: ExplainedStep['section']) => (op: Op, step: number) => {
    if (op.op === 'attachNew' && op.target.startsWith('/')) last = op.target
    const shown = fromRoot(op, last)
    return { section, step, op: op.op, origin: op.origin, ...rowOf(shown).explain(shown as never) }
  }
  return [...program.outer.map(explain('outer')), ...program.inner.map(explain('inner'))]
}

function fromRoot(op: Op, last: string): Op {
  const full = (path: string) => (path.startsWith('/') ? path : `${last}/${path}`)
  switch (op.op) {
    case 'attachTree':
    case 'attachNew':
      return { ...op, target: full(op.target) }
    case 'makeLink':
      return { ...op, name: full(op.name) }
    case 'coverPath':
      return { ...op, path: full(op.path) }
    default:
      return op
  }
}
