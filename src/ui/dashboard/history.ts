// SPDX-License-Identifier: Apache-2.0
// Keeps the figures of each group from the last ten minutes in ring buffers. Pure.
import { type GroupRow, type Past, type Track, tracks } from './api-types.ts'

/** Number of samples that are kept: ten minutes, with one sample a second. */
export const maxPageSamples = 600

/** Maximum number of ring buffers, of 17 KiB each. Groups beyond this number have no history. */
const maxRings = 1500

const amounts = ['cpus', 'memory', 'pids', 'readBytes', 'writtenBytes'] as const satisfies Track[]
/** Figures that are shares, stored with the precision of a row of the table. */
const shares = ['throttled', 'cpuStalled', 'memoryStalled', 'ioStalled'] as const satisfies Track[]
const sharesOfOne = 10_000
const unknownShare = 0xffff
/** Limits, which rarely change and so are stored as a list of changes. */
const limits = ['cpuMax', 'memoryMax', 'pidsMax'] as const satisfies Track[]

interface History {
  /** Adds a sample of all groups. A row that is the same object as in the last call counts as unchanged. */
  add(time: number, rows: ReadonlyMap<string, GroupRow>): void
  of(path: string): Past
}

interface Group {
  row: GroupRow
  /** Index of the sample in which the group first appeared. */
  since: number
  /** The ring buffers with the group's figures. Undefined until the group's row first changes. */
  ring: { amounts: Float32Array; shares: Uint16Array } | undefined
  limited: { since: number; row: GroupRow }[]
}

export function makePageHistory(): History {
  const times = new Float64Array(maxPageSamples)
  let looks = 0
  let rings = 0
  const groups = new Map<string, Group>()

  const write = (ring: NonNullable<Group['ring']>, index: number, row: GroupRow) => {
    const at = index % maxPageSamples
    for (const [i, track] of amounts.entries()) ring.amounts[at * amounts.length + i] = row[track] ?? Number.NaN
    for (const [i, track] of shares.entries())
      ring.shares[at * shares.length + i] = row[track] === undefined ? unknownShare : row[track] * sharesOfOne + 0.5
  }
  const openRing = ({ row, since }: Group) => {
    rings++
    const ring = {
      amounts: new Float32Array(maxPageSamples * amounts.length),
      shares: new Uint16Array(maxPageSamples * shares.length),
    }
    for (let index = Math.max(since, looks - maxPageSamples + 1); index < looks; index++) write(ring, index, row)
    return ring
  }
  const take = (group: Group, row: GroupRow) => {
    if (!group.ring && rings < maxRings) group.ring = openRing(group)
    // earlier values are lost
    if (!group.ring) group.since = looks
    if (limits.some((limit) => row[limit] !== group.row[limit])) group.limited.push({ since: looks, row })
    group.row = row
  }
  return {
    add(time, rows) {
      times[looks % maxPageSamples] = time
      for (const [path, row] of rows) {
        const group = groups.get(path)
        if (!group) {
          groups.set(path, { row, since: looks, ring: undefined, limited: [{ since: looks, row }] })
          continue
        }
        if (group.row !== row) take(group, row)
        if (group.ring) write(group.ring, looks, row)
        while (group.limited.length > 1 && group.limited[1]!.since <= looks - maxPageSamples + 1) group.limited.shift()
      }
      if (groups.size > rows.size)
        for (const [path, { ring }] of groups) {
          if (rows.has(path)) continue
          groups.delete(path)
          if (ring) rings--
        }
      looks++
    },
    of(path) {
      const group = groups.get(path)
      const from = group ? Math.max(group.since, looks - maxPageSamples) : looks
      const at = Array.from({ length: looks - from }, (_, i) => from + i)
      const column = (track: Track) =>
        at.map((index) => {
          const value = figure(group!, track, index)
          return typeof value === 'number' && !Number.isNaN(value) ? value : null
        })
      return {
        times: at.map((index) => times[index % maxPageSamples]! / 1000),
        tracks: Object.fromEntries(tracks.map((track) => [track, column(track)])) as Past['tracks'],
      }
    },
  }
}

function figure({ ring, row, limited }: Group, track: Track, index: number): GroupRow[Track] {
  if (isOneOf(limits, track)) return limited.findLast(({ since }) => since <= index)?.row[track]
  if (!ring) return row[track]
  const place = index % maxPageSamples
  if (isOneOf(amounts, track)) return ring.amounts[place * amounts.length + amounts.indexOf(track)]
  const share = ring.shares[place * shares.length + shares.indexOf(track)]!
  return share === unknownShare ? undefined : share / sharesOfOne
}

function isOneOf<T extends Track>(list: readonly T[], track: Track): track is T {
  return (list as readonly Track[]).includes(track)
}
