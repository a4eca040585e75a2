// SPDX-License-Identifier: Apache-2.0
// Defines the error that `reject: true` throws. Used by job.ts and the pool.
import { escapeUnsafe } from '../text/quote.ts'
import type { Output, Result, StreamCounts } from '../verdict/result.ts'

/**
 * The error that `reject: true` throws if a command did not exit with status 0. It has every field of the result.
 *
 * @example
 * try {
 *   await run('false', { reject: true })
 * } catch (error) {
 *   if (!(error instanceof RunError)) throw error
 *   console.log(error.exitCode) // 1
 * }
 */
export class RunError<O extends Output = string> extends Error implements Result<O> {
  declare readonly command: Result['command']
  declare readonly exitCode: Result['exitCode']
  declare readonly signal: Result['signal']
  declare readonly signalFrom?: NonNullable<Result['signalFrom']>
  declare readonly reason: Result['reason']
  declare readonly judge: Result['judge']
  declare readonly status: Result['status']
  declare readonly durationMs: Result['durationMs']
  declare readonly limits: Result['limits']
  declare readonly usage: Result['usage']
  declare readonly events: Result['events']
  declare readonly cgroup: Result['cgroup']
  declare readonly cause: Result['cause']
  declare readonly verdict: Result['verdict']
  declare readonly seccomp?: NonNullable<Result['seccomp']>
  declare readonly learned?: object
  declare readonly stdout?: O
  declare readonly stderr?: O
  declare readonly all?: O
  declare readonly stdio?: (O | undefined)[]
  declare readonly truncated?: StreamCounts
  declare readonly replaced?: StreamCounts
  declare readonly abortReason?: unknown
  /** The result that the call would return without `reject`. */
  declare readonly result: Result<O>

  /** @internal */
  constructor(result: Result<O>) {
    super(messageOf(result))
    this.name = 'RunError'
    Object.assign(this, result)
    Object.defineProperty(this, 'result', { value: result })
  }
}

const maxLines = 20

/** Returns the error's message: the verdict, its remedy, and the last lines of stderr. */
function messageOf({ verdict, stderr }: Result<Output>): string {
  const lines =
    typeof stderr === 'string' ? stderr.trimEnd().split('\n') : Array.isArray(stderr) ? stderr.map(String) : []
  return [
    verdict.headline,
    ...(verdict.remedy === undefined ? [] : [`  remedy: ${verdict.remedy}`]),
    ...lines.slice(-maxLines).map(escapeUnsafe),
  ]
    .filter((line) => line !== '')
    .join('\n')
}

/** Returns the result. With `reject`, throws it as an error unless the command exited with status 0. @throws RunError */
export function checkResult<O extends Output>(result: Result<O>, reject: boolean): Result<O> {
  if (!reject || (result.status === 0 && result.reason === 'exit')) return result
  const error = new RunError(result)
  throw error
}
