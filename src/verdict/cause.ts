// SPDX-License-Identifier: Apache-2.0
// Why a job ended, as data: part of the public API, of reports and of `hutch why --json`. words.ts makes the sentences.
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
  // of a group or a process whose own end is not known: hutch why alone
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

/** The limit that ended it, or held it up. */
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
  /** Its address space: what it had asked for, touched or not. */
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
  /** Times that memory was out at the limit, also without a kill. */
  ooms?: number
  limitHits?: number
  forksRefused?: number
  periods?: number
  throttledPeriods?: number
  throttledUsec?: number
  cpuUsec?: number
  /** Times that memory.high slowed it. */
  slowed?: number
  /** Time in which all its tasks waited for memory or a disk, or some of them for a CPU, whichever the limit holds back. Microseconds. */
  stalledUsec?: number
  /** Processes without a free descriptor. */
  fullTables?: number
}

/** Something that happened while it ran. It did not end the job, or only held it up. */
export interface SideEvent {
  kind: CauseKind
  limit?: CauseLimit
  counts?: CauseCounts
  victims?: CauseVictim[]
  confidence: Confidence
}

/** unknown: this is only possible. */
export type Confidence = 'certain' | 'likely' | 'unknown'

/** One way out. Exactly one of `option` and `argv` is given, or none where no command helps. */
export interface Remedy {
  /** An option to start the job with; each front end has its own name for it. */
  option?: { name: OptionKey; value?: string; without?: true }
  /** A command, word by word. */
  argv?: string[]
  /** How much is needed is unknown: `value` is large enough to find out, and the peak of that run is what is needed. */
  measure?: true
  /** A step that follows the remedy before, not an alternative to it. */
  next?: true
  /** What it does, or what has to be found out first. */
  reason: string
}

/** Options that remedies name, by their path in the library's options. */
export type OptionKey = RunOptionKey | `limits.${string}` | `ulimits.${string}` | 'mounts.volume' | 'mounts.tmpfs'

/** An option that denies a program calls, files or the network without a trace that can be read. */
export type Denier = 'seccomp' | 'landlock' | 'network' | 'root'

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
      /** What a limit did that slowed it. */
      figure: 'held'
      limit: CauseLimit
      resource: 'memory' | 'cpu' | 'io'
      wallMs: number
      /** Times that memory.high slowed it. */
      slowed?: number
      stalledUsec?: number
      /** Page cache and swap that had to be read again. */
      refaultBytes?: number
      /** CPUs that it might use. */
      cpus?: number
      cpuUsec?: number
      readBytes?: number
      writtenBytes?: number
    }
  | { figure: 'space'; target: string; options: string[] }
  | { figure: 'descriptors'; limit: number; processes: number }
  | { figure: 'ulimits'; set: { name: string; soft: number }[] }
  | { figure: 'no kill' }
  /** The job's exit status is the one with which a shell reports that a signal ended its command. */
  | { figure: 'signal status'; status: number; signal: string }
  /** A process of unknown group brought a signal on itself while the job ran: from the kernel's log. */
  | { figure: 'fault'; name: string; pid: number; what: string }
  /** What the job's options deny it: any of them may have made the program fail. */
  | { figure: 'denied'; by: Denier; value?: string }
  | { figure: 'profile'; origin: string }
  | { figure: 'searched'; path: string }

/** Why a job ended. */
export interface Cause {
  kind: CauseKind
  /** The job's command, as it was given: a name or a path. */
  command: string
  limit?: CauseLimit
  counts?: CauseCounts
  /** Highest use of what is limited: bytes or tasks. */
  peak?: number
  /** Only of the kernel's log, so only for those who may read it. */
  victims?: CauseVictim[]
  /** Only of the kernel's log, like `victims`. */
  memoryUse?: MemoryUse
  end: JobEnd
  durationMs?: number
  /** SIGKILL had to follow SIGTERM this much later; 0: there was no SIGTERM. */
  killedAfterMs?: number
  /** The signal that the stop began with, if it is not SIGTERM. */
  stopSignal?: string
  /** Signals that its caller sent, or that hutch received and passed on, by name. */
  passedOn?: string[]
  /** The stream that was too long. */
  stream?: 'stdout' | 'stderr'
  /** exec's errno by name. */
  errno?: string
  /** exec answered ENOENT, but the file is there. */
  interpreterMissing?: boolean
  sideEvents: SideEvent[]
  confidence: Confidence
  /** What would make it certain, unless it is. */
  wouldTell?: string
  remedies: Remedy[]
  evidence: Figure[]
}

export type { Frontend } from '../options/names.ts'
export type { MemoryUse }
