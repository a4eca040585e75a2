// SPDX-License-Identifier: Apache-2.0
// Defines the cause of a job's end as data. It is part of the public API, of reports and of `hutch why --json`;
// words.ts turns it into sentences. Pure.
import type { MemoryUse } from '../host/kernel-record.ts'
import type { RunOptions } from '../options/options.ts'

/**
 * A kind of cause: everything that can end, slow or block a job. The kinds from `frozen` on occur only in `why`, for a
 * group or process that has not ended. A timeout can also have `frozen` and `stopped` as side events.
 */
export type CauseKind =
  | 'exited'
  | 'oom'
  | 'fork-refused'
  | 'timeout'
  | 'cpu-time'
  | 'throttled'
  | 'slowed'
  | 'space'
  | 'descriptors'
  | 'ulimit'
  | 'output'
  | 'signal'
  | 'filter'
  | 'exec-failed'
  | 'not-inside'
  | 'aborted'
  | 'interrupted'
  | 'oomd'
  | 'host-oom'
  | 'unknown'
  | 'frozen'
  | 'stopped'
  | 'blocked'
  | 'running'
  | 'not-kernel'

const everyKind: { [kind in CauseKind]: true } = {
  exited: true,
  oom: true,
  'fork-refused': true,
  timeout: true,
  'cpu-time': true,
  throttled: true,
  slowed: true,
  space: true,
  descriptors: true,
  ulimit: true,
  output: true,
  signal: true,
  filter: true,
  'exec-failed': true,
  'not-inside': true,
  aborted: true,
  interrupted: true,
  oomd: true,
  'host-oom': true,
  unknown: true,
  frozen: true,
  stopped: true,
  blocked: true,
  running: true,
  'not-kernel': true,
}
/** All kinds of causes. */
export const causeKinds = Object.keys(everyKind) as CauseKind[]

/** Which group has the limit, relative to the job's own group. `host` means the whole machine. */
export type Level = 'own' | 'below' | 'ancestor' | 'host'

/** The limit that ended the job, or slowed it. */
export interface CauseLimit {
  /**
   * Kernel file of the limit, such as memory.max or, on v1, memory.limit_in_bytes. RLIMIT_CPU for a resource limit;
   * otherwise hutch's option, such as timeout.
   */
  file: string
  /**
   * The limit's value at the job's end: bytes, tasks, milliseconds, or the text of cpu.max. Absent if no limit is set
   * or the value could not be read.
   */
  value?: number | string
  /** Directory of the group that has the limit. For a full file system, its mount point. */
  group?: string
  /** Which group has the limit. Absent if a group has nothing to do with it. */
  level?: Level
}

/** A process that the OOM killer ended, from the kernel's log. Sizes are in bytes. */
export interface CauseVictim {
  /** The process's id, as the kernel's log names it. */
  pid: number
  /** The program's name, at most 15 characters. */
  name: string
  /** Memory without a file, in bytes. */
  anon: number
  /** Page cache, in bytes. */
  file: number
  /** Shared memory and tmpfs, in bytes. */
  shmem: number
  /** Size of the process's address space, including memory that was never used. In bytes. */
  virtual?: number
}

/** How the job's own process ended. Both fields are null if it never started or if its end is unknown, for example for a group. */
export interface JobEnd {
  /** Exit status; null if a signal ended the process, or if it never started. */
  status: number | null
  /** Name of the signal that ended the process, such as SIGKILL; null otherwise. */
  signal: string | null
  /**
   * Sender of that signal: the job itself (inside), another process (outside), the caller, hutch because of a limit, or
   * the kernel.
   */
  from?: 'inside' | 'outside' | 'caller' | 'hutch' | 'kernel' | 'unknown'
}

/** How often the kernel counted events that led to the cause. */
export interface CauseCounts {
  /** Number of processes that the OOM killer killed. */
  oomKills?: number
  /** Number of times that memory ran out at the limit, even if no process was killed. */
  ooms?: number
  /** Number of times that an allocation reached memory.max. */
  limitHits?: number
  /** Number of forks that pids.max refused. */
  forksRefused?: number
  /** Number of quota periods (cpu.max) in which a task of the job ran. */
  periods?: number
  /** Number of quota periods in which the quota stopped tasks of the job. */
  throttledPeriods?: number
  /** Time for which the quota stopped tasks of the job, in microseconds. */
  throttledUsec?: number
  /** CPU time that the job used, in microseconds. */
  cpuUsec?: number
  /** Number of times that memory.high throttled the job. */
  slowed?: number
  /**
   * Microseconds of waiting for a resource. For memory or a disk, the time in which all tasks waited; for a CPU, the
   * time in which any task waited.
   */
  stalledUsec?: number
  /** Number of processes that had used up their limit of open descriptors. */
  fullTables?: number
  /** Number of processes that a signal had stopped (as by SIGSTOP) when the time limit of the job was reached. */
  stoppedProcesses?: number
}

