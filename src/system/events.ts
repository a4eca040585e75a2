// SPDX-License-Identifier: Apache-2.0
// Decodes the events of the native core into typed values, from the numbers that native/node/job.h describes. Called by reactor.ts; pure.
import { errnoName, eventKinds, type Listener } from './native.ts'

/** The numbers that follow the job's number in an event. */
type Numbers = Parameters<Listener> extends [number, ...infer Rest] ? Rest : never

/** Factor of the part in a refusal: the number is the errno plus this factor times the part (stepParts of ops/wire.ts). */
export const stepPart = 4096

/** A refusal of the kernel: the errno's name, and the part of the operation that failed. */
export interface Refusal {
  errno: string
  /** Index in stepParts; for a clean-up, the number of the system call. */
  part: number
}

export function decodeRefusal(value: number): Refusal {
  return { errno: errnoName(-(value % stepPart)), part: Math.floor(value / stepPart) }
}

export type NativeEvent =
  /** An inner operation was refused. `call` is the number of the system call; 0 if unknown. */
  | ({ kind: 'failed'; step: number; call: number } & Refusal)
  /** The watched file of an outer operation changed. `text` is its content; '' for an eventfd. */
  | { kind: 'noticed'; step: number; text: string }
  /** hutch sent a signal, because a time limit was reached or because it was requested. */
  | { kind: 'stopped'; signal: number; cpuTime: boolean }
  | EndedEvent
  /** A trigger fired `count` times. `gone` means that its group was removed. */
  | { kind: 'triggered'; gone: boolean; count: number }
  /** A prestarted sandbox waits for its job, or ended before it had read the job's request. */
  | { kind: 'ready' | 'unread' }
  /** The filter refused a call. `which` is its number; -1 means all counts, -2 all calls. */
  | { kind: 'refused'; which: number; bytes: Buffer | undefined }
  /** What hutch-init found at a refused program or mount target. */
  | { kind: 'program'; bytes: Buffer | undefined }

/** The job has ended, and its groups have been read and removed. */
interface EndedEvent {
  kind: 'ended'
  /** Wait status of the command, see wait(2); -1 if the job's PID 1 did not report it. */
  commandStatus: number
  /** Wait status of the process that hutch cloned. */
  ownStatus: number
  /** The first clean-up operation that failed; undefined if none did. */
  leftover: ({ step: number } & Refusal) | undefined
  userUsec: number
  systemUsec: number
  /** Peak resident memory in KiB; 0 if unknown. */
  maxRss: number
  /** Voluntary and involuntary context switches. */
  voluntary: number
  forced: number
  used: { fullSpaces: number; fullTables: number; tableLimit: number; stoppedProcesses: number; frozen: boolean }
  /** Input of decodeFigures in ops/wire.ts. */
  figures: Buffer | undefined
}

/** Returns the wait status of the command, or of the process that should have executed it. */
export function endStatus({ commandStatus, ownStatus }: EndedEvent): number {
  return commandStatus === -1 ? ownStatus : commandStatus
}

type Decoder = (...numbers: Numbers) => NativeEvent

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
  ready: () => ({ kind: 'ready' }),
  unread: () => ({ kind: 'unread' }),
  refused: (_kind, which, _b, _c, _d, _user, _system, bytes) => ({ kind: 'refused', which, bytes }),
  program: (_kind, _a, _b, _c, _d, _user, _system, bytes) => ({ kind: 'program', bytes }),
}

const byNumber: Decoder[] = []
for (const [name, number] of Object.entries(eventKinds)) byNumber[number] = decoders[name as keyof typeof eventKinds]

export function decodeEvent(...numbers: Numbers): NativeEvent {
  return byNumber[numbers[0]]!(...numbers)
}
