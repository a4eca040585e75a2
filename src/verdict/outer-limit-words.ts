// SPDX-License-Identifier: Apache-2.0
// Returns words about limits of groups that contain this process but not the job. Called by the command line; pure.
import type { AppliedOuterLimit } from '../plan/outer-limits.ts'

/** Limits that need no warning if the job's group has them too: systemd sets pids.max for every unit. */
const quiet = new Set(['pids.max'])

/** Returns a warning that lists each group, file and value. Returns undefined if no limit needs a warning. */
export function describeOuter(outer: readonly AppliedOuterLimit[]): string | undefined {
  const reported = outer.filter(({ file, held }) => !held || !quiet.has(file))
  if (reported.length === 0) return undefined
  const lines = reported.map(({ directory, file, value, held }) => {
    const text = value.split('\n').join(', ')
    return `  ${file.padEnd(11)}  ${text} of ${directory}: ${held ? 'set for the job itself' : 'does not apply to the job'}`
  })
  const why = 'processes in that group prevent hutch from creating limited groups in it'
  return [`warning: the job is outside of a group of its caller: ${why}`, ...lines].join('\n')
}
