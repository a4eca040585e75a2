// SPDX-License-Identifier: Apache-2.0
// Defines the result of a run, which is part of the public API. report.schema.json describes the same document for
// other languages.
import type { RefusedCall } from '../seccomp/notification.ts'
import type { Cause } from './cause.ts'
import type { ContestStatus } from './contest-status.ts'
import type { Usage } from './usage.ts'

/** Why the run ended. It has fewer kinds than `Cause`. */
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
  /** Time of the event, in milliseconds since the job's start. */
  at: number
  /** What happened: a kill by the OOM killer, a refused fork, SIGTERM or SIGKILL from hutch, or a refused system call. */
  kind: 'oom-kill' | 'pids-denied' | 'stop' | 'kill' | 'refused'
  /** Total number of such events so far, including this one. */
  count?: number
  /**
   * With `seccompReport`: the first refused call of its kind. Such events are listed in `seccomp` of the result, not in
   * its `events`.
   */
  refusal?: RefusedCall
}

/** The cause in words: a headline, the kernel's figures, and a remedy. */
export interface Verdict {
  /** The cause in one line. */
  headline: string
  /** The lines of evidence, each with a label and a text. */
  evidence: [string, string][]
  /** What to do. Absent if there is nothing to do. */
  remedy?: string
}

/** The output of a command: text, bytes with `encoding: 'buffer'`, or a list of lines with `lines`. */
export type Output = string | string[] | Buffer | Buffer[]

/** A number for each output stream; absent if it is 0. */
export interface StreamCounts {
  /** Number for stdout. */
  stdout?: number
  /** Number for stderr. */
  stderr?: number
  /** Number for the common stream `all`. */
  all?: number
  /** The number for a descriptor above 2, such as `fd3` for descriptor 3. */
  [descriptor: `fd${number}`]: number
}

/** How a run ended, also if the job was killed. Errors are thrown only if hutch itself failed. */
export interface Result<O extends Output = string> {
  /** The command and its arguments. */
  command: string[]
  /** Exit status of the command; null if a signal ended it. */
  exitCode: number | null
  /** Name of the signal that ended the command, such as SIGKILL; null otherwise. */
  signal: string | null
  /**
   * Where the signal came from: the command or its own faults (inside), another process (outside), or unknown. Absent
   * without a signal.
   */
  signalFrom?: 'inside' | 'outside' | 'unknown'
  /** Why the run ended, in one word. */
  reason: Reason
  /** The result as a status word of programming contests. */
  judge: ContestStatus
  /**
   * The exit status of `hutch run`: the command's own, or 128 + signal. Otherwise 124 for a time limit, 137 for too much output, 126 for
   * not executable, 127 for not found.
   */
  status: number
  /** Time from the start of the job to its end, in milliseconds. */
  durationMs: number
  /** The limits that were set, by kernel file under its v2 name, in the unit of the file. */
  limits: { [file: string]: number | string }
  /** What the job used. */
  usage: Usage
  /** What happened during the run. */
  events: JobEvent[]
  /** The layout of control groups on this host, and the directory of the job's group. `path` is absent if the job had no group. */
  cgroup: { layout: 'v2' | 'hybrid' | 'v1' | 'none'; path?: string }
  /** Why the run ended, as data. */
  cause: Cause
  /** Why the run ended, in words. */
  verdict: Verdict
  /** With `seccompReport`: each kind of refused call with its count. `others` is the number of refusals that are not listed. */
  seccomp?: { refused: RefusedCall[]; others: number }
  /** With `learn`: the profile of all calls that the command made, in the OCI format. */
  learned?: object
  /** The command's output. Absent with `start`, and for a stream that is not a pipe. */
  stdout?: O
  /** The standard error of the command, in the same form as `stdout`. */
  stderr?: O
  /** With the option `all`: stdout and stderr together, in the order of arrival. */
  all?: O
  /**
   * With more than three streams in the option `stdio`: the output of each pipe, by number. Undefined for stdin, and for
   * a stream without a pipe.
   */
  stdio?: (O | undefined)[]
  /** Number of bytes that were discarded because a stream was longer than `maxBuffer`. Absent if none were discarded. */
  truncated?: StreamCounts
  /**
   * Number of byte sequences that `encoding` could not represent, and that became U+FFFD. With `ascii`: bytes from 128
   * on, which lost their highest bit. Absent if the text represents all bytes; `encoding: 'buffer'` or `'latin1'` keeps
   * them.
   */
  replaced?: StreamCounts
  /** The reason of the AbortSignal that stopped the job. Absent if no AbortSignal stopped it. */
  abortReason?: unknown
}
