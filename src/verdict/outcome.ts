// SPDX-License-Identifier: Apache-2.0
// What the kernel and hutch-init reported of a job that is over: the input of a verdict. Filled by run/job.ts and pool/pool.ts.

import { readGroupFile } from '../cgroup/files.ts'
import type { KernelFault } from '../host/kernel-record.ts'
import type { Plan } from '../plan/plan.ts'
import { availableParallelism } from '../system/machine.ts'
import type { ExecFailure } from './exec-failure.ts'
import type { Used } from './exhausted.ts'
import type { JobLog } from './job-log.ts'
import { spareMemory } from './memory-need.ts'
import type { JobEvent } from './result.ts'

/** A job's end, unexplained. */
export interface Outcome {
  durationMs: number
  /** Wait status of the command as hutch-init reported it, -1 if it did not. */
  commandStatus: number
  /** Wait status of the process that was cloned. */
  ownStatus: number
  /** exec's errno by name. */
  execError?: string
  interpreterMissing?: boolean
  /** What was found at the program, and its words. */
  execFailure?: ExecFailure
  /** It was stopped before the command could start. */
  notBegun?: true
  /** Why hutch stopped it. */
  stopCause?: 'timeout' | 'aborted' | 'cpu-time' | 'output'
  /** The stream that was longer than it may be. */
  overflowed?: 'stdout' | 'stderr'
  killed: boolean
  /** A call was refused in a way that ends the process. */
  filterKilled?: boolean
  /** v1: the kernel reported an out-of-memory situation. */
  oomNoticed: boolean
  /** Signals that this process sent to it, and those of them that it had itself received and passed on. */
  sent: Set<number>
  forwarded: Set<number>
  userUsec: number
  systemUsec: number
  /** KiB; 0 if unknown. */
  maxRss: number
  /** Context switches. */
  voluntary: number
  forced: number
  /** Outer step → text. */
  figures: Map<number, string>
  /** What it had used up at its end, or when it was stopped. */
  used: Used
  events: JobEvent[]
  /** Reads a kernel file of a group above the job's, after the end and only for a job that needs it. */
  readLate: (directory: string, file: string) => string | undefined
  /** Bytes that the host has available, under the same conditions. */
  spareMemory: () => number
  /** CPUs that this host has for its programs. */
  hostCpus: () => number
  /** Reads the kernel's log of it, under the same conditions; undefined if it cannot be read. */
  readLog?: (plan: Plan) => JobLog | undefined
  /** Reads the faults that the kernel logged while it ran, of whichever process. */
  readFaults?: () => KernelFault[] | undefined
}

/** Returns the outcome of a job of which nothing is known yet. */
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
  }
}
