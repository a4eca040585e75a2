// SPDX-License-Identifier: Apache-2.0
// The result of a run: part of the public API. report.schema.json describes the same document for other languages.
import type { RefusedCall } from '../seccomp/notification.ts'
import type { Cause } from './cause.ts'
import type { ContestStatus } from './contest-status.ts'
import type { Usage } from './usage.ts'

/** The reason for the end, in fewer kinds than `Cause`. */
export type Reason =
  | 'not-found'
  | 'not-executable'
  | 'timeout'
  | 'cpu-time'
  | 'output'
  | 'aborted'
  | 'oom'
  | 'pids'
  | 'space'
  | 'signal'
  | 'exit'

/** An event during the run; `at` is milliseconds since the start. */
export interface JobEvent {
  at: number
  kind: 'oom-kill' | 'pids-denied' | 'stop' | 'kill' | 'refused'
  /** Total up to this event. */
  count?: number
  /** With `seccompReport`: the first refused call of a kind. Such events are listed in the result's `seccomp`, not in its `events`. */
  refusal?: RefusedCall
}

/** The cause in words: what stopped it, the kernel's figures, and a remedy. */
export interface Verdict {
  headline: string
  /** Label and text of each line. */
  evidence: [string, string][]
  remedy?: string
}

/** Output of a command: text, bytes with `encoding: 'buffer'`, or a list of lines with `lines`. */
export type Output = string | string[] | Buffer | Buffer[]

/** A count for each stream; absent if it is 0. */
export interface StreamCounts {
  stdout?: number
  stderr?: number
  all?: number
}

/** How a run ended, also if the job was killed. Errors are thrown only if hutch itself failed. */
export interface Result<O extends Output = string> {
  command: string[]
  /** Exit status of the command; null if a signal ended it. */
  exitCode: number | null
  /** Name of the signal that ended the command, such as SIGKILL; null otherwise. */
  signal: string | null
  /** Origin of the signal: the command or its own faults, another process, or unknown. Absent without a signal. */
  signalFrom?: 'inside' | 'outside' | 'unknown'
  reason: Reason
  /** The status word of programming contests. */
  judge: ContestStatus
  /**
   * The exit status of `hutch run`: the command's own, or 128 + signal. Otherwise 124 for a time limit, 137 for too much output, 126 for
   * not executable, 127 for not found.
   */
  status: number
  durationMs: number
  /** Limits that were set, by kernel file (v2 name). */
  limits: { [file: string]: number | string }
  usage: Usage
  events: JobEvent[]
  cgroup: { layout: 'v2' | 'hybrid' | 'v1' | 'none'; path?: string }
  /** The cause of the end, as data. */
  cause: Cause
  /** The cause in words. */
  verdict: Verdict
  /** With `seccompReport`: each kind of refused call with its count, and the number of refusals of further kinds. */
  seccomp?: { refused: RefusedCall[]; others: number }
  /** With `learn`: the profile of all calls that the command made, in the OCI format. */
  learned?: object
  /** The command's output. Absent with `start`, and for a stream that is not a pipe. */
  stdout?: O
  /** The same of standard error. */
  stderr?: O
  /** With `all`: both streams in the order of arrival. */
  all?: O
  /** Bytes that were discarded, because a stream was longer than `maxBuffer`. Absent if nothing is missing. */
  truncated?: StreamCounts
  /**
   * Invalid sequences of bytes that `encoding` could not represent, and that became U+FFFD. With `ascii`: bytes from 128 on, which lost
   * their highest bit. Absent if the text has all bytes; `encoding: 'buffer'` or `'latin1'` keeps them.
   */
  replaced?: StreamCounts
  /** `reason` of the signal that stopped the job. Absent if no signal did. */
  abortReason?: unknown
}
