// SPDX-License-Identifier: Apache-2.0
// The events of the native core as typed values: the only reader of the numbers that native/node/job.h describes. Pure.
import { errnoName, eventKinds, type Listener } from './native.ts'

/** What follows the job's number in an event. */
type Numbers = Parameters<Listener> extends [number, ...infer Rest] ? Rest : never

/** A refused step says errno, and above it which part of the operation was refused: see stepParts of ops/wire.ts. */
export const stepPart = 4096

/** Why the kernel refused something: the name of the errno, and what stands above it in the same number. */
export interface Refusal {
  errno: string
  /** Index in stepParts; for a clean-up the number of the system call. */
  part: number
}

export function decodeRefusal(value: number): Refusal {
  return { errno: errnoName(-(value % stepPart)), part: Math.floor(value / stepPart) }
}

export type NativeEvent =
  /** An inner step was refused; `call` is the number of the system call, 0 if unknown. */
  | ({ kind: 'failed'; step: number; call: number } & Refusal)
  /** A watched file of an outer step changed; `text` is its content, empty for an eventfd. */
  | { kind: 'noticed'; step: number; text: string }
  /** hutch sent a signal because a limit of time was reached, or because it was asked to stop the job. */
  | { kind: 'stopped'; signal: number; cpuTime: boolean }
  | EndedEvent
  /** A trigger fired `count` times; `gone`: its group was removed. */
  | { kind: 'triggered'; gone: boolean; count: number }
  /** A prestarted sandbox waits for its job; or it ended before it had read it. */
  | { kind: 'ready' | 'unread' }
  /** The filter refused a call; `which`: its number, -1 for all counts, -2 for all calls. */
  | { kind: 'refused'; which: number; bytes: Buffer | undefined }
  /** What hutch-init found out about a program or mount target that was refused. */
  | { kind: 'program'; bytes: Buffer | undefined }

/** The job has ended, its groups are read and removed. */
interface EndedEvent {
  kind: 'ended'
  /** As wait(2) gives it; -1 if PID 1 of the job said nothing. */
  commandStatus: number
  /** Of the process that hutch cloned. */
  ownStatus: number
  /** The clean-up that failed first, if one did. */
  leftover: ({ step: number } & Refusal) | undefined
  userUsec: number
  systemUsec: number
  /** KiB, 0 if unknown. */
  maxRss: number
  /** Context switches. */
  voluntary: number
  forced: number
  used: { fullSpaces: number; fullTables: number; tableLimit: number; stoppedProcesses: number; frozen: boolean }
  /** For decodeFigures of ops/wire.ts. */
  figures: Buffer | undefined
}

/** Returns the status of the command, or of the process that was to become the command. */
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
