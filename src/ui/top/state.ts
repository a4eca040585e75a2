// SPDX-License-Identifier: Apache-2.0
// Holds the state of hutch top, and changes it when keys are pressed. Uses neither terminal nor kernel; actions are
// arguments.

import { type ActionResult, limits } from '../../cgroup/actions.ts'
import type { ContainerNames } from '../../monitor/container-name.ts'
import { isFrozen, type Snapshot } from '../../monitor/sample.ts'
import type { Key } from '../terminal/keys.ts'
import { sortable } from './columns.ts'
import type { Choice, TopRow } from './rows.ts'

/** What the screen shows, which decides what keys do. */
type Mode =
  | { kind: 'list' }
  | { kind: 'details'; path: string }
  | { kind: 'help' }
  | { kind: 'filter' }
  /** Choosing a limit. */
  | { kind: 'limit'; path: string }
  | { kind: 'value'; path: string; file: string; text: string }
  /** A question that the user answers with y for yes; any other key means no. */
  | { kind: 'ask'; question: string; act: () => Promise<ActionResult> }

export interface State {
  mode: Mode
  /** What the screen showed before a question or a help page. */
  back: Mode
  choice: Choice
  list: TopRow[]
  /** The path of the selected group. The selection follows the group when the list is sorted again. */
  selected: string
  /** The line in which the selected group was last shown. */
  at: number
  offset: number
  /** Number of lines of the details or the help that are scrolled out of the screen. */
  scrolled: number
  message: string
}

/** Actions on groups. */
export interface Actions {
  holdsMyself(path: string): boolean
  freeze(path: string, frozen: boolean): Promise<ActionResult>
  kill(path: string): Promise<ActionResult>
  setLimit(path: string, file: string, value: string): Promise<ActionResult>
  /** Runs an action that changes a group, and shows its outcome. */
  run(act: () => Promise<ActionResult>): void
}

export function makeState(top: string, called?: ContainerNames): State {
  const choice: Choice = {
    tree: true,
    sort: 'cpu',
    reverse: false,
    filter: '',
    empty: false,
    folded: new Set(),
    top,
    called,
  }
  const list: Mode = { kind: 'list' }
  return { mode: list, back: list, choice, list: [], selected: top, at: 0, offset: 0, scrolled: 0, message: '' }
}

/** Returns the line of the selected group. If the group is not shown, returns the nearest line. */
function selectedIndex({ list, selected, at }: State): number {
  const found = list.findIndex(({ path }) => path === selected)
  return found >= 0 ? found : Math.min(at, Math.max(0, list.length - 1))
}

/** Returns the first line of the list to show, so that the selected group is visible. */
export function scroll(state: State, height: number): number {
  const at = selectedIndex(state)
  state.selected = state.list[at]?.path ?? state.selected
  state.offset = Math.max(0, Math.min(state.offset, state.list.length - height))
  if (at < state.offset) state.offset = at
  if (at >= state.offset + height) state.offset = at - height + 1
  state.at = at
  return at
}

/**
 * Scrolls a text if the key is one for scrolling; returns false for any other key. The next drawing corrects a position
 * beyond the end.
 */
function scrollText(state: State, key: Key, height: number): boolean {
  const steps: { [key: Key]: number } = { up: -1, down: 1, pageup: -height, pagedown: height, home: -1e6, end: 1e6 }
  const by = steps[key]
  if (by !== undefined) state.scrolled = Math.max(0, state.scrolled + by)
  return by !== undefined
}

/** Shows a question or a help page. Afterwards the screen returns to what it shows now. */
function open(state: State, mode: Mode): void {
  state.back = state.mode
  state.mode = mode
}

/** Handles a key. Returns 'quit' if the program should end, and 'suspend' if it should stop. */
export function press(
  state: State,
  key: Key,
  height: number,
  now: Snapshot,
  actions: Actions,
): 'quit' | 'suspend' | undefined {
  if (key === 'interrupt') return 'quit'
  if (key === 'suspend') return 'suspend'
  state.message = ''
  const { mode } = state
  switch (mode.kind) {
    case 'ask':
      state.mode = state.back
      state.message = key === 'y' || key === 'Y' ? 'doing it …' : 'nothing was done'
      if (key === 'y' || key === 'Y') actions.run(mode.act)
      return undefined
    case 'filter':
      editFilter(state, key)
      return undefined
    case 'value':
      editValue(state, mode, key, actions)
      return undefined
    case 'limit':
      state.mode = state.back
      if (limits[key]) state.mode = { kind: 'value', path: mode.path, file: limits[key].file, text: '' }
      return undefined
    case 'help':
      if (scrollText(state, key, height)) return undefined
      state.mode = state.back
      state.scrolled = 0
      return undefined
    case 'details':
      if (key === 'q') return 'quit'
      if (['escape', 'left', 'backspace', 'enter'].includes(key)) state.mode = { kind: 'list' }
      else if (key === '?') showHelp(state)
      else if (!scrollText(state, key, height)) act(state, key, mode.path, now, actions)
      return undefined
    default:
      return pressInList(state, key, height, now, actions)
  }
}

