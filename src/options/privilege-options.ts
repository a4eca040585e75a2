// SPDX-License-Identifier: Apache-2.0
// Parses the options for privileges into a part of a Spec: capabilities, resource limits, priorities and groups. Called
// by options.ts; pure.

import { type CapabilityWord, capabilityName, nearestCapability, parseCapability } from '../credentials/capability.ts'
import { parseIoPriority, parseScheduler, parseWhole } from '../credentials/priority.ts'
import { parseResourceLimit, type ResourceLimit } from '../credentials/rlimit.ts'
import { fail } from '../errors/errors.ts'

/** Options for the command's privileges, except those for namespaces and the control group. */
export interface PrivilegeOptions {
  /** Capabilities to add, such as `'NET_RAW'`, or `'ALL'`. They are also given to users other than root. None by default. */
  capAdd?: string | readonly string[]
  /** Capabilities to drop from all five sets (see capabilities(7)), or `'ALL'`. None by default. */
  capDrop?: string | readonly string[]
  /**
   * True if the job's programs can gain privileges from set-user-ID bits and file capabilities. False by default
   * (no_new_privs).
   */
  newPrivileges?: boolean
  /** * Resource limits of each process, under Docker's names, as `SOFT` or `'SOFT:HARD'`: `{ nofile: 1024, as: '512M', cpu: '10s' }`. The caller's by default, in the unit of each resource: bytes, seconds, or a number. */
  ulimits?: { [name: string]: number | string }
  /** Group of the command, by name or number. By default the group of `user`, or without `user` the caller's. */
  group?: string
  /** Supplementary groups by name or number. An empty list removes all supplementary groups. By default those of `user`, or without `user` the caller's. */
  groups?: readonly string[]
  /** Supplementary groups, by name or number, added to those of the user. None by default. */
  groupAdd?: string | readonly string[]
  /** Priority for the OOM killer: -1000 (never killed) to 1000 (killed first); see proc_pid_oom_score_adj(5). The caller's by default. */
  oomScoreAdj?: number | string
  /** CPU priority: -20 (highest) to 19 (lowest). The caller's by default. */
  nice?: number | string
  /** I/O priority: `idle`, `best-effort[:0-7]` or `realtime[:0-7]`. The caller's by default. */
  ioPriority?: string
  /** Scheduling policy: `other`, `batch`, `idle`, `fifo:1-99` or `rr:1-99`. The caller's by default. */
  scheduler?: string
}

/** The parsed options for privileges. */
export interface PrivilegeSpec {
  capAdd: CapabilityWord[]
  capDrop: CapabilityWord[]
  newPrivileges: boolean
  ulimits: ResourceLimit[]
  group?: string
  groups?: string[]
  groupAdd?: string[]
  oomScoreAdj?: number
  nice?: number
  ioPriority?: number
  scheduler?: { policy: number; priority: number }
}

type NameOf = (key: keyof PrivilegeOptions) => string

/**
 * Parses the options for privileges. `named` are the options that the caller gave, without those of a preset.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
export function parsePrivileges(options: PrivilegeOptions, nameOf: NameOf, named?: object): PrivilegeSpec {
  const readOption = <T>(key: keyof PrivilegeOptions, accepted: string, read: (value: unknown) => T | undefined) => {
    const value = options[key]
    const result = value === undefined ? undefined : read(value)
    if (value !== undefined && result === undefined)
      throw fail('OPTION_INVALID', { name: nameOf(key), value, accepted })
    return result
  }
  const capAdd = parseCapabilities(options.capAdd, nameOf('capAdd'))
  const capDrop = parseCapabilities(options.capDrop, nameOf('capDrop'))
  const both = capAdd.find((word) => capDrop.includes(word))
  if (both !== undefined)
    throw fail('OPTION_CONFLICT', {
      name: `${nameOf('capAdd')} ${both === 'ALL' ? both : capabilityName(both)}`,
      why: `${nameOf('capDrop')} takes it away`,
      remedy: 'give one of them',
    })
  const name = (value: unknown) => (typeof value === 'string' && /^[^\0:\n,]+$/.test(value) ? value : undefined)
  const group = readOption('group', 'a group such as nogroup or 1000', name)
  const groups = readOption('groups', 'groups such as audio or 1000', (value) =>
    Array.isArray(value) && value.every(name) ? (value as string[]) : undefined,
  )
  const groupAdd = readOption('groupAdd', 'a group such as audio or 1000', (value) => {
    const list: unknown[] = [value].flat()
    return list.every(name) ? (list as string[]) : undefined
  })
  const oomScoreAdj = readOption('oomScoreAdj', 'a whole number from -1000 to 1000', (value) =>
    parseWhole(value, -1000, 1000),
  )
  const nice = readOption('nice', 'a whole number from -20 to 19', (value) => parseWhole(value, -20, 19))
  const ioPriority = readOption(
    'ioPriority',
    'idle, best-effort:LEVEL or realtime:LEVEL, levels 0 to 7',
    parseIoPriority,
  )
  const scheduler = readOption('scheduler', 'other, batch, idle, fifo:1 to fifo:99, or rr:1 to rr:99', parseScheduler)
  return {
    capAdd,
    capDrop,
    newPrivileges:
      readOption('newPrivileges', 'true or false', (value) => (typeof value === 'boolean' ? value : undefined)) ??
      false,
    ulimits: parseUlimits(options.ulimits, nameOf('ulimits')).map((limit) =>
      named === undefined || Object.hasOwn(named, limit.name) ? limit : { ...limit, atMost: true as const },
    ),
    ...(group !== undefined && { group }),
    ...(groups !== undefined && { groups }),
    ...(groupAdd !== undefined && groupAdd.length > 0 && { groupAdd }),
    ...(oomScoreAdj !== undefined && { oomScoreAdj }),
    ...(nice !== undefined && { nice }),
    ...(ioPriority !== undefined && { ioPriority }),
    ...(scheduler !== undefined && { scheduler }),
  }
}

function parseCapabilities(value: unknown, name: string): CapabilityWord[] {
  if (value === undefined) return []
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map((word) => {
    const parsed = parseCapability(word)
    if (parsed !== undefined) return parsed
    const near = typeof word === 'string' ? nearestCapability(word) : undefined
    throw fail('OPTION_INVALID', {
      name,
      value: word,
      why: 'there is no such capability',
      accepted: near ? `${near}?` : 'a name of capabilities(7) such as NET_RAW, or ALL',
    })
  })
}

function parseUlimits(value: unknown, name: string): ResourceLimit[] {
  if (value === undefined) return []
  const accepted = 'NAME=SOFT[:HARD], such as nofile=1024:4096; unlimited is none'
  if (typeof value !== 'object' || value === null) throw fail('OPTION_INVALID', { name, value, accepted })
  return Object.entries(value as object).map(([key, amount]) => {
    const limit = parseResourceLimit(key, amount)
    if ('resource' in limit) return limit
    throw fail('OPTION_INVALID', { name, value: `${key}=${amount}`, ...limit })
  })
}
