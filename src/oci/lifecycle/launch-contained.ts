// SPDX-License-Identifier: Apache-2.0
// Starts the first process of a container, or a process in one, up to the point where it waits for its start.

import { fail, type HutchError, nameOptions } from '../../errors/errors.ts'
import { findObstacles } from '../../host/privileges.ts'
import { propertyName, propertyNames } from '../../options/property-names.ts'
import type { Spec } from '../../options/spec.ts'
import { nameFailedCall } from '../../run/failed-call.ts'
import { type LaunchHooks, launch } from '../../run/launch.ts'
import { decodeTargetState, seenBy, type TargetState } from '../../run/mount-target.ts'
import { explainAlone } from '../../run/op-errors.ts'
import { endStatus, type NativeEvent } from '../../system/events.ts'
import { unwatchJob, watchedNative, watchJob } from '../../system/reactor.ts'
import { signalName } from '../../system/signals.ts'
import { refusedCommand } from './start-command.ts'

type FailedStep = Extract<NativeEvent, { kind: 'failed' }>

/** A process that is set up and waits for its start. */
export interface Waiting {
  /** Number of the job, for signals. */
  job: number
  pid: number
  /** Resolves with the wait status when the process has ended, as long as this process runs. */
  end: Promise<number>
}

/**
 * Launches a process and resolves when it waits for its start. `beforeRoot` runs while it waits before its root is
 * changed. If it throws, the process ends.
 *
 * @throws HutchError, with no process left
 */
export function launchContained(
  spec: Spec,
  stdio: readonly number[],
  hooks: LaunchHooks,
  { launched, beforeRoot }: { launched?: (pid: number) => void; beforeRoot?: (pid: number) => Promise<void> } = {},
): Promise<Waiting> {
  const { job, pid, plan, program } = launch(spec, stdio, hooks)
  const addon = watchedNative()
  launched?.(pid)
  let failure: unknown
  let isReady = false
  let over: (status: number) => void
  const end = new Promise<number>((resolve) => {
    over = resolve
  })
  let explain: ((state?: TargetState) => HutchError) | undefined
  const explainer = ({ step, errno, part, call }: FailedStep) => {
    const op = program.inner[step]!
    const named = { ...op, origin: propertyName(op.origin) }
    return (state?: TargetState) => {
      if (op.op === 'checkProgram') return refusedCommand(plan.argv[0]!, plan.searchPath, errno)
      const seen = state && seenBy(plan, program.inner.slice(0, step), state)
      const error = explainAlone(named, errno, part, findObstacles, seen)
      return nameFailedCall(nameOptions(error, propertyNames), call, errno)
    }
  }
  return new Promise((resolve, reject) => {
    watchJob(job, (event) => {
      if (event.kind === 'failed') {
        explain ??= explainer(event)
        failure ??= explain()
      } else if (event.kind === 'program') {
        const target = decodeTargetState(event.bytes)
        if (target && explain) failure = explain(target)
      } else if (event.kind === 'ready' && event.waitsFor === 'root')
        beforeRoot!(pid).then(
          () => addon.release(job),
          (error: unknown) => {
            failure ??= error
            addon.signal(job, 9)
          },
        )
      else if (event.kind === 'ready') {
        isReady = true
        resolve({ job, pid, end })
      } else if (event.kind === 'ended') {
        unwatchJob(job)
        const status = endStatus(event)
        over(status)
        if (isReady) return
        const signal = signalName(status & 0x7f)
        reject(failure ?? fail('CONTAINER_ENDED', { why: signal ?? `exit status ${status >> 8}` }))
      }
    })
  })
}

/** Returns the exit status of a command as a shell counts it: 128 and the number of the signal that ended it. */
export function statusOfEnd(status: number): number {
  const signal = status & 0x7f
  return signal > 0 ? 128 + signal : (status >> 8) & 0xff
}
