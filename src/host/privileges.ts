// SPDX-License-Identifier: Apache-2.0
// What this process may do, and what stands in the way of unprivileged user namespaces.
import { existsSync, readFileSync } from 'node:fs'
import { effectiveGroup, effectiveUser, nameOfUser } from './passwd.ts'

/** Ids and capabilities of this process. */
export interface Privileges {
  uid: number
  gid: number
  /** CapPrm and Seccomp of /proc/self/status. */
  permitted: string
  seccomp: boolean
}

let read: Privileges | undefined

/** Of this process, once. */
export function readPrivileges(): Privileges {
  if (read) return read
  const status = readText('/proc/self/status')
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\w+)`, 'm').exec(status)?.[1] ?? '0'
  read = {
    uid: effectiveUser(),
    gid: effectiveGroup(),
    permitted: field('CapPrm'),
    seccomp: field('Seccomp') === '2',
  }
  return read
}

/** A range of ids that a user may map. */
export interface SubordinateIds {
  start: number
  count: number
}

/** What newuidmap(1) and newgidmap(1) would let this user map, and where they are ('' is nowhere). */
export interface Delegation {
  users: SubordinateIds[]
  groups: SubordinateIds[]
  userTool: string
  groupTool: string
}

/** From /etc/subuid and /etc/subgid: lines of the user's name or number. */
export function readDelegation(uid: number): Delegation {
  const name = nameOfUser(uid)
  return {
    users: parseSubordinate(readText('/etc/subuid'), name, uid),
    groups: parseSubordinate(readText('/etc/subgid'), name, uid),
    userTool: findTool('newuidmap'),
    groupTool: findTool('newgidmap'),
  }
}

/** The ranges of one user: subuid(5). */
export function parseSubordinate(text: string, name: string, uid: number): SubordinateIds[] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([who, start = '', count = '']) => (who === name || who === String(uid)) && isId(start) && isId(count))
    .map(([, start, count]) => ({ start: Number(start), count: Number(count) }))
    .filter(({ count }) => count > 0)
}

/** Where a program is, '' when it is not. Never from PATH: these have, or are given, rights over more than the caller's own files. */
export function findTool(name: string): string {
  return ['/usr/bin', '/bin', '/usr/sbin', '/usr/local/bin'].map((at) => `${at}/${name}`).find(existsSync) ?? ''
}

/** One thing that forbids them, and its remedy. */
export interface Obstacle {
  found: string
  remedy: string
}

/** Why this user may make no user namespace, or one without rights; empty when nothing is known to forbid it. */
export function findObstacles(): Obstacle[] {
  const obstacles: Obstacle[] = []
  const number = (path: string) => readText(path).trim()
  if (number('/proc/sys/user/max_user_namespaces') === '0')
    obstacles.push({
      found: '/proc/sys/user/max_user_namespaces is 0',
      remedy: 'sysctl -w user.max_user_namespaces=15000',
    })
  if (number('/proc/sys/kernel/unprivileged_userns_clone') === '0')
    obstacles.push({
      found: '/proc/sys/kernel/unprivileged_userns_clone is 0',
      remedy: 'sysctl -w kernel.unprivileged_userns_clone=1',
    })
  if (number('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1')
    obstacles.push({
      found: 'AppArmor restricts them (/proc/sys/kernel/apparmor_restrict_unprivileged_userns is 1)',
      remedy:
        'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give node a profile with "userns," in /etc/apparmor.d',
    })
  if (readPrivileges().seccomp)
    obstacles.push({
      found: 'this process is under a seccomp filter (a container of Docker or Kubernetes?), which may refuse them',
      remedy: 'docker run --security-opt seccomp=FILE with a profile that allows clone and unshare with CLONE_NEWUSER',
    })
  return obstacles
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
