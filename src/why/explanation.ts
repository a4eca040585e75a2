// SPDX-License-Identifier: Apache-2.0
// The types of `why`'s answer.
import type { Cause, CauseKind, Confidence, JobEnd } from '../verdict/cause.ts'
import type { EvidenceLine } from '../verdict/limit-words.ts'
import type { Reason } from '../verdict/result.ts'

/** A process that the kernel killed, from its log. Sizes in bytes. */
export interface Victim {
  pid: number
  name: string
  /** Time of the kill, ISO 8601. */
  at: string
  anon: number
  file: number
  shmem: number
  pageTables?: number
  /** The process's group. */
  group?: string
}

/** A cause that stopped or slowed the target, with the kernel's figures and a remedy. */
export interface WhyCause {
  /** The same as in `Cause`. */
  kind: CauseKind
  confidence: Confidence
  /** What would make the cause certain. */
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
  /** The limit: memory.max, pids.max, RLIMIT_NPROC, threads-max, pid_max, cpu.max, memory.high, cgroup.freeze. */
  limit?: string
  /** The level of the limit: the group itself, a group above or below it, or the host. */
  whose?: 'own' | 'ancestor' | 'below' | 'host'
  /** The group with this limit. */
  group?: string
  /** The limit's value in bytes, if it counts bytes. */
  maximum?: number
  /** Number of events. */
  count?: number
  /** Time of the last event, ISO 8601. Absent if unknown. */
  last?: string
  victims?: Victim[]
  headline: string
  /** Evidence: label and text of each line. */
  evidence: EvidenceLine[]
  remedy?: string
}

/** The known facts about why a process, a group or a run ended or does not run. */
export interface Explanation {
  target: {
    kind: 'process' | 'group' | 'report'
    /** The target as the caller named it. */
    name: string
    /** Whether the process runs or the group exists. */
    there: boolean
    /** The target's group. */
    path?: string
  }
  /** The most important cause, as in results and reports. For a report with a cause: that cause. */
  cause: Cause
  /** All causes, at least one, the most important first. */
  causes: WhyCause[]
  /** Evidence that could not be read. */
  unknown: string[]
}

/** An explanation before its most important cause is chosen. */
export type ExplanationDraft = Omit<Explanation, 'cause'> & { cause?: Cause | undefined }
