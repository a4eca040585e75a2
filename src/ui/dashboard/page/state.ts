// SPDX-License-Identifier: Apache-2.0
// Holds the page's state: the data from the server and the user's choices.
import type { All, Change, GroupRow, Mark } from '../api-types.ts'
import { above } from './format.ts'

export type Measure = 'memory' | 'cpus'

export interface State {
  host: All['host'] | undefined
  allowChanges: boolean
  time: number
  rows: Map<string, GroupRow>
  /** Paths of the children of each group. */
  children: Map<string, string[]>
  marks: Mark[]
  measure: Measure
  filter: string
  selected: string
  /** The path of the group that fills the whole treemap. */
  zoom: string
}

const maxMarks = 500

export function makeState(): State {
  return {
    host: undefined,
    allowChanges: false,
    time: 0,
    rows: new Map(),
    children: new Map(),
    marks: [],
    measure: 'memory',
    filter: '',
    selected: '/',
    zoom: '/',
  }
}

export function takeAll(state: State, all: All): void {
  state.host = all.host
  state.allowChanges = all.allowChanges
  state.time = all.time
  state.rows = new Map(Object.entries(all.rows))
  state.marks = all.marks
  settle(state)
}

export function takeChange(state: State, change: Change): void {
  state.time = change.time
  let moved = change.gone.length > 0
  for (const path of change.gone) state.rows.delete(path)
  for (const [path, row] of Object.entries(change.rows)) {
    moved ||= !state.rows.has(path)
    state.rows.set(path, row)
  }
  state.marks.push(...change.marks)
  state.marks.splice(0, state.marks.length - maxMarks)
  if (moved) settle(state)
}

function settle(state: State): void {
  state.children = new Map()
  for (const path of state.rows.keys()) {
    const parent = above(path)
    if (parent === undefined) continue
    const list = state.children.get(parent)
    if (list) list.push(path)
    else state.children.set(parent, [path])
  }
  while (!state.rows.has(state.zoom) && state.zoom !== '/') state.zoom = above(state.zoom) ?? '/'
}

/** Returns only the innermost of several markers for the same event. An event is also counted in each parent group. */
export function innermost(marks: readonly Mark[]): Mark[] {
  return marks.filter(
    (mark) =>
      !marks.some(
        (other) =>
          other.kind === mark.kind &&
          Math.abs(other.at - mark.at) < 1500 &&
          other.group !== mark.group &&
          other.group.startsWith(mark.group === '/' ? '/' : `${mark.group}/`),
      ),
  )
}

export const markNames: { [kind in Mark['kind']]: string } = {
  oom: 'killed for memory',
  refused: 'fork refused',
  throttled: 'throttled',
}
