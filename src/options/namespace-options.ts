// SPDX-License-Identifier: Apache-2.0
// Parses the options for namespaces into a part of a Spec: kinds, id maps, clock offsets, and namespaces to join.
// Called by options.ts; pure.
import { fail } from '../errors/errors.ts'
import { explainBadMap, type IdMapWord, parseIdMapWord } from '../namespaces/id-map.ts'
import {
  allKinds,
  defaultIsolation,
  hostRootIsolation,
  type NamespaceKind,
  namespaceKinds,
} from '../namespaces/namespace.ts'
import { type Join, parseJoin } from '../namespaces/setns.ts'
import { parseOffset, parseOffsets } from '../namespaces/time-offset.ts'
import { nearest } from '../text/nearest.ts'

/** Options for namespaces. */
export interface NamespaceOptions {
  /**
   * Kinds of new namespaces: a list, `'all'` (all except user and time) or `'none'`. The default is pid, mount, ipc and
   * uts, and also cgroup with a separate root directory. hutch adds user if the caller lacks the privilege to create
   * the other kinds.
   */
  isolate?: readonly (NamespaceKind | 'all')[] | 'all' | 'none'
  /** * Existing namespaces to join, by kind. Each is given as a process id or a file. A network namespace can also be given by its name in `ip netns`. None by default. */
  join?: { [K in NamespaceKind]?: number | string }
  /** Maps of user ids in the user namespace: one or several of `INSIDE:OUTSIDE:COUNT`, `root`, `keep` (the default) and `auto`. */
  mapUsers?: string | readonly string[]
  /** Maps of group ids in the user namespace, in the format of `mapUsers`. By default equal to `mapUsers`. */
  mapGroups?: string | readonly string[]
  /** Offsets of the job's clocks, in seconds or as text such as `'+10s'`. hutch adds a time namespace. No offset by default. */
  timeOffset?: { monotonic?: number | string; boottime?: number | string }
}

/** The parsed options for namespaces. */
export interface NamespaceSpec {
  isolate: NamespaceKind[]
  joins: Join[]
  mapUsers?: IdMapWord[]
  mapGroups?: IdMapWord[]
  /** Clock offsets in the format of /proc/self/timens_offsets. */
  timeOffsets?: string
}

type NameOf = (key: keyof NamespaceOptions) => string

/** Parses the options that create or join namespaces. @throws OPTION_INVALID, OPTION_UNKNOWN, OPTION_CONFLICT */
export function parseNamespaces(options: NamespaceOptions, nameOf: NameOf, ownRoot: boolean): NamespaceSpec {
  const joins = parseJoins(options.join, nameOf('join'))
  const mapUsers = parseMap(options.mapUsers, nameOf('mapUsers'))
  const mapGroups = parseMap(options.mapGroups, nameOf('mapGroups'))
  const timeOffsets = parseTimeOffset(options.timeOffset, nameOf('timeOffset'))
  const joined = joins.map(({ kind }) => kind)
  const defaults = ownRoot ? defaultIsolation : hostRootIsolation
  const isolate = parseIsolation(options.isolate, nameOf('isolate'), joined, defaults)
  // an option that works only in a new namespace adds that namespace
  if ((mapUsers || mapGroups) && !isolate.includes('user')) isolate.push('user')
  if (timeOffsets !== undefined && !isolate.includes('time')) isolate.push('time')
  const both = isolate.find((kind) => joined.includes(kind))
  if (both)
    throw fail('OPTION_CONFLICT', {
      name: `${nameOf('join')} ${both}`,
      why: `a ${both} namespace of its own is also requested`,
      remedy: `leave ${both} out of ${nameOf('isolate')}, or do not join one`,
    })
  if (isolate.includes('user') && joins.length > 0)
    throw fail('OPTION_CONFLICT', {
      name: nameOf('join'),
      why: 'a process in a new user namespace has no rights over existing namespaces',
      remedy: `also join the user namespace that owns it: ${nameOf('join')} user=…`,
    })
  return {
    isolate,
    joins,
    ...(mapUsers && { mapUsers }),
    ...(mapGroups && { mapGroups }),
    ...(timeOffsets !== undefined && { timeOffsets }),
  }
}

