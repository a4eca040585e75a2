// SPDX-License-Identifier: Apache-2.0
// Explains a program of operations for --explain: each operation in words, with the equivalent shell command. Pure.
import { type Op, type Program, rowOf } from './ops.ts'

/** An explained operation. The shell command is empty if a shell has no equivalent. */
export interface ExplainedStep {
  section: 'outer' | 'inner'
  step: number
  op: Op['op']
  origin: string
  words: string
  shell: string
}

/** Explains all operations of the outer and the inner section, in order. */
export function explainProgram(program: Program): ExplainedStep[] {
  // a relative target is below the file system that was mounted last at an absolute target
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
