// SPDX-License-Identifier: Apache-2.0
// Reads from /proc the properties of a process that rules match: proc_pid_stat(5), proc_pid_status(5).

import { readGroupFile } from '../cgroup/files.ts'
import { type Hierarchies, parseHierarchies } from '../host/hierarchy.ts'
import { readHost } from '../host/host.ts'
import { readdirSync, readFileSync, readlinkSync } from '../system/files.ts'
import { type ProcessIdentity, programOf } from './match.ts'

/** A process, with properties that only rules/watch.ts needs. */
export interface WatchedProcess extends ProcessIdentity {
  parent: number
  startTime: string
}

const kernelThread = 0x0020_0000

/** Reads a process. Returns undefined if it has ended, or if it is a kernel thread or a zombie, which cannot be moved. */
export function readWatchedProcess(pid: number): WatchedProcess | undefined {
  const directory = `/proc/${pid}`
  const stat = read(`${directory}/stat`)
  const end = stat?.lastIndexOf(')') ?? -1
  if (stat === undefined || end < 0) return undefined
  // `fields` begins with the third field of the file: state, ppid, pgrp, session, tty, tpgid, flags …
  const fields = stat.slice(end + 2).split(' ')
  if (/^[ZXx]$/.test(fields[0]!) || Number(fields[6]) & kernelThread) return undefined
  const ids = read(`${directory}/status`)
  const membership = read(`${directory}/cgroup`)
  const uid = /^Uid:\t\d+\t(\d+)/m.exec(ids ?? '')?.[1]
  const gid = /^Gid:\t\d+\t(\d+)/m.exec(ids ?? '')?.[1]
  if (uid === undefined || gid === undefined || membership === undefined) return undefined
  const comm = stat.slice(stat.indexOf('(') + 1, end)
  const exe = readLink(`${directory}/exe`) ?? ''
  const known = exe.endsWith(`/${comm}`)
  return {
    pid,
    parent: Number(fields[1]),
    startTime: fields[19] ?? '',
    uid: Number(uid),
    gid: Number(gid),
    program: known ? exe : programOf(exe, comm, read(`${directory}/cmdline`) ?? '', readLink(`${directory}/cwd`)),
    realtime: fields[38] === '1' || fields[38] === '2',
    ...readGroups(membership),
  }
}

/** Returns the ids of all processes. */
export function readPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

let host: { mountinfo: string; unified: string[] } | undefined
const groups = new Map<string, Hierarchies>()

/**
 * Returns the groups of a process, from the text of its /proc/PID/cgroup. Caches the result, because many processes are
 * in the same groups.
 */
function readGroups(membership: string): Pick<ProcessIdentity, 'groups' | 'unified'> {
  if (!host) {
    const { unified } = readHost()
    const offered = unified ? (readGroupFile(unified.mount, 'cgroup.controllers') ?? '') : ''
    host = { mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'), unified: offered.split(' ') }
  }
  let known = groups.get(membership)
  if (!known) {
    if (groups.size >= 256) groups.clear()
    known = parseHierarchies(host.mountinfo, membership)
    groups.set(membership, known)
  }
  return { groups: known, unified: host.unified }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
