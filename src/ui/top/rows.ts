// SPDX-License-Identifier: Apache-2.0
// Chooses which groups hutch top shows, and their order. Pure.

import { type ContainerNames, withName } from '../../monitor/container-name.ts'
import { type GroupRates, rates } from '../../monitor/rates.ts'
import { type GroupSample, isEmpty, type Snapshot } from '../../monitor/sample.ts'
import { isBelow } from '../../text/paths.ts'
import { type ColumnName, columns } from './columns.ts'

/** A group in the list, with the data of its line. */
export interface TopRow {
  path: string
  /** The last part of the group's path. In a flat list, the whole path. */
  name: string
  /** Number of levels between the group and the topmost shown group. */
  depth: number
  sample: GroupSample
  rates: GroupRates | undefined
  /** Number of groups below this group that could be shown if it were unfolded. */
  below: number
}

/** The user's choices. */
export interface Choice {
  tree: boolean
  sort: ColumnName
  /** True if the list is sorted in the reverse order. */
  reverse: boolean
  /** A text that the path of each shown group contains; '' shows all groups. */
  filter: string
  /** True if groups without processes are also shown. */
  empty: boolean
  folded: ReadonlySet<string>
  /** The path of the group to show, with its descendants. */
  top: string
  /** Returns the name that a container engine gave to the container of a group. */
  called?: ContainerNames | undefined
}

interface Node {
  row: TopRow
  children: Node[]
}

/** Returns the lines of the list, from its top. */
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

/** Arranges rows as a tree. Adds the ancestors of the groups that match the filter. */
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

/** Returns the function that compares two rows: larger values first, unknown values last, equal values by name. */
function orderOf({ sort, reverse }: Choice): (a: TopRow, b: TopRow) => number {
  const { value } = columns[sort]!
  const byName = (a: TopRow, b: TopRow) => (a.path < b.path ? -1 : Number(a.path > b.path))
  if (!value) return reverse ? (a, b) => byName(b, a) : byName
  return (a, b) => {
    const [left, right] = [value(a) ?? -1, value(b) ?? -1]
    return (reverse ? left - right : right - left) || byName(a, b)
  }
}
