// SPDX-License-Identifier: Apache-2.0
// The cause of a job's end as data, part of the public API, of reports and of `hutch why --json`. words.ts turns it into sentences. Pure.
import type { MemoryUse } from '../host/kernel-record.ts'
import type { RunOptionKey } from '../options/table.ts'

/** Everything that can end, slow or block a job. */
export const causeKinds = [
  'exited',
  'oom',
  'fork-refused',
  'timeout',
  'cpu-time',
  'throttled',
  'slowed',
  'space',
  'descriptors',
  'ulimit',
  'output',
  'signal',
  'filter',
  'exec-failed',
  'not-inside',
  'aborted',
  'interrupted',
  'oomd',
  'host-oom',
  'unknown',
  // only in `hutch why`, for a group or process that has not ended; frozen and stopped are also side events of a timeout
  'frozen',
  'stopped',
  'blocked',
  'running',
  'not-kernel',
] as const
/** A kind of cause: what ended the job. */
export type CauseKind = (typeof causeKinds)[number]

/** The level that has the limit, relative to the job's own group. */
export type Level = 'own' | 'below' | 'ancestor' | 'host'

/** The limit that ended the job, or slowed it. */
export interface CauseLimit {
  /**
   * Kernel file of the limit, such as memory.max or, on v1, memory.limit_in_bytes; RLIMIT_CPU for a limit of a process; otherwise the
   * option, such as timeout.
   */
  file: string
  /** Value at the end: bytes, tasks, milliseconds, or the text of cpu.max. Absent if the limit is not set or could not be read. */
  value?: number | string
  /** Directory of the group, or mount point of the file system that was full. */
  group?: string
  level?: Level
}

/** A process that the OOM killer ended, from the kernel's log. Sizes are in bytes. */
export interface CauseVictim {
  pid: number
  name: string
  anon: number
  file: number
  shmem: number
  /** Size of its address space, including memory that was never used. */
  virtual?: number
}

/** How the job's own process ended. Both fields are null if it never started or if its end is unknown, for example for a group. */
export interface JobEnd {
  /** Exit status; null if a signal ended the process, or if it never started. */
  status: number | null
  /** Name of the signal that ended the process, such as SIGKILL; null otherwise. */
  signal: string | null
  /** Sender of that signal: the job itself (inside), another process (outside), the caller, hutch to enforce a limit, or the kernel. */
  from?: 'inside' | 'outside' | 'caller' | 'hutch' | 'kernel' | 'unknown'
}

/** Counts of the events that led to the cause. */
export interface CauseCounts {
  oomKills?: number
  /** Number of times memory ran out at the limit, also without a kill. */
  ooms?: number
  limitHits?: number
  forksRefused?: number
  periods?: number
  throttledPeriods?: number
  throttledUsec?: number
  cpuUsec?: number
  /** Number of times memory.high throttled the job. */
  slowed?: number
  /** Microseconds in which all tasks waited for memory or a disk, or some of them for a CPU, depending on the limit. */
  stalledUsec?: number
  /** Number of processes without a free descriptor. */
  fullTables?: number
  /** Processes stopped by a signal when the time of the job was over. */
  stoppedProcesses?: number
}

/** An event during the run that did not end the job, or only slowed it. */
export interface SideEvent {
  kind: CauseKind
  limit?: CauseLimit
  counts?: CauseCounts
  victims?: CauseVictim[]
  confidence: Confidence
}

/** How certain the cause is; unknown means only a possibility. */
export type Confidence = 'certain' | 'likely' | 'unknown'

/** One remedy. It has `option` or `argv`, or neither if no command helps. */
export interface Remedy {
  /** An option to start the job with; each front end has its own name for it. */
  option?: { name: OptionKey; value?: string; without?: true }
  /** A command, word by word. */
  argv?: string[]
  /** True if the need is unknown. `value` is then large enough to measure it: the peak of that run is the need. */
  measure?: true
  /** True if the remedy is a step after the previous remedy, not an alternative to it. */
  next?: true
  /** The purpose of the remedy, or what to find out first. */
  reason: string
}

