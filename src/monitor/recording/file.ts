// SPDX-License-Identifier: Apache-2.0
// Which file is meant when none is named, and whether it can know of a job.
import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import type { Result } from '../../verdict/result.ts'

/** Where a recording is when no file is named. */
export function defaultFile(): string {
  if (process.getuid?.() === 0) return '/var/lib/hutch/history.db'
  return `${process.env.XDG_STATE_HOME || `${homedir()}/.local/state`}/hutch/history.db`
}

/** Of these a verdict tells what was recorded before. */
const byLimits = new Set<Result['reason']>(['oom', 'pids', 'timeout', 'cpu-time'])

/** Whether a limit stopped or held back a job, and something was written into this file or its log since the job began. */
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
