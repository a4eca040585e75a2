// SPDX-License-Identifier: Apache-2.0
// Chooses the groups to show and their order. Pure.

import { type ContainerNames, withName } from '../../monitor/container-name.ts'
import { type GroupRates, rates } from '../../monitor/rates.ts'
import { type GroupSample, isEmpty, type Snapshot } from '../../monitor/sample.ts'
import { isBelow } from '../../text/paths.ts'
import { type ColumnName, columns } from './columns.ts'

/** A group with the data of its line. */
export interface TopRow {
  path: string
  /** The last part of the path, or the whole path in a flat list. */
  name: string
  /** Number of levels below the topmost shown group. */
  depth: number
  sample: GroupSample
  rates: GroupRates | undefined
  /** Number of groups below that could be shown. */
  below: number
}

/** The user's choices. */
export interface Choice {
  tree: boolean
  sort: ColumnName
  /** Sorts in ascending order. */
  reverse: boolean
  /** A part of the path that shown groups contain. */
  filter: string
  /** Shows groups without processes, too. */
  empty: boolean
  folded: ReadonlySet<string>
  /** Shows only this group and its descendants. */
  top: string
  /** Names of containers by their engine. */
  called?: ContainerNames | undefined
}

interface Node {
  row: TopRow
  children: Node[]
}

/** Returns the lines from the top. */
export function makeRows(before: Snapshot, now: Snapshot, choice: Choice): TopRow[] {
  const { called } = choice
  const rate = rates(before, now)
  const filter = choice.filter.toLowerCase()
  const wanted = (path: string, sample: GroupSample) =>
    isBelow(path, choice.top) &&
    (choice.empty || !isEmpty(sample)) &&
    (filter === '' || path.toLowerCase().includes(filter) || called?.(path)?.toLowerCase().includes(filter) === true)
  const rows = [...now.groups].flatMap(([path, sample]): TopRow[] => {
    if (!wanted(path, sample)) return []
    return [{ path, name: withName(path, called?.(path)), depth: 0, sample, rates: rate.get(path), below: 0 }]
  })
  if (!choice.tree) return rows.sort(orderOf(choice))
  return unfold(nest(rows, now, rate, choice), choice, 0)
}

/** Arranges rows as a tree, including the ancestors of matching groups. */
function nest(rows: readonly TopRow[], now: Snapshot, rate: Map<string, GroupRates>, { top }: Choice): Node[] {
  const nodes = new Map<string, Node>()
  const tops: Node[] = []
  const add = (row: TopRow): Node => {
    const node = { row, children: [] as Node[] }
    nodes.set(row.path, node)
    const at = row.path.lastIndexOf('/')
    const above = at <= 0 ? '/' : row.path.slice(0, at)
    if (row.path === top || row.path === '/') {
      tops.push(node)
      return node
    }
    const sample = now.groups.get(above)
    const parent =
      nodes.get(above) ??
      (sample && add({ path: above, name: above, depth: 0, sample, rates: rate.get(above), below: 0 }))
    ;(parent?.children ?? tops).push(node)
    return node
  }
  for (const row of rows) if (!nodes.has(row.path)) add(row)
  return tops
}

function unfold(nodes: Node[], choice: Choice, depth: number): TopRow[] {
  const order = orderOf(choice)
  return nodes
    .sort((a, b) => order(a.row, b.row))
    .flatMap(({ row, children }) => {
      const shown = {
        ...row,
        depth,
        name: withName(
          row.path === choice.top ? row.path : row.path.slice(row.path.lastIndexOf('/') + 1),
          choice.called?.(row.path),
        ),
        below: children.length,
      }
      return [shown, ...(choice.folded.has(row.path) ? [] : unfold(children, choice, depth + 1))]
    })
}

/** Returns the comparison: descending, unknown values last, equal values by name. */
function orderOf({ sort, reverse }: Choice): (a: TopRow, b: TopRow) => number {
  const { value } = columns[sort]!
  const byName = (a: TopRow, b: TopRow) => (a.path < b.path ? -1 : Number(a.path > b.path))
  if (!value) return reverse ? (a, b) => byName(b, a) : byName
  return (a, b) => {
    const [left, right] = [value(a) ?? -1, value(b) ?? -1]
    return (reverse ? left - right : right - left) || byName(a, b)
  }
}