/** An event during the run that did not end the job, such as a refused fork or a limit that slowed it. */
export interface SideEvent {
  /** The kind of the event, as in `Cause`. */
  kind: CauseKind
  /** The limit that caused the event. Absent if no limit did. */
  limit?: CauseLimit
  /** What the kernel counted. */
  counts?: CauseCounts
  /** Processes that the OOM killer killed. */
  victims?: CauseVictim[]
  /** How certain it is that the event happened. */
  confidence: Confidence
}

/** How certain the cause is. `unknown` means that the cause is only possible. */
export type Confidence = 'certain' | 'likely' | 'unknown'

/** A remedy. It has `option` or `argv`, or neither if no command can help. */
export interface Remedy {
  /** An option with which to start the job again. Each front end has its own name for it. */
  option?: { name: OptionKey; value?: string; without?: true }
  /** A command to run, as a list of arguments. */
  argv?: string[]
  /** True if the needed value is unknown. `value` is then a large limit, with which the next run's peak shows the need. */
  measure?: true
  /** True if the remedy is the next step after the previous remedy. Otherwise it is an alternative. */
  next?: true
  /** Why the remedy helps, or what to find out first. */
  reason: string
}

/** Options that remedies name, by their path in the library's options. */
export type OptionKey = keyof RunOptions | `limits.${string}` | `ulimits.${string}` | 'mounts.volume' | 'mounts.tmpfs'

/** An option that can make a program fail without a message from hutch: it denies system calls, files or the network. */
export type Denier = 'seccomp' | 'landlock' | 'network' | 'root' | 'volume'

/** A line of evidence: something that the kernel or hutch measured. */
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
      /** Number of times that memory.high throttled the job. */
      slowed?: number
      stalledUsec?: number
      /** Bytes of page cache and swap that had to be read again, because the kernel had reclaimed them. */
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
  /**
   * A fault, such as a segmentation fault, from the kernel's log. It occurred while the job ran, in a process whose
   * group is unknown.
   */
  | { figure: 'fault'; name: string; pid: number; what: string }
  /** An option that denies the job something, which may be why the program failed. */
  | { figure: 'denied'; by: Denier; value?: string; owner?: number }
  /** A full file system that the job could write to. Sizes are in bytes. */
  | { figure: 'full'; directory: string; type: string; size: number; free: number }
  | { figure: 'profile'; origin: string }
  | { figure: 'searched'; path: string }

/** Why a job ended. */
export interface Cause {
  /** What ended the job. */
  kind: CauseKind
  /** The command of the job as the user typed it: a name or a path. */
  command: string
  /** The limit that ended the job. Absent if no limit did. */
  limit?: CauseLimit
  /** What the kernel counted. */
  counts?: CauseCounts
  /** Highest use of the limited resource, in bytes or tasks. */
  peak?: number
  /** Processes that the OOM killer killed, from the kernel's log. Absent if the user cannot read the log. */
  victims?: CauseVictim[]
  /** Use of memory by kind at the time of the kill, from the kernel's log. */
  memoryUse?: MemoryUse
  /** How the job's own process ended. */
  end: JobEnd
  /** Time from the job's start to its end, in milliseconds. */
  durationMs?: number
  /** Milliseconds from SIGTERM to SIGKILL when hutch stopped the job; 0 if hutch sent only SIGKILL. */
  killedAfterMs?: number
  /** The signal that hutch sent first to stop the job, unless it was SIGTERM. */
  stopSignal?: string
  /** Names of the signals that the caller sent to the job, or that hutch received and passed on. */
  passedOn?: string[]
  /** The output stream that exceeded its limit. */
  stream?: 'stdout' | 'stderr'
  /** Name of the errno with which exec failed. */
  errno?: string
  /** True if exec returned ENOENT although the program file exists, because its interpreter is missing. */
  interpreterMissing?: boolean
  /** Events during the run that did not end the job. */
  sideEvents: SideEvent[]
  /** How certain the cause is. */
  confidence: Confidence
  /** What to do to make the cause certain. Absent if the cause is certain. */
  wouldTell?: string
  /** What to do, the best remedy first. */
  remedies: Remedy[]
  /** What the kernel or hutch measured. */
  evidence: Figure[]
}

export type { Frontend } from '../options/names.ts'
export type { MemoryUse }
