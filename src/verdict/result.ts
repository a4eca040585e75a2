// SPDX-License-Identifier: Apache-2.0
// The result of a run. report.schema.json describes the same document for other languages.
import type { RefusedCall } from '../seccomp/notification.ts'
import type { Cause } from './cause.ts'
import type { JudgeStatus } from './contest-status.ts'
import type { Usage } from './usage.ts'

/** The reason for the end, in fewer kinds than `Cause` has. */
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
  /** Total so far. */
  count?: number
  /** With `seccompReport`, for the first call of a kind; these are in the result's `seccomp`, not in its `events`. */
  refusal?: RefusedCall
}

/** The cause in words: what stopped it, the kernel's figures, and a remedy. */
export interface Verdict {
  headline: string
  /** Label and text of each line. */
  evidence: [string, string][]
  remedy?: string
}

/** The end of a run, also of a killed one; only what hutch could not do is thrown. */
export interface Result {
  command: string[]
  /** The command's exit status; null if a signal ended it. */
  exitCode: number | null
  /** Name of the signal that ended it, such as SIGKILL. */
  signal: string | null
  /** For a signal: from the command or its own faults, from outside, or unknown. */
  signalFrom?: 'inside' | 'outside' | 'unknown'
  reason: Reason
  /** The status in the terms of programming contests. */
  judge: JudgeStatus
  /**
   * The exit status of `hutch run`: the command's own, 128 + signal, 124 for a time limit, 137 for too much output. 126 means not
   * executable, 127 not found.
   */
  status: number
  durationMs: number
  /** Kernel file (v2 name) and the value that was set. */
  limits: { [file: string]: number | string }
  usage: Usage
  events: JobEvent[]
  cgroup: { layout: 'v2' | 'hybrid' | 'v1' | 'none'; path?: string }
  /** The cause of the end, as data. */
  cause: Cause
  /** The cause in words. */
  verdict: Verdict
  /** With `seccompReport`: each kind of call that the filter refused, its count, and the count of all further kinds. */
  seccomp?: { refused: RefusedCall[]; others: number }
  /** With `learn`: the profile of all calls that were made, in the OCI format. */
  learned?: object
  /** The command's output, if its streams were pipes that the caller did not read. */
  stdout?: string
  stderr?: string
}
