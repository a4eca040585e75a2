// SPDX-License-Identifier: Apache-2.0
// The types of `why`'s answer.
import type { Cause, CauseKind, Confidence, JobEnd } from '../verdict/cause.ts'
import type { EvidenceLine } from '../verdict/limit-words.ts'
import type { Reason } from '../verdict/result.ts'

/** A process that the OOM killer killed, from the kernel's log. Sizes are in bytes. */
export interface Victim {
  /** The process's id, as the kernel's log names it. */
  pid: number
  /** The program's name, at most 15 characters. */
  name: string
  /** Time of the kill in the format ISO 8601. */
  at: string
  /** Memory without a file, in bytes. */
  anon: number
  /** Page cache, in bytes. */
  file: number
  /** Shared memory and tmpfs, in bytes. */
  shmem: number
  /** Page tables, in bytes. */
  pageTables?: number
  /** The process's group. */
  group?: string
}

/** A cause that stopped or slowed the process or group in question, with the kernel's figures and a remedy. */
export interface WhyCause {
  /** The kind of the cause, as in `Cause`. */
  kind: CauseKind
  /** How certain the cause is. */
  confidence: Confidence
  /** What to do to make the cause certain. */
  wouldTell?: string
  /** How the process ended. Absent if unknown. */
  end?: JobEnd
  /**
   * A run's reason, or one of these. `throttled`: by cpu.max. `slowed`: by memory.high. `disk-full`: a file system has
   * no space. `fault`: a signal that the program caused. `stuck`: it exists and does not run. `oomd`: systemd-oomd
   * killed it. `not-kernel`: it ended, all limits were read, and neither a limit nor the kernel ended it. `none`: it
   * exists and nothing is known to hold it. `unknown`: the evidence is not readable.
   */
  cause: Reason | 'throttled' | 'slowed' | 'disk-full' | 'fault' | 'stuck' | 'oomd' | 'not-kernel' | 'none' | 'unknown'
  /** The name of the limit: memory.max, pids.max, RLIMIT_NPROC, threads-max, pid_max, cpu.max, memory.high or cgroup.freeze. */
  limit?: string
  /** Whose limit it is: that of the group itself, of a group above or below it, or of the host. */
  whose?: 'own' | 'ancestor' | 'below' | 'host'
  /** The group that has this limit. */
  group?: string
  /** The value of the limit in bytes or tasks, if it limits these. */
  maximum?: number
  /** Highest use of the limited resource, in bytes or tasks. */
  peak?: number
  /** Number of events. */
  count?: number
  /** Time of the last event in the format ISO 8601. Absent if unknown. */
  last?: string
  /** Processes that the OOM killer killed. */
  victims?: Victim[]
  /** The cause in one line. */
  headline: string
  /** The evidence: lines of a label and a text. */
  evidence: EvidenceLine[]
  /** What to do. Absent if nothing can be done. */
  remedy?: string
}

/** What is known about why a process, a group or a run ended, or does not run. */
export interface Explanation {
  /** What was explained. */
  target: {
    kind: 'process' | 'group' | 'report' | 'container'
    /** The process, group or report, as the caller named it; the id of a container. */
    name: string
    /** True if the process runs, or the group or container exists. */
    there: boolean
    /** The target's group. */
    path?: string
  }
  /** The most important cause, in the form of results and reports. For a report that contains a cause, that cause. */
  cause: Cause
  /** All causes that were found, the most important first. At least one. */
  causes: WhyCause[]
  /** What could not be read and so could hide a further cause. */
  unknown: string[]
}

/** An explanation for which the most important cause has not been chosen yet. */
export type ExplanationDraft = Omit<Explanation, 'cause'> & { cause?: Cause | undefined }
