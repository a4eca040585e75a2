// SPDX-License-Identifier: Apache-2.0
// Divides the rectangle of a group among its children, by d3-hierarchy. Keeps the arrangement from update to update. Used by map.ts. Pure.
import { type HierarchyRectangularNode, treemapResquarify } from 'd3-hierarchy'

export interface Box {
  x: number
  y: number
  width: number
  height: number
}

/** One part of a divided rectangle: a child, or the use that belongs to no child. */
interface Part {
  name: string | undefined
  value: number
  x0: number
  y0: number
  x1: number
  y1: number
}

/**
 * A rectangle divided into parts. d3-hierarchy stores the arrangement of the parts in this object, and keeps it when
 * their sizes change.
 */
interface Division {
  children: Part[]
  value: number
}

/** A new arrangement replaces the previous one if the ratio of the parts' sides would otherwise be this many times larger. */
const maxWorse = 2

export interface Treemap {
  /**
   * Returns the box of each child of `path` inside `box`. `rest` is the weight that stays free. The previous arrangement stays if the names
   * are the same and the boxes are not much narrower than in a new arrangement.
   */
  divide(path: string, weights: ReadonlyMap<string, number>, rest: number, box: Box): Map<string, Box>
  /** Forgets the arrangement of one group, or of all. */
  forget(path?: string): void
}

export function makeTreemap(): Treemap {
  const divisions = new Map<string, Division>()
  return {
    divide(path, weights, rest, box) {
      const fresh = place(makeDivision(weights, rest), box)
      const before = divisions.get(path)
      const kept = before && update(before, weights, rest) ? place(before, box) : undefined
      const division = kept && unevenness(kept) <= maxWorse * unevenness(fresh) ? kept : fresh
      divisions.set(path, division)
      return boxesOf(division)
    },
    forget(path) {
      if (path === undefined) divisions.clear()
      else divisions.delete(path)
    },
  }
}

/** Creates the parts of a group. Heavier parts come first, and parts of equal weight are sorted by name. */
function makeDivision(weights: ReadonlyMap<string, number>, rest: number): Division {
  const part = (name: string | undefined, value: number) => ({ name, value, x0: 0, y0: 0, x1: 0, y1: 0 })
  const children = [...weights]
    .sort(([a, weightOfA], [b, weightOfB]) => weightOfB - weightOfA || (a < b ? -1 : 1))
    .map(([name, weight]) => part(name, weight))
  return withSum([...children, part(undefined, rest)])
}

function withSum(children: Part[]): Division {
  return { children, value: children.reduce((sum, { value }) => sum + value, 0) }
}

/** Writes new weights into a division. Returns false if its names differ. */
function update(division: Division, weights: ReadonlyMap<string, number>, rest: number): boolean {
  const { children } = division
  if (children.length !== weights.size + 1) return false
  if (!children.every(({ name }) => name === undefined || weights.has(name))) return false
  for (const part of children) part.value = part.name === undefined ? rest : weights.get(part.name)!
  division.value = withSum(children).value
  return true
}

function place(division: Division, { x, y, width, height }: Box): Division {
  // d3-hierarchy reads and writes only the fields of Part and Division
  treemapResquarify(division as unknown as HierarchyRectangularNode<unknown>, x, y, x + width, y + height)
  return division
}

/** Returns the mean ratio of the longer to the shorter side of the parts, weighted by area: 1 for squares. */
function unevenness({ children, value }: Division): number {
  const visible = children.filter((part) => part.x1 > part.x0 && part.y1 > part.y0)
  const ratio = ({ x0, x1, y0, y1 }: Part) => Math.max((x1 - x0) / (y1 - y0), (y1 - y0) / (x1 - x0))
  return visible.reduce((sum, part) => sum + (part.value / value) * ratio(part), 0)
}

function boxesOf({ children }: Division): Map<string, Box> {
  const boxes = new Map<string, Box>()
  for (const { name, x0, y0, x1, y1 } of children)
    if (name !== undefined) boxes.set(name, { x: x0, y: y0, width: x1 - x0, height: y1 - y0 })
  return boxes
}
