// SPDX-License-Identifier: Apache-2.0
// What the kernel and hutch-init reported about a job that is over: the input of a verdict. Filled in by run/job.ts and pool/pool.ts.

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

/** Raw facts of a job's end. */
export interface Outcome {
  durationMs: number
  /** Wait status of the command, reported by hutch-init; -1 if unknown. */
  commandStatus: number
  /** Wait status of the cloned process. */
  ownStatus: number
  /** Name of exec's errno. */
  execError?: string
  interpreterMissing?: boolean
  /** Findings about the program, and the words for them. */
  execFailure?: ExecFailure
  /** True if the job was stopped before the command could start. */
  notBegun?: true
  /** Why hutch stopped the job; absent if it did not. */
  stopCause?: 'timeout' | 'aborted' | 'cpu-time' | 'output'
  /** The stream that exceeded its limit. */
  overflowed?: 'stdout' | 'stderr'
  killed: boolean
  /** True if the filter refused a call with an action that ends the process. */
  filterKilled?: boolean
  /** v1: true if the kernel reported an out-of-memory situation. */
  oomNoticed: boolean
  /** Signals that this process sent to the job; and those of them that it had received and passed on. */
  sent: Set<number>
  forwarded: Set<number>
  userUsec: number
  systemUsec: number
  /** Peak resident memory in KiB; 0 if unknown. */
  maxRss: number
  /** Voluntary and involuntary context switches. */
  voluntary: number
  forced: number
  /** Texts of files, by the number of the outer operation that read them. */
  figures: Map<number, string>
  /** Exhausted limits at the job's end, or when it was stopped. */
  used: Used
  events: JobEvent[]
  /** Reads a kernel file of an ancestor after the end, only for a job that needs it. */
  readLate: (directory: string, file: string) => string | undefined
  /** Returns the available bytes of the host, only for a job that needs them. */
  spareMemory: () => number
  /** Returns the number of CPUs of this host. */
  hostCpus: () => number
  /** Reads the kernel's log of the job, only if needed. Returns undefined if the log cannot be read. */
  readLog?: (plan: Plan) => JobLog | undefined
  /** Reads the faults of all processes that the kernel logged while the job ran. */
  readFaults?: () => KernelFault[] | undefined
  /** Returns the full file systems of the host among those of the paths, only for a job that failed by itself. */
  readFull?: (paths: readonly string[]) => Fullness[]
}

/** Returns the outcome of a job before anything is known about it. */
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
