// SPDX-License-Identifier: Apache-2.0
// What `why` answers.
import type { Cause, CauseKind, Confidence, JobEnd } from '../verdict/cause.ts'
import type { Line } from '../verdict/limit-words.ts'
import type { Reason } from '../verdict/result.ts'

/** A process that the kernel killed, as its log tells it. Bytes. */
export interface Victim {
  pid: number
  name: string
  /** ISO 8601. */
  at: string
  anon: number
  file: number
  shmem: number
  pageTables?: number
  /** The group that it was in. */
  group?: string
}

/** One thing that stopped or slowed it, the kernel's figures for it, and what to do. */
export interface WhyCause {
  /** As `Cause` has it. */
  kind: CauseKind
  confidence: Confidence
  /** What would make it certain. */
  wouldTell?: string
  /** How a process ended, if that is known. */
  end?: JobEnd
  /**
   * A run's reason, or: throttled by cpu.max; slowed by memory.high; disk-full; fault, a signal that the program brought
   * on itself; stuck, it is there and does not run; oomd, systemd-oomd killed it; not-kernel, it is over, all that could have been hit was read, and
   * no limit and no kill of the kernel ended it; none, it is there and nothing is known to have stopped it; unknown, what could tell may not be read.
   */
  cause: Reason | 'throttled' | 'slowed' | 'disk-full' | 'fault' | 'stuck' | 'oomd' | 'not-kernel' | 'none' | 'unknown'
  /** The limit: memory.max, pids.max, RLIMIT_NPROC, threads-max, pid_max, cpu.max, memory.high, cgroup.freeze. */
  limit?: string
  /** Whose it is: the group's own, a group's above or below it, or the host's. */
  whose?: 'own' | 'ancestor' | 'below' | 'host'
  /** The group that has this limit. */
  group?: string
  /** The limit's value, where it is a number of bytes. */
  maximum?: number
  /** How often. */
  count?: number
  /** When it last happened, if that is known: ISO 8601. */
  last?: string
  victims?: Victim[]
  headline: string
  /** Label and text, a line each. */
  evidence: Line[]
  remedy?: string
}

/** What is known of the end of a process, a group or a run. */
export interface Explanation {
  target: {
    kind: 'process' | 'group' | 'report'
    /** As it was given. */
    name: string
    /** Whether it is still there: a process that runs, a group that exists. */
    there: boolean
    /** Its group. */
    path?: string
  }
  /** The weightiest, as results and reports have it; of a report with a cause that one. */
  cause: Cause
  /** At least one, the weightiest first. */
  causes: WhyCause[]
  /** What could not be looked at, and so is not said. */
  unknown: string[]
}

/** An explanation before its weightiest cause was chosen. */
export type Found = Omit<Explanation, 'cause'> & { cause?: Cause | undefined }
