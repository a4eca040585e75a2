// SPDX-License-Identifier: Apache-2.0
// The last ten minutes of every group, in a ring of fixed size: pure.
import { type Past, type Row, type Track, tracks } from './wire.ts'

/** Looks that are kept: ten minutes at one a second. */
export const kept = 600

/** A group in which something happens has a ring of 29 KiB; where there are more such groups, the rest has no past. */
const mostRings = 1500

export interface History {
  /** One look. A row that is the same object as before has not changed. */
  add(time: number, rows: ReadonlyMap<string, Row>): void
  of(path: string): Past
}

interface Group {
  row: Row
  /** The look at which it was first seen. */
  since: number
  /** Absent as long as the row has been the same ever since. */
  ring: Float32Array | undefined
}

export function makeHistory(): History {
  const times = new Float64Array(kept)
  let looks = 0
  let rings = 0
  const groups = new Map<string, Group>()

  const write = (ring: Float32Array, look: number, row: Row) => {
    const at = (look % kept) * tracks.length
    for (let i = 0; i < tracks.length; i++) ring[at + i] = figure(row, tracks[i]!)
  }
  const openRing = ({ row, since }: Group) => {
    rings++
    const ring = new Float32Array(kept * tracks.length).fill(Number.NaN)
    for (let look = Math.max(since, looks - kept + 1); look < looks; look++) write(ring, look, row)
    return ring
  }
  return {
    add(time, rows) {
      times[looks % kept] = time
      for (const [path, row] of rows) {
        const group = groups.get(path)
        if (!group) groups.set(path, { row, since: looks, ring: undefined })
        else {
          if (group.row !== row && !group.ring && rings < mostRings) group.ring = openRing(group)
          group.row = row
          if (group.ring) write(group.ring, looks, row)
        }
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
      const from = group ? Math.max(group.since, looks - kept) : looks
      const at = Array.from({ length: looks - from }, (_, i) => from + i)
      const column = (track: Track, i: number) =>
        at.map((look) => {
          const value = group!.ring ? group!.ring[(look % kept) * tracks.length + i]! : figure(group!.row, track)
          return Number.isNaN(value) ? null : value
        })
      return {
        times: at.map((look) => times[look % kept]! / 1000),
        tracks: Object.fromEntries(tracks.map((track, i) => [track, column(track, i)])) as Past['tracks'],
      }
    },
  }
}

function figure(row: Row, track: Track): number {
  const value = row[track]
  return typeof value === 'number' ? value : Number.NaN
}
