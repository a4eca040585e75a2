// SPDX-License-Identifier: Apache-2.0
// Runs a program without a job's groups, limits and verdict, for drop-in commands. Returns its end as wait(2) reports
// it. Exports runProgram and endAs.
import { fail, type HutchError } from '../errors/errors.ts'
import { findObstacles } from '../host/privileges.ts'
import type { Op, Program } from '../ops/ops.ts'
import { encodeProgram } from '../ops/wire.ts'
import { decodeRefusal, endStatus, type NativeEvent, type Refusal } from '../system/events.ts'
import { native } from '../system/native.ts'
import { unwatchJob, watchedNative, watchJob } from '../system/reactor.ts'
import type { ProgramReport } from '../verdict/exec-failure.ts'
import { decodeProgramReports, execError, explainPlainExec } from './exec-facts.ts'
import { nameFailedCall } from './failed-call.ts'
import type { TargetReport } from './mount-errors.ts'
import { decodeTargetState } from './mount-target.ts'
import { explainAlone } from './op-errors.ts'

/**
 * What happens to signals that this process receives. `forward`: all are passed on to the command. `forward-two`: only
 * INT and TERM are passed on. `ignore-two`: INT and TERM are ignored. `leave`: signals have their default effect.
 */
export type Signals = 'forward' | 'forward-two' | 'ignore-two' | 'leave'

/** How a command ended, or why it did not start. */
type Ending = { exit: number } | { signal: number } | { notFound: boolean; error: HutchError }

/**
 * Runs a command to its end on this process's own streams. `started` is called with the command's process id before
 * this function returns.
 *
 * @throws HutchError for an operation that the kernel refused
 */
export function runProgram(program: Program, signals: Signals, started?: (pid: number) => void): Promise<Ending> {
  const addon = watchedNative()
  const passed: number[] = []
  let job = 0
  if (signals === 'forward') addon.holdSignals()
  if (signals === 'forward-two' || signals === 'ignore-two')
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      process.on(name, (_: string, number: number) => {
        if (signals === 'ignore-two') return
        if (job > 0) addon.signal(job, number)
        else passed.push(number)
      })
  const [id, pid, errno = 0, call = 0] = addon.launch(encodeProgram(program), Int32Array.of(0, 1, 2))
  if (id <= 0) throw refusal(program.outer[pid], decodeRefusal(errno), call)
  job = id
  if (signals === 'forward') addon.forward(job)
  for (const number of passed) addon.signal(job, number)
  started?.(pid)
  return new Promise((resolve, reject) => {
    let failed: Extract<NativeEvent, { kind: 'failed' }> | undefined
    let seen: TargetReport | undefined
    const looks: ProgramReport[] = []
    watchJob(job, (event) => {
      if (event.kind === 'failed') failed ??= event
      if (event.kind === 'program') looks.push(...decodeProgramReports(event.bytes))
      const state = event.kind === 'program' ? decodeTargetState(event.bytes) : undefined
      // of the drop-ins that use this function, only bwrap mounts something inside a root directory
      if (state) seen = { state, frontend: 'bwrap', steps: program.inner.slice(0, failed?.step ?? 0) }
      if (event.kind !== 'ended') return
      unwatchJob(job)
      if (signals === 'forward') addon.forward(0)
      const status = endStatus(event)
      const op = failed && program.inner[failed.step]
      if (!failed) resolve(status & 0x7f ? { signal: status & 0x7f } : { exit: status >> 8 })
      else if ((op?.op === 'exec' || op?.op === 'execFile') && failed.part === 0)
        resolve({ notFound: failed.errno === 'ENOENT', error: notStarted(program, op, failed.errno, looks) })
      else reject(refusal(op, failed, failed.call, seen))
    })
  })
}

/**
 * If a signal ended the command, ends this process by the same signal, so that a waiting shell sees the same. Otherwise
 * returns the command's exit status.
 */
export function endAs(ending: { exit: number } | { signal: number }): number {
  if ('exit' in ending) return ending.exit
  native().dieBy(ending.signal)
  return 128 + ending.signal
}

function refusal(op: Op | undefined, { errno, part }: Refusal, call: number, seen?: TargetReport): HutchError {
  const error = op
    ? explainAlone(op, errno, part, findObstacles, seen)
    : fail('STEP_REFUSED', {
        what: 'start',
        operation: 'hutch-init',
        origin: 'the command',
        errno,
        remedy: 'raise the limit of open files (ulimit -n), or rebuild hutch',
      })
  return nameFailedCall(error, call, errno)
}

/** Returns the error for a failed exec: the first line as the original tool prints it, then what hutch found. */
function notStarted(
  { inner }: Program,
  op: Extract<Op, { op: 'exec' | 'execFile' }>,
  errno: string,
  looks: readonly ProgramReport[],
): HutchError {
  const path = op.op === 'execFile' ? op.file : op.argv[0]!
  const has = (...names: Op['op'][]) => inner.some((one) => names.includes(one.op))
  const facts = {
    command: path,
    errno,
    looks,
    searchPath: op.op === 'exec' ? op.path : '',
    // this operation occurs only with bwrap, which builds its root directory from nothing
    frontend: has('emptyRoot') ? ('bwrap' as const) : ('tool' as const),
    ownRoot: has('emptyRoot', 'changeRoot', 'holdDirectories', 'pivotRoot'),
    filtered: has('installFilter'),
  }
  return execError(explainPlainExec(facts, inner), path, errno)
}
