// SPDX-License-Identifier: Apache-2.0
// Runs the operations that follow the start of a command that another process started (plan/compile-rest.ts). Waits for
// the command, reads the figures and removes groups.

import type { HutchError } from '../errors/errors.ts'
import type { Program } from '../ops/ops.ts'
import { decodeFigures, encodeProgram } from '../ops/wire.ts'
import { decodeRefusal, endStatus, type Refusal } from '../system/events.ts'
import { unwatchJob, watchedNative, watchJob } from '../system/reactor.ts'
import { explainAlone } from './op-errors.ts'

/** How a command ended that another process started. */
interface RestEnd {
  /** The command's wait status; undefined if this process is not the command's parent. */
  status: number | undefined
  /** Contents of the files that the program read, by the index of its operation. */
  figures: Map<number, string>
}

/** A running command that this process has taken over from the process that started it. */
interface Adopted {
  /** Resolves when the last operation of the program has run. */
  end: Promise<RestEnd>
  /** Sends a signal to all processes of the command. Returns false if the command has ended. */
  signal: (number: number) => boolean
}

/** Takes over a running command with a program from compileRest. @throws STEP_REFUSED, also if the command has already ended */
export function runRest(program: Program): Adopted {
  const addon = watchedNative()
  // no operation of the rest creates a user namespace, which something on this host could forbid
  const refused = (at: number, { errno, part }: Refusal): HutchError =>
    explainAlone(program.outer[at]!, errno, part, () => [])
  const [job, step, errno = 0] = addon.launch(encodeProgram(program), Int32Array.of(-1, -1, -1))
  if (job === 0) throw refused(step, decodeRefusal(errno))
  const end = new Promise<RestEnd>((resolve, reject) =>
    watchJob(job, (event) => {
      if (event.kind !== 'ended') return
      unwatchJob(job)
      const { leftover } = event
      const status = endStatus(event)
      if (leftover) reject(refused(leftover.step, leftover))
      else resolve({ status: status === -1 ? undefined : status, figures: decodeFigures(event.figures) })
    }),
  )
  return { end, signal: (number) => addon.signal(job, number) === 0 }
}
