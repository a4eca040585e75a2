// SPDX-License-Identifier: Apache-2.0
// Launches a sandbox of a pool, which waits before it executes a command. Sends it the request for a job. Called by
// pool.ts and ready-queue.ts.

import { writeGroupFile } from '../cgroup/files.ts'
import { fail, type HutchError } from '../errors/errors.ts'
import { findObstacles } from '../host/privileges.ts'
import type { Op } from '../ops/ops.ts'
import { encodeOrder, orderBytesAtMost } from '../ops/wire.ts'
import type { Spec } from '../options/spec.ts'
import { explainLeftover, nameFailedCall } from '../run/failed-call.ts'
import { type Following, follow } from '../run/follow.ts'
import { Job, startSpec, visible } from '../run/job.ts'
import { beginConnection } from '../run/job-network.ts'
import { type Launched, launch } from '../run/launch.ts'
import { decodeTargetState, seenBy, type TargetState } from '../run/mount-target.ts'
import { explainRefusal } from '../run/op-errors.ts'
import { type Cap, closeEnds, connectStreams, openStreams } from '../run/stdio.ts'
import { copyOutput, type StdioSources } from '../run/stdio-sources.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'
import { monotonicMs } from '../system/clock.ts'
import { systemConstants } from '../system/constants.ts'
import { endStatus } from '../system/events.ts'
import { closeDescriptor, errnoName, toolPath } from '../system/native.ts'
import { unwatchJob, watchedNative, watchJob } from '../system/reactor.ts'
import { signalName } from '../system/signals.ts'
import { makeOrder, type OrderOptions, waitForOrder } from './job-request.ts'

/** A sandbox that waits for a job, or that is being launched. */
export interface WaitingSandbox {
  launched: Launched
  /** The inner operations that follow the wait, and are sent with the job. */
  rest: Op[]
  /** True if the sandbox waits: all operations before the wait are done. */
  ready: boolean
  /** Launch time: monotonicMs(). */
  born: number
}

/** Callbacks about a sandbox that has no job yet. */
export interface SandboxEvents {
  ready(): void
  /**
   * Called when the sandbox has ended and its groups are removed. `error` is given if one of its operations was
   * refused. `ending` describes its end in words.
   */
  ended(error: HutchError | undefined, ending: string): void
}

/** Launches a sandbox, which then waits for a job. @throws HutchError, with nothing left behind */
export function launchWaiting(spec: Spec, filter: FilterMaker | undefined, events: SandboxEvents): WaitingSandbox {
  let rest: Op[] = []
  const born = monotonicMs()
  const launched = launch(spec, [-1, -1, -1], {
    filter,
    recompile: (_, usual) => {
      const waiting = waitForOrder(usual)
      rest = waiting.rest
      return waiting.program
    },
  })
  const waiting: WaitingSandbox = { launched, rest, ready: false, born }
  const { job, plan, program } = launched
  let failure: HutchError | undefined
  let explainStep: ((state?: TargetState) => HutchError) | undefined
  if (plan.network)
    launched.connecting = beginConnection(launched, startSpec, (error) => {
      failure ??= error as HutchError
      discard(waiting)
    })
  watchJob(job, (event) => {
    if (event.kind === 'ready') {
      // ignore this event if the launch has failed in the meantime
      if (failure) return
      waiting.ready = true
      events.ready()
    } else if (event.kind === 'failed') {
      const { step, errno, part, call } = event
      const op = program.inner[step]
      if (op && !failure) {
        explainStep = (state) => {
          const seen = state && seenBy(plan, program.inner.slice(0, step), state)
          return nameFailedCall(explainRefusal(op, errno, plan, findObstacles, part, '', seen), call, errno)
        }
        failure = explainStep()
      }
    } else if (event.kind === 'program') {
      const target = decodeTargetState(event.bytes)
      if (target && explainStep) failure = explainStep(target)
    } else if (event.kind === 'ended') {
      unwatchJob(job)
      const left = event.leftover && program.outer[event.leftover.step]
      if (left) failure ??= explainLeftover(left, event.leftover!, plan)
      const over = () => events.ended(failure, endOf(endStatus(event)))
      if (launched.connecting) void launched.connecting.end().then(over, over)
      else over()
    }
  })
  return waiting
}

function endOf(status: number): string {
  const number = status & 0x7f
  return number === 0 ? `status ${status >> 8}` : (signalName(number) ?? `signal ${number}`)
}

/** Ends a sandbox that is not needed. `ended` is called when it has ended. */
export function discard({ launched }: WaitingSandbox): void {
  watchedNative().signal(launched.job, systemConstants.signals.SIGKILL)
}

/** What starting a job in a sandbox needs besides the job's Spec. */
export interface JobOrder extends Following {
  options: OrderOptions
  sources: StdioSources
}

/**
 * Starts a job in a prestarted sandbox by sending its request. Returns undefined if the sandbox has ended. @throws
 * CGROUP_LIMIT_REFUSED, OPTION_INVALID, STEP_REFUSED; the sandbox can still be used
 */
export function orderJob(
  waiting: WaitingSandbox,
  spec: Spec,
  { options, sources, ...hooks }: JobOrder,
): Job | undefined {
  const { launched } = waiting
  const { plan, program, writes, ops } = makeOrder(spec, options, { ...launched, ...waiting }, toolPath)
  const bytes = encodeOrder(ops)
  if (bytes.length > orderBytesAtMost)
    throw fail('OPTION_INVALID', {
      name: 'the command, its arguments and its environment',
      value: `${bytes.length} bytes`,
      why: `a request has at most ${orderBytesAtMost}`,
      accepted: 'fewer bytes; pass long data by stdin or in a file',
    })
  const cap: Cap | undefined = spec.maxOutput === undefined ? undefined : { max: spec.maxOutput }
  const ends = openStreams(sources.stdio, cap !== undefined)
  let answer = 0
  try {
    for (const write of writes) {
      const slash = write.path.lastIndexOf('/')
      const errno = writeGroupFile(write.path.slice(0, slash), write.path.slice(slash + 1), write.value)
      // ENOENT and ENODEV mean that the groups were removed, because the sandbox has ended
      if (errno !== undefined && errno !== 'ENOENT' && errno !== 'ENODEV')
        throw explainRefusal(write, errno, plan, findObstacles)
    }
    answer = watchedNative().order(
      launched.job,
      bytes,
      Int32Array.from(ends.theirs),
      spec.timeoutMs,
      spec.cpuTimeMs ?? 0,
    )
    if (answer < 0 && !gone.has(answer)) throw refused(errnoName(answer))
  } catch (error) {
    closeEnds(ends)
    throw error
  }
  if (answer < 0) {
    closeEnds(ends)
    return undefined
  }
  const begun = monotonicMs()
  for (const fd of ends.opened) closeDescriptor(fd)
  const streams = copyOutput(connectStreams(ends, cap), sources.writables)
  return new Job({ ...launched, plan, program }, visible(streams, hooks), (sent) =>
    follow({ ...launched, plan, program }, begun, sent, hooks, streams, cap),
  )
}

const gone = new Set([-systemConstants.errno.ESRCH, -systemConstants.errno.EPIPE, -systemConstants.errno.ECONNRESET])

function refused(errno: string): HutchError {
  return fail('STEP_REFUSED', {
    what: 'send a job to a waiting sandbox',
    operation: 'sendmsg',
    origin: 'the pool',
    errno,
    remedy:
      errno === 'EBADF'
        ? 'give descriptors in stdio that are open'
        : 'check that net.core.wmem_default is at least 212992, and that not too many descriptors are being sent at once (ulimit -n)',
  })
}
