// SPDX-License-Identifier: Apache-2.0
// The words that judges of programming contests use, for a result. Pure.
import type { Result } from './result.ts'

/**
 * OK; RE, it ended with another status than 0; TLE, a limit of time; MLE, of memory; OLE, of output;
 * SG, a signal; internal: the program was not judged, since it could not start or its caller stopped it.
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
