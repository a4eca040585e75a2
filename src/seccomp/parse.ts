// SPDX-License-Identifier: Apache-2.0
// Parses a seccomp profile in JSON, as defined by the OCI runtime specification (linux.seccomp), Docker or Podman. The
// input is untrusted. Unknown parts are refused with their position, because ignoring a rule could make the filter
// weaker. Pure.
import { fail } from '../errors/errors.ts'
import { JsonError, parseJson } from '../text/json.ts'
import { readAnswer } from './action.ts'
import { machines } from './arch.ts'
import { inside, type JsonCursor, readList, readObject, readWord, refuse } from './json-cursor.ts'
import { parseRule } from './parse-rule.ts'
import type { Profile } from './profile.ts'

const keys = [
  'defaultAction',
  'defaultErrnoRet',
  'defaultErrno',
  'architectures',
  'archMap',
  'syscalls',
  'flags',
  'listenerPath',
  'listenerMetadata',
] as const

/** Flags of a filter, from linux/seccomp.h. TSYNC has no effect here, because hutch-init has one thread. */
export const filterFlags: { [name: string]: number } = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
}

/** Names of instruction sets in libseccomp. Those that hutch does not support are ignored. */
const architectureNames =
  'X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB'
    .split(' ')
    .map((word) => `SCMP_ARCH_${word}`)

/** Maximum size of a profile in bytes. */
export const maxProfileBytes = 1 << 20

/**
 * Parses a profile from JSON text. Keeps all digits of numbers that are too large for JavaScript's precision.
 *
 * @throws SECCOMP_PROFILE_INVALID
 */
export function parseProfileText(text: string, origin: string): Profile {
  let value: unknown
  try {
    value = parseJson(text, { exact: true })
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    const facts = {
      origin,
      at: 'it',
      value: undefined,
      why: `not JSON: ${error.message}`,
      accepted: 'default, strict, none, or a file with a profile in JSON',
    }
    throw fail('SECCOMP_PROFILE_INVALID', facts, error)
  }
  return parseProfile(value, origin)
}

/** Flags that only a filter with a listener can have. */
const listenerFlags = filterFlags.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV!

/**
 * Parses a profile from an object. `listens` says whether an agent answers calls with the action SCMP_ACT_NOTIFY;
 * otherwise this action is refused.
 *
 * @throws SECCOMP_PROFILE_INVALID
 */
export function parseProfile(value: unknown, origin: string, listens = false): Profile {
  const cursor: JsonCursor = { origin, at: '' }
  const profile = readObject(value, cursor, keys)
  for (const key of ['listenerPath', 'listenerMetadata'] as const)
    if (profile[key] !== undefined && profile[key] !== '')
      throw refuse(
        inside(cursor, key),
        profile[key],
        'hutch does not forward notifications to another program',
        'a profile without it',
      )
  const defaultAction = readAnswer(profile, cursor, {
    action: 'defaultAction',
    number: 'defaultErrnoRet',
    name: 'defaultErrno',
  })
  const architectures = readMachines(profile.architectures, inside(cursor, 'architectures'))
  const architecturesOf = readMap(profile.archMap, inside(cursor, 'archMap'))
  if (architectures.length > 0 && Object.keys(architecturesOf).length > 0)
    throw refuse(inside(cursor, 'archMap'), undefined, 'architectures is given, too', 'one of them')
  const flags = readList(profile.flags, inside(cursor, 'flags')).map(
    (flag, i) => filterFlags[readWord(flag, inside(inside(cursor, 'flags'), i), Object.keys(filterFlags))]!,
  )
  const syscalls = inside(cursor, 'syscalls')
  const all = flags.reduce((sum, flag) => sum | flag, 0)
  return {
    architectures,
    architecturesOf,
    defaultAction,
    rules: readList(profile.syscalls, syscalls).flatMap((rule, i) =>
      parseRule(rule, inside(syscalls, i), defaultAction, listens),
    ),
    flags: listens ? all : all & ~listenerFlags,
    ...(listens && { listens }),
  }
}

/** Reads Docker's `archMap`, which lists the further instruction sets of each machine. */
function readMap(value: unknown, cursor: JsonCursor): { [machine: string]: string[] } {
  const map: { [machine: string]: string[] } = Object.create(null)
  for (const [i, entry] of readList(value, cursor).entries()) {
    const at = inside(cursor, i)
    const { architecture, subArchitectures } = readObject(entry, at, ['architecture', 'subArchitectures'])
    map[readMachine(architecture, inside(at, 'architecture'))] = readMachines(
      subArchitectures,
      inside(at, 'subArchitectures'),
    )
  }
  return map
}

function readMachines(value: unknown, cursor: JsonCursor): string[] {
  return readList(value, cursor).map((one, i) => readMachine(one, inside(cursor, i)))
}

function readMachine(value: unknown, cursor: JsonCursor): string {
  const name = readWord(value, cursor, architectureNames)
  return machines.find(({ profileName }) => profileName === name)?.name ?? name
}
