// SPDX-License-Identifier: Apache-2.0
// Parses an entry in the list `syscalls` of a seccomp profile: names, action, conditions, and the facts under which it
// applies. Pure.
import { capabilityName, nearestCapability, parseCapability } from '../credentials/capability.ts'
import { readAnswer } from './action.ts'
import { isSyscall, nearestSyscall } from './arch.ts'
import { severity } from './compile.ts'
import {
  inside,
  type JsonCursor,
  readList,
  readNumber,
  readObject,
  readString,
  readWord,
  refuse,
} from './json-cursor.ts'
import { type ArgumentCondition, type Circumstances, conditionOps, type SeccompRule } from './profile.ts'

const keys = ['name', 'names', 'action', 'errnoRet', 'errno', 'args', 'comment', 'includes', 'excludes'] as const
const most64 = 0xffff_ffff_ffff_ffffn

/** Parses one entry of the list. @throws SECCOMP_PROFILE_INVALID */
export function parseRule(value: unknown, cursor: JsonCursor, defaultAction: number, listens: boolean): SeccompRule[] {
  const entry = readObject(value, cursor, keys)
  const action = readAnswer(entry, cursor, { action: 'action', number: 'errnoRet', name: 'errno' }, listens)
  const names = readNames(entry, cursor, severity(action) < severity(defaultAction))
  const conditions = readList(entry.args, inside(cursor, 'args')).map((one, i) =>
    parseCondition(one, inside(inside(cursor, 'args'), i)),
  )
  const includes = readCircumstances(entry.includes, inside(cursor, 'includes'))
  const excludes = readCircumstances(entry.excludes, inside(cursor, 'excludes'))
  // as in runc and crun, several conditions on the same argument are alternatives: one of them must hold
  const repeated = new Set(conditions.map(({ index }) => index)).size < conditions.length
  const alternatives = repeated ? conditions.map((one) => [one]) : [conditions]
  return alternatives.map((all) => ({
    names,
    action,
    conditions: all,
    ...(includes && { includes }),
    ...(excludes && { excludes }),
  }))
}

/**
 * Reads the names of system calls. An unknown name in a rule that allows calls is skipped, as in runc. In a rule that
 * refuses calls, it is an error.
 */
function readNames(entry: { name?: unknown; names?: unknown }, cursor: JsonCursor, refuses: boolean): string[] {
  const list = readList(entry.names, inside(cursor, 'names')).map((one, i): [string, JsonCursor] => {
    const at = inside(inside(cursor, 'names'), i)
    return [readString(one, at), at]
  })
  if (entry.name !== undefined && entry.name !== null && entry.name !== '')
    list.push([readString(entry.name, inside(cursor, 'name')), inside(cursor, 'name')])
  if (list.length === 0) throw refuse(inside(cursor, 'names'), [], 'it names no system call', 'at least one')
  return list.flatMap(([name, at]) => {
    if (isSyscall(name)) return [name]
    if (!refuses) return []
    const near = nearestSyscall(name)
    throw refuse(
      at,
      name,
      'there is no such system call, so nothing would be refused',
      near ? `${near}?` : 'its name of syscalls(2)',
    )
  })
}

function parseCondition(value: unknown, cursor: JsonCursor): ArgumentCondition {
  const { index, op, value: first, valueTwo } = readObject(value, cursor, ['index', 'value', 'valueTwo', 'op'])
  const words = conditionOps.map((word) => `SCMP_CMP_${word}`)
  const word = readWord(op, inside(cursor, 'op'), words)
  const operator = conditionOps[words.indexOf(word)]!
  const number = Number(readNumber(index, inside(cursor, 'index'), 5n))
  const datum = readNumber(first ?? 0, inside(cursor, 'value'), most64)
  const second = readNumber(valueTwo ?? 0, inside(cursor, 'valueTwo'), most64)
  return operator === 'MASKED_EQ'
    ? { index: number, op: operator, mask: datum, value: second }
    : { index: number, op: operator, value: datum }
}

function readCircumstances(value: unknown, cursor: JsonCursor): Circumstances | undefined {
  if (value === undefined || value === null) return undefined
  const { caps, arches, minKernel } = readObject(value, cursor, ['caps', 'arches', 'minKernel'])
  const capabilities = readList(caps, inside(cursor, 'caps')).map((one, i) =>
    readCapability(one, inside(inside(cursor, 'caps'), i)),
  )
  const architectures = readList(arches, inside(cursor, 'arches')).map((one, i) =>
    readString(one, inside(inside(cursor, 'arches'), i)),
  )
  const kernel =
    minKernel === undefined || minKernel === null || minKernel === ''
      ? undefined
      : readKernel(minKernel, inside(cursor, 'minKernel'))
  return { capabilities, architectures, ...(kernel && { kernel }) }
}

function readCapability(value: unknown, cursor: JsonCursor): number {
  const word = parseCapability(value)
  if (typeof word === 'number') return word
  const near = typeof value === 'string' ? nearestCapability(value) : undefined
  throw refuse(
    cursor,
    value ?? null,
    'there is no such capability',
    near ? `CAP_${near}?` : `a name such as ${capabilityName(21)}`,
  )
}

function readKernel(value: unknown, cursor: JsonCursor): readonly [number, number] {
  const found = typeof value === 'string' ? /^(\d{1,3})\.(\d{1,3})$/.exec(value) : null
  if (!found) throw refuse(cursor, value, 'not a version', 'a version such as 4.8')
  return [Number(found[1]), Number(found[2])]
}
