// SPDX-License-Identifier: Apache-2.0
// Runs the rest of a program that another process started (plan/compile-rest.ts): waits for the command, reads the figures, removes groups.

import { fail, type HutchError } from '../errors/errors.ts'
import { type Op, type Program, rowOf } from '../ops/ops.ts'
import { decodeFigures, encodeProgram } from '../ops/wire.ts'
import { decodeRefusal, endStatus } from '../system/events.ts'
import { unwatchJob, watchedNative, watchJob } from '../system/reactor.ts'

/** The end of a command that another process started. */
interface RestEnd {
  /** Wait status; undefined if this process is not the command's parent. */
  status: number | undefined
  /** The files that were read, by the step of the program. */
  figures: Map<number, string>
}

/** A command that this process has taken over. */
interface Adopted {
  /** Resolves after the last operation of the program. */
  end: Promise<RestEnd>
  /** Sends a signal to all its processes. Returns false if it has ended. */
  signal: (number: number) => boolean
}

/** Takes over a command, by a program of compileRest. @throws STEP_REFUSED, also if the command has ended already */
export function runRest(program: Program): Adopted {
  const addon = watchedNative()
  const [job, step, errno = 0] = addon.launch(encodeProgram(program), Int32Array.of(-1, -1, -1))
  if (job === 0) throw refused(program.outer[step]!, decodeRefusal(errno).errno)
  const end = new Promise<RestEnd>((resolve, reject) =>
    watchJob(job, (event) => {
      if (event.kind !== 'ended') return
      unwatchJob(job)
      const { leftover } = event
      const status = endStatus(event)
      if (leftover) reject(refused(program.outer[leftover.step]!, leftover.errno))
      else resolve({ status: status === -1 ? undefined : status, figures: decodeFigures(event.figures) })
    }),
  )
  return { end, signal: (number) => addon.signal(job, number) === 0 }
}

function refused(op: Op, errno: string): HutchError {
  const row = rowOf(op)
  const what = typeof row.what === 'function' ? row.what(op as never) : (row.what ?? row.call)
  const remedy = row.remedy?.(op as never, errno) ?? 'see hutch doctor'
  return fail('STEP_REFUSED', { what, operation: row.call, origin: op.origin, errno, remedy })
}