function pressInList(state: State, key: Key, height: number, now: Snapshot, actions: Actions): 'quit' | undefined {
  const { choice, list } = state
  const at = selectedIndex(state)
  const move = (to: number) => {
    state.selected = list[Math.max(0, Math.min(list.length - 1, to))]?.path ?? state.selected
  }
  const sortBy = (step: number) => {
    choice.sort = sortable[(sortable.indexOf(choice.sort) + step + sortable.length) % sortable.length]!
  }
  const row = list[at]
  switch (key) {
    case 'q':
      return 'quit'
    case 'up':
      move(at - 1)
      break
    case 'down':
      move(at + 1)
      break
    case 'pageup':
      move(at - height)
      break
    case 'pagedown':
      move(at + height)
      break
    case 'home':
      move(0)
      break
    case 'end':
      move(list.length - 1)
      break
    case 'left':
      if (row && row.below > 0 && !choice.folded.has(row.path)) fold(choice, row.path, true)
      else if (choice.tree && row) move(list.findLastIndex(({ depth }, i) => i < at && depth < row.depth))
      break
    case 'right':
      if (row) fold(choice, row.path, false)
      break
    case ' ':
      if (row && row.below > 0) fold(choice, row.path, !choice.folded.has(row.path))
      break
    case 'enter':
      state.scrolled = 0
      if (row) state.mode = { kind: 'details', path: row.path }
      break
    case 't':
      choice.tree = !choice.tree
      break
    case 's':
      sortBy(1)
      break
    case 'S':
      sortBy(-1)
      break
    case 'r':
      choice.reverse = !choice.reverse
      break
    case 'a':
      choice.empty = !choice.empty
      break
    case '/':
      state.mode = { kind: 'filter' }
      break
    case 'escape':
      choice.filter = ''
      break
    case '?':
      showHelp(state)
      break
    default:
      if (row) act(state, key, row.path, now, actions)
  }
  return undefined
}

function showHelp(state: State): void {
  state.scrolled = 0
  open(state, { kind: 'help' })
}

function fold(choice: Choice, path: string, folded: boolean): void {
  const next = new Set(choice.folded)
  if (folded) next.add(path)
  else next.delete(path)
  choice.folded = next
}

/** Handles the keys f, k and l, which ask before they change a group. */
function act(state: State, key: Key, path: string, now: Snapshot, actions: Actions): void {
  const ask = (question: string, what: () => Promise<ActionResult>) =>
    open(state, { kind: 'ask', question: `${question} y/n`, act: what })
  const frozen = isFrozen(now.groups.get(path))
  if (['f', 'k', 'l'].includes(key) && !now.groups.has(path)) state.message = `${path} is gone`
  else if (key === 'l') open(state, { kind: 'limit', path })
  else if (key === 'f' && frozen) ask(`let ${path} go on?`, () => actions.freeze(path, false))
  else if ((key === 'f' || key === 'k') && actions.holdsMyself(path))
    state.message = `hutch top itself is in ${path}: this would ${key === 'k' ? 'kill' : 'stop'} hutch top`
  else if (key === 'f') ask(`freeze ${path}, and all below it?`, () => actions.freeze(path, true))
  else if (key === 'k') ask(`kill all processes of ${path}, and all below it?`, () => actions.kill(path))
}

function editFilter(state: State, key: Key): void {
  const { choice } = state
  if (key === 'enter') state.mode = { kind: 'list' }
  else if (key === 'escape') {
    choice.filter = ''
    state.mode = { kind: 'list' }
  } else choice.filter = edit(choice.filter, key)
}

function editValue(state: State, mode: Mode & { kind: 'value' }, key: Key, actions: Actions): void {
  const { path, file, text } = mode
  if (key === 'escape') state.mode = state.back
  else if (key === 'enter' && text.trim() === '') state.mode = state.back
  else if (key === 'enter')
    state.mode = {
      kind: 'ask',
      question: `set ${file} of ${path} to ${text.trim()}? y/n`,
      act: () => actions.setLimit(path, file, text.trim()),
    }
  else state.mode = { ...mode, text: edit(text, key) }
}

/** Returns a text that the user types, after an editing key. */
export function edit(text: string, key: Key): string {
  if (key.startsWith('paste:')) return `${text}${key.slice(6).replace(/\p{C}/gu, '')}`.slice(0, 200)
  if (key === 'backspace') return [...text].slice(0, -1).join('')
  if (key === 'clear') return ''
  return [...key].length === 1 ? (text + key).slice(0, 200) : text
}
