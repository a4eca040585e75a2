// SPDX-License-Identifier: Apache-2.0
// What a run comes to. report.schema.json describes the same document for other languages.
import type { RefusedCall } from '../seccomp/notification.ts'
import type { Cause } from './cause.ts'
import type { JudgeStatus } from './contest-status.ts'
import type { Usage } from './usage.ts'

/** Why it ended, in fewer words than `Cause` has. */
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

/** Something that happened on the way; `at` counts milliseconds from the start. */
export interface JobEvent {
  at: number
  kind: 'oom-kill' | 'pids-denied' | 'stop' | 'kill' | 'refused'
  /** How many so far. */
  count?: number
  /** With `seccompReport`, for the first call of a kind; these are in the result's `seccomp`, not in its `events`. */
  refusal?: RefusedCall
}

/** In words: what stopped it, the kernel's own figures, and what to do. */
export interface Verdict {
  headline: string
  /** Label and text, a line each. */
  evidence: [string, string][]
  remedy?: string
}

/** The end of a run, also when it was killed: only what hutch itself could not do is thrown. */
export interface Result {
  command: string[]
  /** The command's own; null when a signal ended it. */
  exitCode: number | null
  /** Name of the signal that ended it, such as SIGKILL. */
  signal: string | null
  /** For a signal: from the command or its own faults, from outside, or unknown. */
  signalFrom?: 'inside' | 'outside' | 'unknown'
  reason: Reason
  /** The same in the words of programming contests. */
  judge: JudgeStatus
  /**
   * The exit status of `hutch run`: the command's own, 128 + signal, 124 for a time limit, 137 for too much output, 126 not executable,
   * 127 not found.
   */
  status: number
  durationMs: number
  /** Kernel file (in v2 names) → value, as it was set. */
  limits: { [file: string]: number | string }
  usage: Usage
  events: JobEvent[]
  cgroup: { layout: 'v2' | 'hybrid' | 'v1' | 'none'; path?: string }
  /** Why it ended, as data. */
  cause: Cause
  /** The same in words, made from it. */
  verdict: Verdict
  /** With `seccompReport`: each kind of call that the filter refused, how often, and how many calls of still other kinds. */
  seccomp?: { refused: RefusedCall[]; others: number }
  /** With `learn`: the profile of all calls that were made, in the OCI's form. */
  learned?: object
  /** What it wrote, when its streams were pipes that nobody else read. */
  stdout?: string
  stderr?: string
}
