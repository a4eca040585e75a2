// SPDX-License-Identifier: Apache-2.0
// Reads this process's privileges, and finds what prevents an unprivileged user from creating user namespaces.
import { existsSync, readFileSync } from '../system/files.ts'
import { effectiveGroup, effectiveUser, nameOfUser } from './passwd.ts'

/** The ids and capabilities of a process. */
export interface Privileges {
  uid: number
  gid: number
  /** The fields CapPrm (permitted capabilities) and Seccomp (filter mode) of /proc/self/status. */
  permitted: string
  seccomp: boolean
}

let read: Privileges | undefined

/** Returns this process's ids and capabilities. Reads them only once. */
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

/** The ids that newuidmap(1) and newgidmap(1) let this user map, and the paths of these programs ('' if not installed). */
export interface Delegation {
  users: SubordinateIds[]
  groups: SubordinateIds[]
  userTool: string
  groupTool: string
}

/** Reads from /etc/subuid and /etc/subgid which ids a user may map, and finds newuidmap(1) and newgidmap(1). */
export function readDelegation(uid: number): Delegation {
  const name = nameOfUser(uid)
  return {
    users: parseSubordinate(readText('/etc/subuid'), name, uid),
    groups: parseSubordinate(readText('/etc/subgid'), name, uid),
    userTool: findTool('newuidmap'),
    groupTool: findTool('newgidmap'),
  }
}

/** Returns the lines of /etc/subuid or /etc/subgid that belong to a user, as ranges of ids: subuid(5). */
export function parseSubordinate(text: string, name: string, uid: number): SubordinateIds[] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([who, start = '', count = '']) => (who === name || who === String(uid)) && isId(start) && isId(count))
    .map(([, start, count]) => ({ start: Number(start), count: Number(count) }))
    .filter(({ count }) => count > 0)
}

/**
 * Returns the absolute path of a set-user-ID program, or '' if it is not installed. Never searches PATH, which could
 * name another program.
 */
export function findTool(name: string): string {
  return ['/usr/bin', '/bin', '/usr/sbin', '/usr/local/bin'].map((at) => `${at}/${name}`).find(existsSync) ?? ''
}

/** A setting that forbids user namespaces, and its remedy. */
export interface Obstacle {
  found: string
  remedy: string
}

/** Lists the reasons why this user cannot create a user namespace, or gets no capabilities in one. Empty if no reason is known. */
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
