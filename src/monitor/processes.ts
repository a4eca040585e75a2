// SPDX-License-Identifier: Apache-2.0
// Reads which processes are in which group, in all hierarchies, with their state. See proc_pid_stat(5) and
// proc_pid_status(5).
import { listGroups, readMany, splitGroups } from '../cgroup/files.ts'
import { hierarchies } from '../cgroup/group-paths.ts'
import { fail } from '../errors/errors.ts'
import type { Host } from '../host/host.ts'

/** A process that is in a group. */
export interface Member {
  pid: number
  parent: number
  /** Effective user id. */
  uid: number
  /** The state letter of proc_pid_stat(5): R, S, D, Z, T, … */
  state: string
  threads: number
  /** Resident memory in bytes, including shared memory. */
  resident: number
  /** CPU time in microseconds, without the time of its ended children. */
  cpuUsec: number
  /** Command line. For a kernel thread or a zombie, which have none, the name in brackets. */
  command: string
  kernel: boolean
}

const kernelThread = 0x0020_0000

/**
 * Returns the processes of each non-empty group by path, parents first. With `within`, returns only that group and its
 * descendants. A process that is in groups of several v1 hierarchies is listed in each; root groups do not count.
 *
 * @throws CGROUP_MISSING
 */
export function readMembers(host: Host, within = '/'): Map<string, Member[]> {
  if (host.layout === 'none') throw fail('CGROUP_MISSING', { need: 'look at groups' })
  const pids = readPids(host, within)
  const placed = new Set([...pids].flatMap(([path, members]) => (path === '/' ? [] : [...members])))
  const root = pids.get('/')
  for (const pid of placed) root?.delete(pid)
  const known = readProcesses([...new Set([...pids.values()].flatMap((members) => [...members]))])
  const groups = new Map<string, Member[]>()
  for (const path of [...pids.keys()].sort(byTree)) {
    const members = [...pids.get(path)!].sort((a, b) => a - b).flatMap((pid) => known.get(pid) ?? [])
    if (members.length > 0) groups.set(path, members)
  }
  return groups
}

/** Compares paths so that a group's children directly follow the group: NUL sorts before any character of a name. */
export function byTree(a: string, b: string): number {
  const [left, right] = [a, b].map((path) => (path === '/' ? '' : path.replaceAll('/', '\0')))
  return left! < right! ? -1 : Number(left! > right!)
}

function readPids(host: Host, within: string): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>()
  for (const mount of new Set(hierarchies(host).map(([, { mount }]) => mount))) {
    const top = within === '/' ? '' : within
    const paths = [top, ...splitGroups(listGroups(mount + top)).map((path) => `${top}/${path}`)]
    const texts = readMany(
      paths.map((path) => mount + path),
      ['cgroup.procs'],
    )
    for (const [i, path] of paths.entries())
      for (const word of texts[i]!('cgroup.procs')?.split('\n') ?? []) {
        // the kernel prints 0 for a process of another pid namespace
        const pid = Number(word)
        if (pid > 0) found.set(path || '/', (found.get(path || '/') ?? new Set()).add(pid))
      }
  }
  return found
}

/** Reads the state of processes. Those that have ended are missing in the result. */
function readProcesses(pids: readonly number[]): Map<number, Member> {
  const files = ['stat', 'status', 'cmdline'] as const
  const found = new Map<number, Member>()
  const texts = readMany(
    pids.map((pid) => `/proc/${pid}`),
    files,
  )
  for (const [i, pid] of pids.entries()) {
    const [stat, status, cmdline] = files.map((file) => texts[i]!(file))
    const member = parseProcess(pid, stat, status, cmdline)
    if (member) found.set(pid, member)
  }
  return found
}

/** Parses a process from the texts of its three files in /proc, decoded as latin1. Pure. */
export function parseProcess(
  pid: number,
  stat: string | undefined,
  status: string | undefined,
  cmdline: string | undefined,
): Member | undefined {
  const end = stat?.lastIndexOf(')') ?? -1
  const uid = /^Uid:\t\d+\t(\d+)/m.exec(status ?? '')?.[1]
  if (stat === undefined || end < 0 || uid === undefined) return undefined
  // `fields` begins with the third field of the file: ppid is the fourth, flags the ninth, utime the fourteenth,
  // num_threads the twentieth
  const fields = stat.slice(end + 2).split(' ')
  const words = cmdline?.replace(/\0+$/, '').replaceAll('\0', ' ')
  const resident = Number(/^VmRSS:\s+(\d+) kB/m.exec(status ?? '')?.[1] ?? 0) * 1024
  return {
    pid,
    parent: Number(fields[1]),
    uid: Number(uid),
    state: fields[0]!,
    threads: Number(fields[17]),
    resident,
    // a clock tick is 10 ms on all supported architectures
    cpuUsec: (Number(fields[11]) + Number(fields[12])) * 10_000,
    command: decode(words || `[${stat.slice(stat.indexOf('(') + 1, end)}]`),
    kernel: (Number(fields[6]) & kernelThread) !== 0,
  }
}

function decode(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}
