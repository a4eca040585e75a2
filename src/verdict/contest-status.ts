// SPDX-License-Identifier: Apache-2.0
// The words that judges of programming contests use, for a result. Pure.
import type { Result } from './result.ts'

/**
 * OK. RE: a non-zero status. TLE: a time limit. MLE: memory. OLE: output. SG: a signal. internal: not judged, because the program could
 * not start or its caller stopped it.
 */
export type JudgeStatus = 'OK' | 'RE' | 'TLE' | 'MLE' | 'OLE' | 'SG' | 'internal'

/** What a judge calls this end. A file above RLIMIT_FSIZE is output, too. */
export function judgeStatus({ reason, exitCode, signal }: Pick<Result, 'reason' | 'exitCode' | 'signal'>): JudgeStatus {
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
