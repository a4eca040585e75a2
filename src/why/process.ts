// SPDX-License-Identifier: Apache-2.0
// Reads a process from /proc, with the limits that can make its forks and writes fail: proc_pid_status(5),
// proc_pid_limits(5).

import { type GroupPaths, ownGroupPaths } from '../cgroup/group-paths.ts'
import { parseHierarchies } from '../host/hierarchy.ts'
import { type Host, readMembership, statField } from '../host/host.ts'
import { readdirSync, readFileSync } from '../system/files.ts'

/** The facts about a process. A field is undefined if it cannot be read or does not apply. */
export interface ProcessFacts {
  pid: number
  name: string
  argv: string[]
  nodeOptions?: string
  /** True if the process's environment can be read. */
  environment: boolean
  uid: number
  /** The process's state, as a letter of proc_pid_stat(5). */
  state: string
  parent: number
  /** Process id of the debugger that traces the process; 0 if there is no tracer. */
  tracer: number
  /** True if the process has ended, but its parent has not waited for it. */
  zombie: boolean
  /** For a zombie, the signal that ended it, and its exit status. 0 if unknown. */
  signal?: number
  status?: number
  /** For a zombie, the earliest possible start time by the clock of the kernel's log, in milliseconds since 1970. */
  since?: number
  /** The soft limit RLIMIT_NPROC, if it applies. It does not apply to root, or with CAP_SYS_ADMIN or CAP_SYS_RESOURCE. */
  nproc?: number
  mountinfo: string
}

function read(pid: number | string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

/** Reads the facts about a process. Returns undefined if the process does not exist. */
export function readProcessFacts(pid: number): ProcessFacts | undefined {
  const status = read(pid, 'status')
  if (status === undefined) return undefined
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? ''
  const environment = read(pid, 'environ')
  const options = environment
    ?.split('\0')
    .find((word) => word.startsWith('NODE_OPTIONS='))
    ?.slice(13)
  const uid = Number(field('Uid').split('\t')[0])
  const state = field('State')[0] ?? ''
  const zombie = state === 'Z'
  const stat = zombie ? (read(pid, 'stat') ?? '') : ''
  const ended = zombie ? parseExitStatus(stat) : undefined
  const since = zombie ? parseStart(stat, read('', 'uptime') ?? '', Date.now()) : undefined
  const nproc = parseNproc(read(pid, 'limits'), uid, field('CapEff'))
  return {
    pid,
    name: field('Name'),
    argv: (read(pid, 'cmdline') ?? '').split('\0').slice(0, -1),
    ...(options !== undefined && { nodeOptions: options }),
    environment: environment !== undefined,
    uid,
    state,
    parent: Number(field('PPid')),
    tracer: Number(field('TracerPid')),
    zombie,
    ...(ended !== undefined && { signal: ended & 0x7f, status: (ended >> 8) & 0xff }),
    ...(since !== undefined && { since }),
    ...(nproc !== undefined && { nproc }),
    mountinfo: read(pid, 'mountinfo') ?? '',
  }
}

/** Parses the wait status in field 52 of /proc/PID/stat. */
function parseExitStatus(stat: string): number | undefined {
  const status = statField(stat, 52)
  return status === undefined ? undefined : Number(status)
}

/** Milliseconds of a clock tick. A second has 100 ticks (USER_HZ) on all supported machines. */
const tickMs = 10
/** Maximum error of the clock of the kernel's log, as a share of the time since the boot. That clock is never adjusted. */
const drift = 1e-4

/** Returns the earliest possible start time of a process, from field 22 of /proc/PID/stat, /proc/uptime and the current time. */
export function parseStart(stat: string, uptime: string, now: number): number | undefined {
  const [start, up] = [statField(stat, 22), Number.parseFloat(uptime) * 1000]
  if (start === undefined || Number.isNaN(up)) return undefined
  return now - (up - Number(start) * tickMs) - up * drift - 1000
}

/** Mask of the capabilities that exempt from RLIMIT_NPROC: CAP_SYS_ADMIN (21) and CAP_SYS_RESOURCE (24). */
const exempting = (1n << 21n) | (1n << 24n)

/** Parses RLIMIT_NPROC from the text of /proc/PID/limits. Returns undefined if it does not apply. */
export function parseNproc(limits: string | undefined, uid: number, capabilities: string): number | undefined {
  const soft = /^Max processes +(\d+)/m.exec(limits ?? '')?.[1]
  const exempt = uid === 0 || (BigInt(`0x${capabilities || '0'}`) & exempting) !== 0n
  return soft === undefined || exempt ? undefined : Number(soft)
}

/** Returns the group of a process in each hierarchy. */
export function readGroupPaths(pid: number, host: Host): GroupPaths | undefined {
  const mounts = read('self', 'mountinfo')
  try {
    return mounts === undefined
      ? undefined
      : ownGroupPaths({ ...host, ...parseHierarchies(mounts, readMembership(pid)) })
  } catch {
    // the process is gone
    return undefined
  }
}

/** Returns the number of processes and threads of a user, without those of this process. */
export function countTasks(uid: number): number {
  let tasks = 0
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    const status = read(pid, 'status') ?? ''
    if (Number(/^Uid:\t(\d+)/m.exec(status)?.[1] ?? -1) === uid)
      tasks += Number(/^Threads:\t(\d+)/m.exec(status)?.[1] ?? 1)
  }
  return tasks
}

/** Returns the number of tasks on the machine, and the limits threads-max and pid_max. */
export function readTaskLimits(): { tasks: number; threadsMax: number; pidMax: number } | undefined {
  const tasks = Number(/^\S+ \S+ \S+ \d+\/(\d+)/.exec(read('', 'loadavg') ?? '')?.[1])
  const [threadsMax, pidMax] = ['threads-max', 'pid_max'].map((name) => Number(read('sys', `kernel/${name}`)))
  return tasks > 0 && threadsMax! > 0 && pidMax! > 0 ? { tasks, threadsMax: threadsMax!, pidMax: pidMax! } : undefined
}

/** Returns the names of running daemons, such as earlyoom, that kill processes when memory is low. */
export function findKillers(): string[] {
  const known = new Set(['systemd-oomd', 'earlyoom', 'oomd', 'nohang'])
  const found = readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) ? [read(pid, 'comm')?.trimEnd() ?? ''] : []))
  return [...known].filter((name) => found.includes(name))
}
