// SPDX-License-Identifier: Apache-2.0
// Looks up users and groups in /etc/passwd and /etc/group: passwd(5), group(5).

import { fail } from '../errors/errors.ts'
import { readFileSync, statSync } from '../system/files.ts'

/**
 * The lowest value that is an errno and not an id: geteuid(2) refused by a seccomp filter returns a negative errno,
 * read here as unsigned.
 */
const firstErrno = 2 ** 32 - 4095

/** Returns this process's effective user id. Reads it from /proc if a seccomp filter refuses geteuid(2). */
export function effectiveUser(): number {
  const uid = process.geteuid!()
  return uid < firstErrno ? uid : effectiveIn('Uid')
}

/** Returns this process's effective group id. Reads it from /proc if a seccomp filter refuses getegid(2). */
export function effectiveGroup(): number {
  const gid = process.getegid!()
  return gid < firstErrno ? gid : effectiveIn('Gid')
}

function effectiveIn(row: string): number {
  return Number(new RegExp(`^${row}:\\s+\\d+\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
}

/** The user and groups that the command runs as. */
export interface User {
  uid: number
  gid: number
  groups: number[]
  name?: string
  home?: string
}

function readTable(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
  } catch {
    return []
  }
}

/** Parses a user in the form of `docker run --user`: `name`, `uid`, `name:group` or `uid:gid`. @throws USER_UNKNOWN */
export function readUser(text: string, origin: string): User {
  const [who = '', group] = text.split(':', 2)
  const entry = readTable('/etc/passwd').find(
    (fields) => fields[0] === who || (isId(who) && Number(fields[2]) === Number(who)),
  )
  if (!entry && !isId(who)) throw fail('USER_UNKNOWN', { name: who, kind: 'user', origin })
  const uid = Number(entry?.[2] ?? who)
  const groups = readTable('/etc/group')
  const named = (name: string) => groups.find((fields) => fields[0] === name)?.[2]
  if (group !== undefined && !isId(group) && named(group) === undefined)
    throw fail('USER_UNKNOWN', { name: group, kind: 'group', origin })
  const gid = Number(group === undefined ? (entry?.[3] ?? 0) : isId(group) ? group : named(group))
  const member = groups
    .filter((fields) => entry && fields[3]?.split(',').includes(entry[0]!))
    .map((fields) => Number(fields[2]))
  const user = { uid, gid, groups: group === undefined ? [...new Set([gid, ...member])] : [gid] }
  return entry ? { ...user, name: entry[0]!, home: entry[5]! } : user
}

/** Parses a group's name or number and returns its id. @throws USER_UNKNOWN */
export function readGroup(text: string, origin: string): number {
  if (isId(text)) return Number(text)
  const entry = readTable('/etc/group').find((fields) => fields[0] === text)
  if (!entry) throw fail('USER_UNKNOWN', { name: text, kind: 'group', origin })
  return Number(entry[2])
}

/** The content of /etc/passwd and /etc/group as maps, for matching many processes against names. */
export interface PasswdMaps {
  /** User ids by name, and names by user id. */
  users: Map<string, number>
  userNames: Map<number, string>
  /** Groups by name with their members' names, and names by group id. */
  groups: Map<string, { gid: number; members: string[] }>
  groupNames: Map<number, string>
}

let known: { stamp: string; ids: PasswdMaps } | undefined

/** Returns the current content of /etc/passwd and /etc/group. Reads a file again only if it changed. */
export function readIds(): PasswdMaps {
  const stamp = ['/etc/passwd', '/etc/group'].map(stampOf).join(' ')
  if (known?.stamp === stamp) return known.ids
  const ids: PasswdMaps = { users: new Map(), userNames: new Map(), groups: new Map(), groupNames: new Map() }
  for (const [name = '', , id = ''] of readTable('/etc/passwd')) {
    if (name === '' || !isId(id)) continue
    if (!ids.users.has(name)) ids.users.set(name, Number(id))
    if (!ids.userNames.has(Number(id))) ids.userNames.set(Number(id), name)
  }
  for (const [name = '', , id = '', members = ''] of readTable('/etc/group')) {
    if (name === '' || !isId(id)) continue
    if (!ids.groups.has(name)) ids.groups.set(name, { gid: Number(id), members: members.split(',').filter(Boolean) })
    if (!ids.groupNames.has(Number(id))) ids.groupNames.set(Number(id), name)
  }
  known = { stamp, ids }
  return ids
}

function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return ''
  }
}

/** Returns the user's name, or the number if the user has no name. */
export function nameOfUser(uid: number): string {
  return readIds().userNames.get(uid) ?? String(uid)
}

/** Returns the group's name, or the number if the group has no name. */
export function nameOfGroup(gid: number): string {
  return readIds().groupNames.get(gid) ?? String(gid)
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff
}
