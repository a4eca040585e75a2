// SPDX-License-Identifier: Apache-2.0
// Divides a rectangle among weights into parts that are as square as possible (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000). Pure.

export interface Box {
  x: number
  y: number
  width: number
  height: number
}

/** Returns one box per weight, in the given order; heavier ones should come first. A weight of 0 gets no box. */
export function squarify(weights: readonly number[], box: Box): (Box | undefined)[] {
  const found: (Box | undefined)[] = weights.map(() => undefined)
  const order = weights.map((_, i) => i).filter((i) => weights[i]! > 0)
  const total = order.reduce((sum, i) => sum + weights[i]!, 0)
  if (total === 0 || box.width <= 0 || box.height <= 0) return found
  const scale = (box.width * box.height) / total
  let left = { ...box }
  let row: number[] = []
  const area = (list: readonly number[]) => list.reduce((sum, i) => sum + weights[i]! * scale, 0)
  const worst = (list: readonly number[]) => {
    const side = Math.min(left.width, left.height)
    const sum = area(list)
    return Math.max(
      ...list.map((i) => {
        const one = weights[i]! * scale
        return Math.max((side * side * one) / (sum * sum), (sum * sum) / (side * side * one))
      }),
    )
  }
  const lay = () => {
    const wide = left.width >= left.height
    const side = wide ? left.height : left.width
    const depth = area(row) / side
    let at = 0
    for (const i of row) {
      const length = (weights[i]! * scale) / depth
      found[i] = wide
        ? { x: left.x, y: left.y + at, width: depth, height: length }
        : { x: left.x + at, y: left.y, width: length, height: depth }
      at += length
    }
    left = wide
      ? { ...left, x: left.x + depth, width: Math.max(0, left.width - depth) }
      : { ...left, y: left.y + depth, height: Math.max(0, left.height - depth) }
    row = []
  }
  for (const i of order) {
    if (row.length > 0 && worst([...row, i]) > worst(row)) lay()
    row.push(i)
  }
  lay()
  return found
}
