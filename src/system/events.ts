// SPDX-License-Identifier: Apache-2.0
// Decodes the events of the native core into typed values, from the numbers that native/node/job.h describes. Called by reactor.ts; pure.
import { errnoName, eventKinds, type Listener, readyFor } from './native.ts'

/** The arguments of a native event that follow the job's number. */
type Numbers = Parameters<Listener> extends [number, ...infer Rest] ? Rest : never

/**
 * A refusal is encoded as one number: the errno plus this factor times the part of the operation that failed (stepParts
 * in ops/wire.ts).
 */
export const stepPart = 4096

/** A refusal of the kernel: the errno's name, and the part of the operation that failed. */
export interface Refusal {
  errno: string
  /** Index in `stepParts`. For a failed clean-up, the number of the system call instead. */
  part: number
}

export function decodeRefusal(value: number): Refusal {
  return { errno: errnoName(-(value % stepPart)), part: Math.floor(value / stepPart) }
}

export type NativeEvent =
  /** The kernel refused an inner operation. `call` is the number of the system call; 0 if unknown. */
  | ({ kind: 'failed'; step: number; call: number } & Refusal)
  /** A file changed that an outer operation watches. `text` is its new content; '' for an eventfd. */
  | { kind: 'noticed'; step: number; text: string }
  /** hutch sent a signal to the job, because a time limit was reached or because the caller requested it. */
  | { kind: 'stopped'; signal: number; cpuTime: boolean }
  | EndedEvent
  /** A pressure trigger or an eventfd fired `count` times. `gone` is true if its group was removed. */
  | { kind: 'triggered'; gone: boolean; count: number }
  /**
   * The job waits: a prestarted sandbox for its request (`order`), a container before its root is changed (`root`) or for
   * its start (`start`).
   */
  | { kind: 'ready'; waitsFor: keyof typeof readyFor }
  /** A prestarted sandbox ended before it had read the job's request. */
  | { kind: 'unread' }
  /**
   * The filter refused a system call. `which` is its index in the list of refused calls. -1 means the counts of all, -2
   * all calls of a learning run.
   */
  | { kind: 'refused'; which: number; bytes: Buffer | undefined }
  /** What hutch-init found out about a program or a mount target that the kernel refused. */
  | { kind: 'program'; bytes: Buffer | undefined }

/** The job has ended, and the figures of its groups have been read. The groups have been removed. */
interface EndedEvent {
  kind: 'ended'
  /** The command's wait status, see wait(2). -1 if the job's PID 1 did not report one. */
  commandStatus: number
  /** The wait status of the process that hutch cloned, which is PID 1 of the job or the command itself. */
  ownStatus: number
  /** The first operation of the clean-up that failed; undefined if all succeeded. */
  leftover: ({ step: number } & Refusal) | undefined
  userUsec: number
  systemUsec: number
  /** Peak resident memory in KiB; 0 if unknown. */
  maxRss: number
  /** Voluntary and involuntary context switches. */
  voluntary: number
  forced: number
  used: { fullSpaces: number; fullTables: number; tableLimit: number; stoppedProcesses: number; frozen: boolean }
  /** The contents of the files with the job's figures; decodeFigures in ops/wire.ts decodes them. */
  figures: Buffer | undefined
}

/** Returns the command's wait status. If the command did not start, returns that of the process that should have executed it. */
export function endStatus({ commandStatus, ownStatus }: EndedEvent): number {
  return commandStatus === -1 ? ownStatus : commandStatus
}

type Decoder = (...numbers: Numbers) => NativeEvent

const readyNames = Object.keys(readyFor) as (keyof typeof readyFor)[]

const decoders: { [kind in keyof typeof eventKinds]: Decoder } = {
  failed: (_kind, step, value, call) => ({ kind: 'failed', step, call, ...decodeRefusal(value) }),
  noticed: (_kind, step, _b, _c, _d, _user, _system, bytes) => ({
    kind: 'noticed',
    step,
    text: bytes?.toString('latin1') ?? '',
  }),
  stopped: (_kind, signal, byCpuTime) => ({ kind: 'stopped', signal, cpuTime: byCpuTime === 1 }),
  ended: (
    _kind,
    commandStatus,
    ownStatus,
    step,
    value,
    userUsec,
    systemUsec,
    figures,
    maxRss,
    voluntary,
    forced,
    ...used
  ) => ({
    kind: 'ended',
    commandStatus,
    ownStatus,
    leftover: step >= 0 ? { step, ...decodeRefusal(value) } : undefined,
    userUsec,
    systemUsec,
    maxRss,
    voluntary,
    forced,
    used: {
      fullSpaces: used[0],
      fullTables: used[1],
      tableLimit: used[2],
      stoppedProcesses: used[3],
      frozen: used[4] === 1,
    },
    figures,
  }),
  triggered: (_kind, gone, count) => ({ kind: 'triggered', gone: gone === 1, count }),
  ready: (_kind, number) => ({ kind: 'ready', waitsFor: readyNames.find((name) => readyFor[name] === number)! }),
  unread: () => ({ kind: 'unread' }),
  refused: (_kind, which, _b, _c, _d, _user, _system, bytes) => ({ kind: 'refused', which, bytes }),
  program: (_kind, _a, _b, _c, _d, _user, _system, bytes) => ({ kind: 'program', bytes }),
}

const byNumber: Decoder[] = []
for (const [name, number] of Object.entries(eventKinds)) byNumber[number] = decoders[name as keyof typeof eventKinds]

export function decodeEvent(...numbers: Numbers): NativeEvent {
  return byNumber[numbers[0]]!(...numbers)
}
