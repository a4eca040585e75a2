// SPDX-License-Identifier: Apache-2.0
// A process as /proc shows it, with what can keep it from forking and writing: proc_pid_status(5), proc_pid_limits(5).
import { readdirSync, readFileSync } from 'node:fs'
import { ownPlace, type Place } from '../cgroup/group-paths.ts'
import { parseHierarchies } from '../host/hierarchy.ts'
import { type Host, readMembership, statField } from '../host/host.ts'

/** What is left undefined may not be read, or there is none. */
export interface ProcessFacts {
  pid: number
  name: string
  argv: string[]
  nodeOptions?: string
  /** Whether its environment may be read. */
  environment: boolean
  uid: number
  /** One letter: proc_pid_stat(5). */
  state: string
  parent: number
  /** The process that traces it, 0 for none. */
  tracer: number
  /** Over; only its parent has not asked yet. */
  zombie: boolean
  /** Of a zombie: the number of the signal that ended it and its status, 0 for none and where it may not be read. */
  signal?: number
  status?: number
  /** Of a zombie: not before this it began, in milliseconds since the epoch, by the clock of the kernel's log. */
  since?: number
  /** Soft RLIMIT_NPROC, where it holds: root and who has CAP_SYS_ADMIN or CAP_SYS_RESOURCE are not held to it. */
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

/** Undefined when there is no such process. */
export function readProcess(pid: number): ProcessFacts | undefined {
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

/** Field 52, a wait status. */
function parseExitStatus(stat: string): number | undefined {
  const status = statField(stat, 52)
  return status === undefined ? undefined : Number(status)
}

/** USER_HZ is 100 wherever hutch runs. */
const tickMs = 10
/** Nobody sets the clock of the kernel's log right: so far, of the time since the boot, it may be off. */
const drift = 1e-4

/** The earliest moment at which a process may have begun, from its stat (field 22), /proc/uptime and the time now. */
export function parseStart(stat: string, uptime: string, now: number): number | undefined {
  const [start, up] = [statField(stat, 22), Number.parseFloat(uptime) * 1000]
  if (start === undefined || Number.isNaN(up)) return undefined
  return now - (up - Number(start) * tickMs) - up * drift - 1000
}

/** CAP_SYS_ADMIN is 21, CAP_SYS_RESOURCE 24. */
const exempting = (1n << 21n) | (1n << 24n)

/** From the text of /proc/PID/limits. */
export function parseNproc(limits: string | undefined, uid: number, capabilities: string): number | undefined {
  const soft = /^Max processes +(\d+)/m.exec(limits ?? '')?.[1]
  const exempt = uid === 0 || (BigInt(`0x${capabilities || '0'}`) & exempting) !== 0n
  return soft === undefined || exempt ? undefined : Number(soft)
}

/** The groups that it is in, on every hierarchy. */
export function readPlace(pid: number, host: Host): Place | undefined {
  const mounts = read('self', 'mountinfo')
  try {
    return mounts === undefined ? undefined : ownPlace({ ...host, ...parseHierarchies(mounts, readMembership(pid)) })
  } catch {
    // it is gone
    return undefined
  }
}

/** How many tasks a user has, threads too, but for this process and its own. */
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

/** Tasks of the whole machine, and how many it may have. */
export function readTaskLimits(): { tasks: number; threadsMax: number; pidMax: number } | undefined {
  const tasks = Number(/^\S+ \S+ \S+ \d+\/(\d+)/.exec(read('', 'loadavg') ?? '')?.[1])
  const [threadsMax, pidMax] = ['threads-max', 'pid_max'].map((name) => Number(read('sys', `kernel/${name}`)))
  return tasks > 0 && threadsMax! > 0 && pidMax! > 0 ? { tasks, threadsMax: threadsMax!, pidMax: pidMax! } : undefined
}

/** Names of daemons that kill for want of memory from outside of the kernel, of those that run here. */
export function findKillers(): string[] {
  const known = new Set(['systemd-oomd', 'earlyoom', 'oomd', 'nohang'])
  const found = readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) ? [read(pid, 'comm')?.trimEnd() ?? ''] : []))
  return [...known].filter((name) => found.includes(name))
}
