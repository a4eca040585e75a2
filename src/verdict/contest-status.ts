// SPDX-License-Identifier: Apache-2.0
// Maps a result to the status words of programming contests. Pure.
import type { Result } from './result.ts'

/**
 * OK; RE: non-zero exit status; TLE: time limit; MLE: memory; OLE: output; SG: signal; internal: no status. An internal status means that
 * the program could not start, or that its caller stopped it.
 */
export type ContestStatus = 'OK' | 'RE' | 'TLE' | 'MLE' | 'OLE' | 'SG' | 'internal'

/** Returns a result's status. Exceeding RLIMIT_FSIZE counts as output. */
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