function parseIsolation(
  value: NamespaceOptions['isolate'],
  name: string,
  joined: readonly NamespaceKind[],
  defaults: readonly NamespaceKind[],
): NamespaceKind[] {
  const free = (kinds: readonly NamespaceKind[]) => kinds.filter((kind) => !joined.includes(kind))
  if (value === undefined) return free(defaults)
  if (value === 'all') return free(allKinds)
  if (value === 'none') return []
  const accepted = `a list of ${namespaceKinds.join(', ')}; or all, or none`
  if (!Array.isArray(value)) throw fail('OPTION_INVALID', { name, value, why: 'not a list of namespaces', accepted })
  const kinds = new Set<NamespaceKind>()
  for (const kind of value as unknown[]) {
    if (kind === 'all') for (const each of free(allKinds)) kinds.add(each)
    else if (typeof kind === 'string' && (namespaceKinds as string[]).includes(kind)) kinds.add(kind as NamespaceKind)
    else {
      const near = typeof kind === 'string' ? nearest(kind, namespaceKinds) : undefined
      throw fail('OPTION_INVALID', {
        name,
        value: kind,
        why: 'there is no such namespace',
        accepted: near ? `${near}? Kinds are: ${namespaceKinds.join(', ')}` : accepted,
      })
    }
  }
  return namespaceKinds.filter((kind) => kinds.has(kind))
}

function parseJoins(value: NamespaceOptions['join'], name: string): Join[] {
  if (value === undefined) return []
  const accepted = 'KIND=PATH, KIND=PID or net=NAME, such as net=/run/netns/web or pid=1234'
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fail('OPTION_INVALID', { name, value, why: 'it names no namespaces', accepted })
  return Object.entries(value as object).map(([kind, target]) => {
    const join = parseJoin(kind, target)
    if (join) return join
    const near = nearest(kind, namespaceKinds)
    const known = (namespaceKinds as string[]).includes(kind)
    throw fail('OPTION_INVALID', {
      name,
      value: known ? target : kind,
      why: known ? `this names no ${kind} namespace` : 'there is no such kind of namespace',
      accepted: !known && near ? `${near}? Accepted is ${accepted}` : accepted,
    })
  })
}

function parseMap(value: unknown, name: string): IdMapWord[] | undefined {
  if (value === undefined) return undefined
  const accepted = 'INSIDE:OUTSIDE:COUNT with ids below 4294967295, or root, keep or auto'
  const words = (Array.isArray(value) ? (value as unknown[]) : [value]).map((word) => {
    const parsed = parseIdMapWord(word)
    if (parsed === undefined) throw fail('OPTION_INVALID', { name, value: word, why: 'not an id map', accepted })
    return parsed
  })
  // only ranges are checked here; `root` and `keep` are checked later, when the caller's id is known
  const extents = words.filter((word) => typeof word === 'object')
  const why = extents.length === words.length ? explainBadMap(extents) : undefined
  if (why === undefined) return words
  throw fail('OPTION_INVALID', { name, value: [value].flat().join(' '), why, accepted })
}

function parseTimeOffset(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined
  const offsets = parseOffsets(value)
  if (offsets !== undefined) return offsets
  const clock = typeof value === 'string' ? value.split('=')[0]! : Object.keys((value as object | null) ?? {})[0]
  throw fail('OPTION_INVALID', {
    name,
    value,
    why:
      clock === 'realtime'
        ? 'all namespaces share the wall clock'
        : parseOffset(value) === undefined
          ? undefined
          : 'it names no clock',
    accepted: 'monotonic=OFFSET, boottime=OFFSET or both, such as monotonic=+10s,boottime=-1h',
  })
}
