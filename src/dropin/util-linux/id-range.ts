// SPDX-License-Identifier: Apache-2.0
// Parses id maps as unshare(1) accepts them: ranges, and the caller's own id in them. Pure.

import { capabilityNumbers, parseCapabilityMask } from '../../credentials/capability.ts'
import { fail } from '../../errors/errors.ts'
import type { Delegation, SubordinateIds } from '../../host/privileges.ts'
import { type Extent, explainBadMap } from '../../namespaces/id-map.ts'
import type { IdMap } from '../../plan/unshare.ts'

type Which = 'users' | 'groups'

/** Facts about the caller that every map needs. Others are read only when a map needs them. */
export interface IdFacts {
  uid: number
  gid: number
  /** The caller's permitted capabilities, as CapPrm in /proc/PID/status. */
  permitted: string
  delegation(): Delegation
  ownMap(which: Which): string
}

/**
 * Plans the map of user ids or of group ids for a new user namespace. It contains the caller's own id, ranges, both or neither. If the
 * namespace gets another owner, the process may not write the map itself.
 *
 * @throws OPTION_INVALID, IDMAP_NOT_DELEGATED
 */
export function planMap(
  which: Which,
  single: number | undefined,
  ranges: readonly string[],
  facts: IdFacts,
  ownerApart = false,
): IdMap | undefined {
  const own = which === 'users' ? facts.uid : facts.gid
  if (ranges.length === 0 && (single === undefined || !ownerApart))
    return single === undefined ? undefined : { by: 'itself', inside: single, outside: own }
  const name = `--map-${which}`
  let extents = ranges.flatMap((text) => parseRange(name, text, which, facts))
  if (single !== undefined) extents = insertOwn(extents, single, own)
  const why = explainBadMap(extents)
  if (why !== undefined) throw fail('OPTION_INVALID', { name, value: ranges.join(' '), why, accepted: 'each id once' })
  const right = which === 'users' ? capabilityNumbers.SETUID : capabilityNumbers.SETGID
  if (parseCapabilityMask(facts.permitted).includes(right)) return { by: 'hutch', extents, tool: '' }
  const { userTool, groupTool, ...delegation } = facts.delegation()
  const tool = which === 'users' ? userTool : groupTool
  if (tool) return { by: 'hutch', extents, tool }
  throw notDelegated(which, 'more than one id', '', facts, delegation[which])
}

/**
 * Parses ranges of ids: `INSIDE:OUTSIDE:COUNT`, `OUTSIDE,INSIDE,COUNT` (util-linux before 2.39), or a word that stands for existing ranges.
 */
function parseRange(name: string, text: string, which: Which, facts: IdFacts): Extent[] {
  const match = /^(\d{1,10})([:,])(\d{1,10})\2(\d{1,10})$/.exec(text)
  if (match) {
    const [first, second, count] = [match[1], match[3], match[4]].map(Number) as [number, number, number]
    const [inside, outside] = match[2] === ':' ? [first, second] : [second, first]
    if (count > 0 && inside + count <= 0xffff_ffff && outside + count <= 0xffff_ffff)
      return [{ inside, outside, count }]
  }
  if (text === 'all') return parseOwnMap(facts.ownMap(which))
  if (text !== 'auto' && text !== 'subids')
    throw fail('OPTION_INVALID', {
      name,
      value: text,
      why: 'not a range of ids',
      accepted: 'INSIDE:OUTSIDE:COUNT, auto, subids or all',
    })
  const first = facts.delegation()[which][0]
  const file = which === 'users' ? '/etc/subuid' : '/etc/subgid'
  if (!first) throw notDelegated(which, text, file, facts, [])
  return [{ inside: text === 'auto' ? 0 : first.start, outside: first.start, count: first.count }]
}

function notDelegated(which: Which, what: string, file: string, facts: IdFacts, ranges: readonly SubordinateIds[]) {
  const own = which === 'users' ? facts.uid : facts.gid
  return fail('IDMAP_NOT_DELEGATED', {
    name: `--map-${which}`,
    what,
    file,
    own,
    user: facts.uid,
    ranges: ranges.map(({ start, count }) => `${start}:${count}`).join(', '),
  })
}

/** Returns a map of every id of this user namespace to itself. */
function parseOwnMap(text: string): Extent[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([inside = 0, , count = 0]) => ({ inside, outside: inside, count }))
}

/**
 * Adds the caller's own id to ranges. Makes room for it inside and outside: ids above it move up by one, so the last id of a range can be
 * lost.
 */
export function insertOwn(extents: readonly Extent[], inside: number, outside: number): Extent[] {
  const out: Extent[] = [{ inside, outside, count: 1 }]
  for (const extent of extents) {
    const within = (at: number, start: number) => at >= start && at < start + extent.count
    const atInside = within(inside, extent.inside) ? inside - extent.inside : undefined
    const atOutside = within(outside, extent.outside) ? outside - extent.outside : undefined
    const left = extent.count - (atInside === undefined && atOutside === undefined ? 0 : 1)
    const cuts = [...new Set([atInside, atOutside].filter((at) => at !== undefined && at < left))] as number[]
    const edges = [0, ...cuts.sort((a, b) => a - b), left]
    for (const [i, from] of edges.slice(0, -1).entries()) {
      const count = edges[i + 1]! - from
      const shift = (at: number | undefined) => (at !== undefined && from >= at ? 1 : 0)
      if (count > 0)
        out.push({
          inside: extent.inside + from + shift(atInside),
          outside: extent.outside + from + shift(atOutside),
          count,
        })
    }
  }
  return out
}
