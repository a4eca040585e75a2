// SPDX-License-Identifier: Apache-2.0
// Reads a process from /proc, with the limits on its forks and writes: proc_pid_status(5), proc_pid_limits(5).

import { type GroupPaths, ownGroupPaths } from '../cgroup/group-paths.ts'
import { parseHierarchies } from '../host/hierarchy.ts'
import { type Host, readMembership, statField } from '../host/host.ts'
import { readdirSync, readFileSync } from '../system/files.ts'

/** A process. A field is undefined if it is unreadable or does not apply. */
export interface ProcessFacts {
  pid: number
  name: string
  argv: string[]
  nodeOptions?: string
  /** Whether its environment is readable. */
  environment: boolean
  uid: number
  /** The state letter of proc_pid_stat(5). */
  state: string
  parent: number
  /** The tracer's process id, or 0. */
  tracer: number
  /** Whether the process is a zombie. */
  zombie: boolean
  /** Signal and exit status of a zombie. 0 if absent or unreadable. */
  signal?: number
  status?: number
  /** Earliest start time of a zombie, by the clock of the kernel's log. Milliseconds since the epoch. */
  since?: number
  /** Soft RLIMIT_NPROC, if it applies: root and holders of CAP_SYS_ADMIN or CAP_SYS_RESOURCE are exempt. */
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

/** Reads a process. Returns undefined if it does not exist. */
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

/** Parses field 52 of stat, a wait status. */
function parseExitStatus(stat: string): number | undefined {
  const status = statField(stat, 52)
  return status === undefined ? undefined : Number(status)
}

/** Clock ticks a second. USER_HZ is 100 on all supported machines. */
const tickMs = 10
/** Maximum drift of the clock of the kernel's log, as a share of the time since the boot. Nothing corrects that clock. */
const drift = 1e-4

/** Returns the earliest possible start of a process, from field 22 of stat, /proc/uptime and the current time. */
export function parseStart(stat: string, uptime: string, now: number): number | undefined {
  const [start, up] = [statField(stat, 22), Number.parseFloat(uptime) * 1000]
  if (start === undefined || Number.isNaN(up)) return undefined
  return now - (up - Number(start) * tickMs) - up * drift - 1000
}

/** Mask of CAP_SYS_ADMIN (21) and CAP_SYS_RESOURCE (24). */
const exempting = (1n << 21n) | (1n << 24n)

/** Parses a limit in the text of /proc/PID/limits. */
export function parseNproc(limits: string | undefined, uid: number, capabilities: string): number | undefined {
  const soft = /^Max processes +(\d+)/m.exec(limits ?? '')?.[1]
  const exempt = uid === 0 || (BigInt(`0x${capabilities || '0'}`) & exempting) !== 0n
  return soft === undefined || exempt ? undefined : Number(soft)
}

/** Returns the process's group in each hierarchy. */
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

/** Counts a user's processes and threads, without this process. */
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

/** Returns the number of tasks on the machine and its maximum. */
export function readTaskLimits(): { tasks: number; threadsMax: number; pidMax: number } | undefined {
  const tasks = Number(/^\S+ \S+ \S+ \d+\/(\d+)/.exec(read('', 'loadavg') ?? '')?.[1])
  const [threadsMax, pidMax] = ['threads-max', 'pid_max'].map((name) => Number(read('sys', `kernel/${name}`)))
  return tasks > 0 && threadsMax! > 0 && pidMax! > 0 ? { tasks, threadsMax: threadsMax!, pidMax: pidMax! } : undefined
}

/** Returns the names of running daemons that kill processes when memory is low, such as earlyoom. */
export function findKillers(): string[] {
  const known = new Set(['systemd-oomd', 'earlyoom', 'oomd', 'nohang'])
  const found = readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) ? [read(pid, 'comm')?.trimEnd() ?? ''] : []))
  return [...known].filter((name) => found.includes(name))
}
