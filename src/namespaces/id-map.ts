// SPDX-License-Identifier: Apache-2.0
// Parses and evaluates the id maps of a user namespace: user_namespaces(7). Pure.

/** A range of `count` ids, from `inside` in the namespace and from `outside` in its parent. */
export interface Extent {
  inside: number
  /** `reservedId` if native/caller/ids.c chooses the id at each start. */
  outside: number
  count: number
}

/**
 * An extent or a word. `root`: the caller's id becomes 0. `keep`: the caller keeps its id. `auto`: like `root`, and
 * also maps the ids of /etc/subuid or /etc/subgid.
 */
export type IdMapWord = Extent | 'root' | 'keep' | 'auto'

/** Stands for the first id of a range that is reserved at the start of a job. -1 is never a real id. */
export const reservedId = -1

/** The maximum number of extents that Linux accepts since 4.15. */
const extentsAtMost = 340

/** RESERVED_ID of native/wire/program.h. */
const reservedWord = '*'

const idsAtMost = 0xffff_ffff

/** Parses one element of an id map: `INSIDE:OUTSIDE:COUNT`, `root`, `keep` or `auto`. Returns undefined if it is invalid. */
export function parseIdMapWord(value: unknown): IdMapWord | undefined {
  if (value === 'root' || value === 'keep' || value === 'auto') return value
  const match = /^(\d{1,10}):(\d{1,10}):(\d{1,10})$/.exec(typeof value === 'string' ? value : '')
  if (!match) return undefined
  const [inside, outside, count] = match.slice(1).map(Number) as [number, number, number]
  const fits = count > 0 && inside + count <= idsAtMost && outside + count <= idsAtMost
  return fits ? { inside, outside, count } : undefined
}

/** Replaces the words `root`, `keep` and `auto` by extents, for the caller's id and subordinate ids. */
export function resolveIdMap(
  words: readonly IdMapWord[],
  own: number,
  subordinate: readonly { start: number; count: number }[],
): Extent[] {
  return words.flatMap((word) => {
    if (word === 'root') return [{ inside: 0, outside: own, count: 1 }]
    if (word === 'keep') return [{ inside: own, outside: own, count: 1 }]
    return word === 'auto' ? autoMap(own, subordinate) : [word]
  })
}

/**
 * Returns the extents of `auto`: the caller becomes 0, and its subordinate ids follow, as with Podman. If the caller is
 * the host's root, only the subordinate ids are mapped.
 */
function autoMap(own: number, subordinate: readonly { start: number; count: number }[]): Extent[] {
  const extents: Extent[] = own === 0 ? [] : [{ inside: 0, outside: own, count: 1 }]
  let inside = extents.length
  for (const { start, count } of subordinate) {
    extents.push({ inside, outside: start, count })
    inside += count
  }
  return extents
}

/** Returns why the kernel would refuse the map. Returns undefined if the map is valid. */
export function explainBadMap(extents: readonly Extent[]): string | undefined {
  if (extents.length === 0) return 'it maps no ids'
  if (extents.length > extentsAtMost)
    return `the map has ${extents.length} parts, and the kernel accepts at most ${extentsAtMost}`
  for (const side of ['inside', 'outside'] as const) {
    const sorted = [...extents].sort((a, b) => a[side] - b[side])
    const clash = sorted.find((extent, i) => i > 0 && sorted[i - 1]![side] + sorted[i - 1]!.count > extent[side])
    if (clash) return `the id ${clash[side]} ${side} is mapped twice`
  }
  return undefined
}

/** Converts an id outside the namespace to the id inside. Returns undefined if the id is not mapped. */
export function idInside(extents: readonly Extent[], outside: number): number | undefined {
  const extent = extents.find(
    (one) => one.outside !== reservedId && outside >= one.outside && outside < one.outside + one.count,
  )
  return extent && extent.inside + (outside - extent.outside)
}

/**
 * Converts an id inside the namespace to the id outside. Returns undefined if the id is not mapped, or if the outer id
 * is chosen only at the start.
 */
export function idOutside(extents: readonly Extent[], inside: number): number | undefined {
  const extent = extentOf(extents, inside)
  return extent && extent.outside !== reservedId ? extent.outside + (inside - extent.inside) : undefined
}

/** Returns true if an id inside the namespace is mapped. */
export function isMapped(extents: readonly Extent[], inside: number): boolean {
  return extentOf(extents, inside) !== undefined
}

function extentOf(extents: readonly Extent[], inside: number): Extent | undefined {
  return extents.find((one) => inside >= one.inside && inside < one.inside + one.count)
}

/** Returns the map as words for /proc/PID/uid_map and for newuidmap(1), three words for each extent. */
export function mapWords(extents: readonly Extent[]): string[] {
  return extents.flatMap(({ inside, outside, count }) => [
    String(inside),
    outside === reservedId ? reservedWord : String(outside),
    String(count),
  ])
}
