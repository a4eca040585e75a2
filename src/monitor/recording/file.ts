// SPDX-License-Identifier: Apache-2.0
// Returns the default path of recordings, and tells whether a recording can contain data about an ended job.
import { statSync } from '../../system/files.ts'
import { homedir } from '../../system/users.ts'
import type { Result } from '../../verdict/result.ts'

/** Returns the path of the recording that is used if the user names no file. */
export function defaultFile(): string {
  if (process.getuid?.() === 0) return '/var/lib/hutch/history.db'
  return `${process.env.XDG_STATE_HOME || `${homedir()}/.local/state`}/hutch/history.db`
}

/** Reasons of a job's end for which hutch also reports recorded data. */
const byLimits = new Set<Result['reason']>(['oom', 'pids', 'timeout', 'cpu-time'])

/** Returns true if a limit stopped or slowed a job, and the file or its log was written since the job began. */
export function mayBeRecorded({ reason, usage, durationMs }: Result, file: string): boolean {
  const { oomKills = 0, pidsDenied = 0, throttledPeriods = 0 } = usage
  if (!byLimits.has(reason) && oomKills + pidsDenied + throttledPeriods === 0) return false
  const begun = Date.now() - durationMs
  return ['', '-wal'].some((end) => writtenAt(file + end) > begun)
}

function writtenAt(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
  } catch {
    return 0
  }
}
