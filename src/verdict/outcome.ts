// SPDX-License-Identifier: Apache-2.0
// Defines what the kernel and hutch-init reported about a job that has ended: the input of a verdict. Filled in by
// run/job.ts and pool/pool.ts.

import { readGroupFile } from '../cgroup/files.ts'
import { type Fullness, readFullAt } from '../host/file-system.ts'
import type { KernelFault } from '../host/kernel-record.ts'
import type { Plan } from '../plan/plan.ts'
import { availableParallelism } from '../system/machine.ts'
import type { ExecFailure } from './exec-failure.ts'
import type { Used } from './exhausted.ts'
import type { JobLog } from './job-log.ts'
import { spareMemory } from './memory-need.ts'
import type { JobEvent } from './result.ts'

/** The raw facts about a job's end. */
export interface Outcome {
  durationMs: number
  /** The command's wait status, as hutch-init reported it; -1 if unknown. */
  commandStatus: number
  /** The wait status of the process that hutch cloned: the job's PID 1, or the command itself. */
  ownStatus: number
  /** Name of the errno with which exec failed; absent if exec succeeded. */
  execError?: string
  interpreterMissing?: boolean
  /** If exec failed: what was found about the program, and the words for it. */
  execFailure?: ExecFailure
  /** True if the job was stopped before the command could start. */
  notBegun?: true
  /** Why hutch stopped the job; absent if the job ended without that. */
  stopCause?: 'timeout' | 'aborted' | 'cpu-time' | 'output'
  /** The output stream that exceeded its limit. */
  overflowed?: 'stdout' | 'stderr'
  killed: boolean
  /** True if the system call filter refused a call by an action that ends the process. */
  filterKilled?: boolean
  /** v1: true if the kernel reported that the job's group was out of memory. */
  oomNoticed: boolean
  /** Numbers of the signals that this process sent to the job. `passedOn` are those that it had received and passed on. */
  sent: Set<number>
  forwarded: Set<number>
  userUsec: number
  systemUsec: number
  /** Peak resident memory in KiB; 0 if unknown. */
  maxRss: number
  /** Voluntary and involuntary context switches. */
  voluntary: number
  forced: number
  /** Texts of the files that outer operations read, by the index of the operation. */
  figures: Map<number, string>
  /** Which resources were exhausted at the job's end, or when it was stopped. */
  used: Used
  events: JobEvent[]
  /** Reads a file of an ancestor group after the job's end. Called only if the verdict needs it. */
  readLate: (directory: string, file: string) => string | undefined
  /** Returns how many bytes of memory are available on the host. Called only if the verdict needs it. */
  spareMemory: () => number
  /** Returns the number of CPUs of this host. */
  hostCpus: () => number
  /**
   * Reads what the kernel's log contains about the job. Called only if the verdict needs it. Returns undefined if the
   * log cannot be read.
   */
  readLog?: (plan: Plan) => JobLog | undefined
  /** Reads the faults (such as segmentation faults) of all processes that the kernel logged while the job ran. */
  readFaults?: () => KernelFault[] | undefined
  /** Returns which file systems of these host paths are full. Called only for a job whose program failed by itself. */
  readFull?: (paths: readonly string[]) => Fullness[]
}

/** Returns the outcome of a job about which nothing is known yet. */
export function noOutcome(sent: Set<number>): Outcome {
  return {
    durationMs: 0,
    commandStatus: -1,
    ownStatus: 0,
    killed: false,
    oomNoticed: false,
    sent,
    forwarded: new Set(),
    userUsec: 0,
    systemUsec: 0,
    maxRss: 0,
    voluntary: 0,
    forced: 0,
    figures: new Map(),
    used: { fullSpaces: 0, fullTables: 0, tableLimit: 0 },
    events: [],
    readLate: readGroupFile,
    spareMemory,
    hostCpus: availableParallelism,
    readFull: readFullAt,
  }
}
