// SPDX-License-Identifier: Apache-2.0
// Words for limits that a job is beside and not below. Pure.
import type { AppliedOuterLimit } from '../plan/outer-limits.ts'

/** systemd gives every unit a limit of tasks, so one that holds for the job as well is not worth a warning. */
const quiet = new Set(['pids.max'])

/** A warning with each group, file and value; undefined if there is nothing to warn of. */
export function describeOuter(outer: readonly AppliedOuterLimit[]): string | undefined {
  const told = outer.filter(({ file, held }) => !held || !quiet.has(file))
  if (told.length === 0) return undefined
  const lines = told.map(({ directory, file, value, held }) => {
    const text = value.split('\n').join(', ')
    return `  ${file.padEnd(11)}  ${text} of ${directory}: ${held ? 'set for the job itself' : 'does not apply to the job'}`
  })
  const why = 'processes in that group prevent hutch from creating limited groups in it'
  return [`warning: the job is outside of a group of its caller: ${why}`, ...lines].join('\n')
}
