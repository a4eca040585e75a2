// SPDX-License-Identifier: Apache-2.0
// Starts a container whose process waits for its start (operation awaitStart), and decodes why its command could not be
// executed.
import { decodeRefusal, type Refusal } from '../system/events.ts'
import { errnoName, native } from '../system/native.ts'
import type { ProgramReport } from '../verdict/exec-failure.ts'
import { decodeProgramReports } from './exec-facts.ts'

/** What happened when a container was started. */
type Start =
  /** Its command runs. */
  | { kind: 'started' }
  /** No container waits at the socket: ECONNREFUSED, ENOENT; or it ended meanwhile: ECONNRESET, EPIPE. */
  | { kind: 'absent'; errno: string }
  | ({ kind: 'failed' } & FailedStart)

/** An operation that the kernel refused after the start, usually the exec of the command. */
interface FailedStart extends Refusal {
  /** Index of the operation in the inner section of the container's program. */
  step: number
  /** Number of the system call; 0 if unknown. */
  call: number
  /** What hutch-init found out about the program. */
  looks: ProgramReport[]
}

/** Sizes in bytes of `struct report` and `struct program_look` in native/wire/program.h. */
const sizes = { report: 20, look: 2624 }

/** An agent that answers system calls of a container: a connected socket, and the message that it gets with the listener. */
export interface Agent {
  socket: number
  text: string
}

/** Starts the container that waits at a socket. */
export function startWaiting(path: string, agent?: Agent): Start {
  const bytes = native().startWaiting(path, agent?.socket ?? -1, Buffer.from(agent?.text ?? ''))
  if (typeof bytes === 'number') return { kind: 'absent', errno: errnoName(bytes) }
  if (bytes.length < sizes.report) return { kind: 'started' }
  const looks: ProgramReport[] = []
  for (let at = sizes.report; at + sizes.look <= bytes.length; at += sizes.look)
    looks.push(...decodeProgramReports(bytes.subarray(at, at + sizes.look)))
  const [step, value, call] = [bytes.readUInt32LE(4), bytes.readInt32LE(8), bytes.readUInt32LE(12)]
  return { kind: 'failed', step, call, ...decodeRefusal(value), looks }
}
