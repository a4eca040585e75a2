// SPDX-License-Identifier: Apache-2.0
// The machine's facts as one value, read once a process: plans are made from it, and tests write it by hand.
import { readFileSync, readlinkSync } from 'node:fs'
import { release } from 'node:os'
import { fail } from '../errors/errors.ts'
import { decodeNames } from '../text/non-utf8.ts'
import { type Hierarchies, parseHierarchies } from './hierarchy.ts'
import { type OuterLimit, readOuterLimits } from './outer-limits.ts'
import { findOwnGroup } from './own-group.ts'
import { effectiveUser } from './passwd.ts'

/** What plans need to know of the machine and of this process. */
export interface Host extends Hierarchies {
  /** Major and minor of the kernel's release. */
  kernel: [number, number]
  release: string
  /** Effective user id of this process. */
  uid: number
  /** This process, as the sweep recognises it: pid, start time (clock ticks since boot) and pid namespace. */
  owner: { pid: number; startTime: string; pidNamespace: string }
  /** A delegated v2 group that this process was given for its jobs: nothing at or above its parent is its business. */
  home?: string
  /** Limits of the groups that this process left for it. */
  outer?: OuterLimit[]
}

let read: Host | undefined

/** After a mount or a move of this process: the next look reads anew. */
export function forgetHost(): void {
  read = undefined
}

/** The facts, from /proc. @throws HOST_UNSUPPORTED */
export function readHost(): Host {
  if (read) return read
  if (process.platform !== 'linux') throw fail('HOST_UNSUPPORTED', { why: `this is ${process.platform}` })
  try {
    const [major, minor] = release().split('.', 2)
    read = {
      ...parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), readMembership('self'), findOwnGroup),
      kernel: [Number(major), Number.parseInt(minor ?? '0', 10)],
      release: release(),
      uid: effectiveUser(),
      owner: {
        pid: process.pid,
        startTime: parseStartTime(readFileSync('/proc/self/stat', 'utf8')),
        pidNamespace: /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0',
      },
    }
  } catch (error) {
    throw fail('HOST_UNSUPPORTED', { why: `/proc cannot be read: ${(error as Error).message}` }, error)
  }
  return read
}

/** The v2 group that this process is in now, as a directory. @throws HOST_UNSUPPORTED */
export function readOwnGroup(): string | undefined {
  return parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), readMembership('self'), findOwnGroup).unified
    ?.own
}

/** /proc/PID/cgroup, in which a group may have any name. */
export function readMembership(pid: number | 'self'): string {
  return decodeNames(readFileSync(`/proc/${pid}/cgroup`))
}

/** From now on this process's jobs go below `home`. It may be in there already. */
export function settleHost(home: string): void {
  const host = readHost()
  const { own } = host.unified!
  const outer = readOuterLimits(withoutLeaf(own), commonGroup(own, home))
  read = { ...host, unified: { ...host.unified!, own: readOwnGroup() ?? own }, home, outer }
}

/** The nearest group that both are in or are. */
export function commonGroup(one: string, other: string): string {
  const [a, b] = [one.split('/'), other.split('/')]
  const differ = a.findIndex((part, i) => part !== b[i])
  return (differ < 0 ? a : a.slice(0, differ)).join('/')
}

/** Where those processes are that must not stand in a delegated group itself: its jobs' groups are beside it. */
export const leafName = 'hutch-leaf'

/** A process in a leaf has its jobs beside the leaf. */
export function withoutLeaf(directory: string): string {
  return directory.endsWith(`/${leafName}`) ? directory.slice(0, -leafName.length - 1) : directory
}

/** Field 22 of /proc/PID/stat; the command in field 2 may hold anything, so counting starts behind its last parenthesis. */
export function parseStartTime(stat: string): string {
  return statField(stat, 22) ?? ''
}

/** A field of /proc/PID/stat from the third on, by its number in proc_pid_stat(5); the command in field 2 may hold anything. */
export function statField(stat: string, number: number): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[number - 3]
}

/** Whether the kernel is of this release or a later one. */
export function isKernelFrom([major, minor]: Host['kernel'], since: Host['kernel']): boolean {
  return major > since[0] || (major === since[0] && minor >= since[1])
}
