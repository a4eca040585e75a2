// SPDX-License-Identifier: Apache-2.0
// Reads the machine's facts as one value, once a process. Plans are made from it, and tests write it by hand.

import { fail } from '../errors/errors.ts'
import { readFileSync, readlinkSync } from '../system/files.ts'
import { release } from '../system/machine.ts'
import { decodeNames } from '../text/non-utf8.ts'
import { type Hierarchies, parseHierarchies } from './hierarchy.ts'
import { type OuterLimit, readOuterLimits } from './outer-limits.ts'
import { findOwnGroup } from './own-group.ts'
import { effectiveUser } from './passwd.ts'

/** The facts about the machine and this process from which runs are planned. */
export interface Host extends Hierarchies {
  /** Major and minor number of the kernel's version. */
  kernel: [number, number]
  release: string
  /** Effective user id of this process. */
  uid: number
  /** This process as the clean-up of stale groups identifies it: pid, start time (clock ticks since boot) and pid namespace. */
  owner: { pid: number; startTime: string; pidNamespace: string }
  /** The delegated v2 group in which this process creates groups for its jobs. Groups at or above its parent are not changed. */
  home?: string
  /** Limits of the groups that this process left to enter `home`. */
  outer?: OuterLimit[]
}

let read: Host | undefined
let texts: { mountinfo: string; membership: string } | undefined

/**
 * Forgets the facts about this host. Must be called after a mount or a move of this process; the next call of readHost reads them again.
 */
export function forgetHost(): void {
  read = undefined
  texts = undefined
}

/** Returns the texts of which the facts about hierarchies were read: /proc/self/mountinfo and /proc/self/cgroup. */
export function readHierarchyTexts(): { mountinfo: string; membership: string } {
  texts ??= { mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'), membership: readMembership('self') }
  return texts
}

/** Reads the facts about this host and this process from /proc. @throws HOST_UNSUPPORTED */
export function readHost(): Host {
  if (read) return read
  if (process.platform !== 'linux') throw fail('HOST_UNSUPPORTED', { why: `this is ${process.platform}` })
  try {
    const [major, minor] = release().split('.', 2)
    const { mountinfo, membership } = readHierarchyTexts()
    read = {
      ...parseHierarchies(mountinfo, membership, findOwnGroup),
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

/** Returns the directory of this process's current v2 group. @throws HOST_UNSUPPORTED */
export function readOwnGroup(): string | undefined {
  return parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), readMembership('self'), findOwnGroup).unified
    ?.own
}

/** Reads /proc/PID/cgroup without loss: group names can contain any byte. */
export function readMembership(pid: number | 'self'): string {
  return decodeNames(readFileSync(`/proc/${pid}/cgroup`))
}

/** Sets the group in which this process's future jobs are placed. The process may already be in `home`. */
export function setHome(home: string): void {
  const host = readHost()
  const { own } = host.unified!
  const outer = readOuterLimits(withoutLeaf(own), commonGroup(own, home))
  read = { ...host, unified: { ...host.unified!, own: readOwnGroup() ?? own }, home, outer }
  texts = undefined
}

/** Returns the nearest common ancestor of two groups. A group counts as its own ancestor. */
export function commonGroup(one: string, other: string): string {
  const [a, b] = [one.split('/'), other.split('/')]
  const differ = a.findIndex((part, i) => part !== b[i])
  return (differ < 0 ? a : a.slice(0, differ)).join('/')
}

/**
 * Name of the child group that holds the processes of a delegated group. A v2 group with controlled children cannot hold processes itself.
 */
export const leafName = 'hutch-leaf'

/**
 * Returns the parent if the group is such a child group (hutch-leaf), otherwise the group itself. The jobs of a process in it are created
 * beside it.
 */
export function withoutLeaf(directory: string): string {
  return directory.endsWith(`/${leafName}`) ? directory.slice(0, -leafName.length - 1) : directory
}

/** Returns the start time of a process, which is field 22 of /proc/PID/stat. */
export function parseStartTime(stat: string): string {
  return statField(stat, 22) ?? ''
}

/** Returns a field of /proc/PID/stat from the third on, by its number in proc_pid_stat(5). Field 2 can contain any byte, so fields count from its last parenthesis. */
export function statField(stat: string, number: number): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[number - 3]
}

/** Returns whether the kernel is this release or a later one. */
export function isKernelFrom([major, minor]: Host['kernel'], since: Host['kernel']): boolean {
  return major > since[0] || (major === since[0] && minor >= since[1])
}
