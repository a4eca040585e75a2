// SPDX-License-Identifier: Apache-2.0
// Returns the status words that programming contests use for a result. Pure.
import type { Result } from './result.ts'

/**
 * OK: success; RE: non-zero exit status; TLE: time limit exceeded; MLE: memory limit; OLE: output limit; SG: signal.
 * `internal` means that the program could not start, or that its caller stopped it.
 */
export type ContestStatus = 'OK' | 'RE' | 'TLE' | 'MLE' | 'OLE' | 'SG' | 'internal'

/** Returns the contest's status of a result. A job that exceeded RLIMIT_FSIZE has the status for output. */
export function contestStatus({
  reason,
  exitCode,
  signal,
}: Pick<Result, 'reason' | 'exitCode' | 'signal'>): ContestStatus {
  switch (reason) {
    case 'not-found':
    case 'not-executable':
    case 'aborted':
      return 'internal'
    case 'timeout':
    case 'cpu-time':
      return 'TLE'
    case 'oom':
      return 'MLE'
    case 'output':
      return 'OLE'
    default:
      if (signal === 'SIGXFSZ') return 'OLE'
      return signal !== null ? 'SG' : exitCode === 0 ? 'OK' : 'RE'
  }
}
