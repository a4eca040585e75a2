// SPDX-License-Identifier: Apache-2.0
// Id maps of a user namespace: user_namespaces(7). From words to extents, and what they mean. Pure.

/** `count` ids from `inside` on are those from `outside` on in the parent namespace. */
export interface Extent {
  inside: number
  /** `reservedId`: chosen at each start, see native/caller/ids.c. */
  outside: number
  count: number
}

/** An extent; or root: the caller's id is 0 inside; keep: it is itself; auto: those that /etc/subuid or /etc/subgid give, too. */
export type IdMapWord = Extent | 'root' | 'keep' | 'auto'

/** Outside is the first of those ids that the start reserves. No id of a caller equals it. */
export const reservedId = -1

/** The kernel's limit since 4.15. */
export const extentsAtMost = 340

/** RESERVED_ID of native/wire/program.h. */
const reservedWord = '*'

const idsAtMost = 0xffff_ffff

/** `INSIDE:OUTSIDE:COUNT`, `root`, `keep` or `auto`. */
export function parseIdMapWord(value: unknown): IdMapWord | undefined {
  if (value === 'root' || value === 'keep' || value === 'auto') return value
  const match = /^(\d{1,10}):(\d{1,10}):(\d{1,10})$/.exec(typeof value === 'string' ? value : '')
  if (!match) return undefined
  const [inside, outside, count] = match.slice(1).map(Number) as [number, number, number]
  const fits = count > 0 && inside + count <= idsAtMost && outside + count <= idsAtMost
  return fits ? { inside, outside, count } : undefined
}

/** Words → extents, for a caller with this id and these subordinate ids. */
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

/** The caller is 0, as in Podman, and its subordinate ids follow; root itself is not mapped. */
function autoMap(own: number, subordinate: readonly { start: number; count: number }[]): Extent[] {
  const extents: Extent[] = own === 0 ? [] : [{ inside: 0, outside: own, count: 1 }]
  let inside = extents.length
  for (const { start, count } of subordinate) {
    extents.push({ inside, outside: start, count })
    inside += count
  }
  return extents
}

/** Why the kernel would not take it; undefined if it would. */
export function explainBadMap(extents: readonly Extent[]): string | undefined {
  if (extents.length === 0) return 'it maps no ids'
  if (extents.length > extentsAtMost) return `it has ${extents.length} parts, and the kernel takes ${extentsAtMost}`
  for (const side of ['inside', 'outside'] as const) {
    const sorted = [...extents].sort((a, b) => a[side] - b[side])
    const clash = sorted.find((extent, i) => i > 0 && sorted[i - 1]![side] + sorted[i - 1]!.count > extent[side])
    if (clash) return `the id ${clash[side]} ${side} is mapped twice`
  }
  return undefined
}

/** The id inside of one outside; undefined when it has none. */
export function idInside(extents: readonly Extent[], outside: number): number | undefined {
  const extent = extents.find(
    (one) => one.outside !== reservedId && outside >= one.outside && outside < one.outside + one.count,
  )
  return extent && extent.inside + (outside - extent.outside)
}

/** The id outside of one inside; undefined when it has none, or one that is chosen at the start. */
export function idOutside(extents: readonly Extent[], inside: number): number | undefined {
  const extent = extentOf(extents, inside)
  return extent && extent.outside !== reservedId ? extent.outside + (inside - extent.inside) : undefined
}

/** Whether an id inside means anything. */
export function isMapped(extents: readonly Extent[], inside: number): boolean {
  return extentOf(extents, inside) !== undefined
}

function extentOf(extents: readonly Extent[], inside: number): Extent | undefined {
  return extents.find((one) => inside >= one.inside && inside < one.inside + one.count)
}

/** As the kernel's files and newuidmap(1) take it: three words an extent. */
export function mapWords(extents: readonly Extent[]): string[] {
  return extents.flatMap(({ inside, outside, count }) => [
    String(inside),
    outside === reservedId ? reservedWord : String(outside),
    String(count),
  ])
}
