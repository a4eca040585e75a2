// SPDX-License-Identifier: Apache-2.0
// The cause of a job's end, as data: part of the public API, of reports and of `hutch why --json`. words.ts makes the sentences. Pure.
import type { MemoryUse } from '../host/kernel-record.ts'
import type { RunOptionKey } from '../options/table.ts'

/** What ended the job. */
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
  // for a group or a process without a known end; only in hutch why
  'frozen',
  'stopped',
  'blocked',
  'running',
  'not-kernel',
] as const
/** A kind of cause: what ended the job. */
export type CauseKind = (typeof causeKinds)[number]

/** Whose limit it is, counted from the job's own group. */
export type Level = 'own' | 'below' | 'ancestor' | 'host'

/** The limit that ended the job, or slowed it. */
export interface CauseLimit {
  /** Kernel file of the limit, such as memory.max or, on v1, memory.limit_in_bytes; RLIMIT_CPU for a limit of a process; else the option, such as timeout. */
  file: string
  /** Its value at the end: bytes, tasks, milliseconds; a text for cpu.max. Absent if the limit does not exist or could not be read. */
  value?: number | string
  /** Directory of the group, or mount point of the file system that was full. */
  group?: string
  level?: Level
}

/** A process that the OOM killer ended, from the kernel's log. Sizes in bytes. */
export interface CauseVictim {
  pid: number
  name: string
  anon: number
  file: number
  shmem: number
  /** Its address space: all that it requested, whether touched or not. */
  virtual?: number
}

/** How the job's own process ended; both null: it never started, or its end is unknown, as that of a group is. */
export interface JobEnd {
  /** Exit status; null if a signal ended it, or if it never started. */
  status: number | null
  /** Name of the signal that ended it, such as SIGKILL. */
  signal: string | null
  /** Sender of that signal: the job itself (inside), another process, this process on its caller's behalf, hutch to enforce a limit, or the kernel. */
  from?: 'inside' | 'outside' | 'caller' | 'hutch' | 'kernel' | 'unknown'
}

/** How often. */
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
  /** Number of times memory.high throttled it. */
  slowed?: number
  /**
   * Microseconds in which all its tasks waited for memory or a disk, or some of them for a CPU, depending on the limit.
   */
  stalledUsec?: number
  /** Processes without a free descriptor. */
  fullTables?: number
}

/** An event during the run that did not end the job, or only slowed it. */
export interface SideEvent {
  kind: CauseKind
  limit?: CauseLimit
  counts?: CauseCounts
  victims?: CauseVictim[]
  confidence: Confidence
}

/** unknown: only a possibility. */
export type Confidence = 'certain' | 'likely' | 'unknown'

/** One remedy. It has `option` or `argv`, or neither if no command helps. */
export interface Remedy {
  /** An option to start the job with; each front end has its own name for it. */
  option?: { name: OptionKey; value?: string; without?: true }
  /** A command, word by word. */
  argv?: string[]
  /** The need is unknown: `value` is large enough to measure it, and the peak of that run is the need. */
  measure?: true
  /** True: a step after the previous remedy, not an alternative to it. */
  next?: true
  /** The purpose of the remedy, or what to find out first. */
  reason: string
}

/** Options that remedies name, by their path in the library's options. */
export type OptionKey = RunOptionKey | `limits.${string}` | `ulimits.${string}` | 'mounts.volume' | 'mounts.tmpfs'

/** An option that can deny a program calls, files or the network without a trace. */
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
      /** Number of times memory.high throttled it. */
      slowed?: number
      stalledUsec?: number
      /** Page cache and swap that had to be read again. */
      refaultBytes?: number
      /** CPUs that it could use. */
      cpus?: number
      cpuUsec?: number
      readBytes?: number
      writtenBytes?: number
    }
  | { figure: 'space'; target: string; options: string[] }
  | { figure: 'descriptors'; limit: number; processes: number }
  | { figure: 'ulimits'; set: { name: string; soft: number }[] }
  | { figure: 'no kill' }
  /** The exit status is the one with which a shell reports that a signal ended its command. */
  | { figure: 'signal status'; status: number; signal: string }
  /** A process of unknown group raised a signal while the job ran: from the kernel's log. */
  | { figure: 'fault'; name: string; pid: number; what: string }
  /** Options that deny the job something, any of which may have made the program fail. */
  | { figure: 'denied'; by: Denier; value?: string; owner?: number }
  | { figure: 'profile'; origin: string }
  | { figure: 'searched'; path: string }

/** Why a job ended. */
export interface Cause {
  kind: CauseKind
  /** The job's command as given: a name or a path. */
  command: string
  limit?: CauseLimit
  counts?: CauseCounts
  /** Peak use of the limited resource: bytes or tasks. */
  peak?: number
  /** Only from the kernel's log, so only for users who can read it. */
  victims?: CauseVictim[]
  /** Only from the kernel's log, like `victims`. */
  memoryUse?: MemoryUse
  end: JobEnd
  durationMs?: number
  /** Milliseconds from SIGTERM to SIGKILL; 0: there was no SIGTERM. */
  killedAfterMs?: number
  /** The first signal of the stop, if it is not SIGTERM. */
  stopSignal?: string
  /** Signals that its caller sent, or that hutch received and passed on, by name. */
  passedOn?: string[]
  /** The stream that exceeded its limit. */
  stream?: 'stdout' | 'stderr'
  /** exec's errno by name. */
  errno?: string
  /** exec returned ENOENT, but the file exists. */
  interpreterMissing?: boolean
  sideEvents: SideEvent[]
  confidence: Confidence
  /** What would make the cause certain; absent if it is. */
  wouldTell?: string
  remedies: Remedy[]
  evidence: Figure[]
}

export type { Frontend } from '../options/names.ts'
export type { MemoryUse }