/** Options that remedies name, by their path in the library's options. */
export type OptionKey = RunOptionKey | `limits.${string}` | `ulimits.${string}` | 'mounts.volume' | 'mounts.tmpfs'

/** An option that can deny a program system calls, files or the network without a message. */
export type Denier = 'seccomp' | 'landlock' | 'network' | 'root' | 'volume'

/** One line of evidence: what the kernel or hutch measured. */
export type Figure =
  | { figure: 'memory'; limit: CauseLimit; peak?: number; hits?: number; kills?: number }
  | { figure: 'memory use'; use: MemoryUse }
  | { figure: 'pids'; limit: CauseLimit; peak?: number; denied?: number }
  | { figure: 'cpu'; limit: CauseLimit; periods: number; throttledPeriods: number; throttledUsec?: number }
  | {
      figure: 'cpu time'
      limitMs: number
      wallMs: number
      extraMs?: number
      usedUsec?: number
      userUsec?: number
      systemUsec?: number
    }
  | {
      /** Evidence that a limit slowed the job. */
      figure: 'held'
      limit: CauseLimit
      resource: 'memory' | 'cpu' | 'io'
      wallMs: number
      /** Number of times memory.high throttled the job. */
      slowed?: number
      stalledUsec?: number
      /** Bytes of page cache and swap that had to be read again. */
      refaultBytes?: number
      /** Number of CPUs that the job could use. */
      cpus?: number
      cpuUsec?: number
      readBytes?: number
      writtenBytes?: number
    }
  | { figure: 'space'; target: string; options: string[] }
  | { figure: 'descriptors'; limit: number; processes: number }
  | { figure: 'stopped'; processes: number }
  | { figure: 'ulimits'; set: { name: string; soft: number }[] }
  | { figure: 'no kill' }
  /** The exit status with which a shell reports that a signal ended its command. */
  | { figure: 'signal status'; status: number; signal: string }
  /** A fault from the kernel's log, of a process whose group is unknown, while the job ran. */
  | { figure: 'fault'; name: string; pid: number; what: string }
  /** An option that denies the job something, and so may have made the program fail. */
  | { figure: 'denied'; by: Denier; value?: string; owner?: number }
  /** A full file system that the job could write. Bytes. */
  | { figure: 'full'; directory: string; type: string; size: number; free: number }
  | { figure: 'profile'; origin: string }
  | { figure: 'searched'; path: string }

/** Why a job ended. */
export interface Cause {
  kind: CauseKind
  /** The job's command as typed: a name or a path. */
  command: string
  limit?: CauseLimit
  counts?: CauseCounts
  /** Peak use of the limited resource, in bytes or tasks. */
  peak?: number
  /** Killed processes, from the kernel's log; absent if the user cannot read it. */
  victims?: CauseVictim[]
  /** Memory by kind at the kill, from the kernel's log. */
  memoryUse?: MemoryUse
  end: JobEnd
  durationMs?: number
  /** Milliseconds from SIGTERM to SIGKILL; 0 if hutch sent no SIGTERM. */
  killedAfterMs?: number
  /** First signal of the stop, if that is not SIGTERM. */
  stopSignal?: string
  /** Names of the signals that the caller sent, or that hutch received and passed on. */
  passedOn?: string[]
  /** The stream that exceeded its limit. */
  stream?: 'stdout' | 'stderr'
  /** Name of exec's errno. */
  errno?: string
  /** True if exec returned ENOENT although the file exists. */
  interpreterMissing?: boolean
  sideEvents: SideEvent[]
  confidence: Confidence
  /** What would make the cause certain; absent if the cause is certain. */
  wouldTell?: string
  remedies: Remedy[]
  evidence: Figure[]
}

export type { Frontend } from '../options/names.ts'
export type { MemoryUse }
