// SPDX-License-Identifier: Apache-2.0
// Users and groups by name, from /etc/passwd and /etc/group: passwd(5), group(5).
import { readFileSync } from 'node:fs'
import { fail } from '../errors.ts'

/** Who the command runs as. */
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

/** `name`, `uid`, `name:group` or `uid:gid`, as Docker's --user. @throws USER_UNKNOWN */
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

/** The user's name, or the number of one that has none. */
export function nameOfUser(uid: number): string {
  return readTable('/etc/passwd').find((fields) => Number(fields[2]) === uid)?.[0] ?? String(uid)
}

/** The group's name, or the number of one that has none. */
export function nameOfGroup(gid: number): string {
  return readTable('/etc/group').find((fields) => Number(fields[2]) === gid)?.[0] ?? String(gid)
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff
}
