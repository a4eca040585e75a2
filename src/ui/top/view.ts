// SPDX-License-Identifier: Apache-2.0
// Draws the whole screen for a state: the list, a group's details, or the help. Pure.
import { limits } from '../../cgroup/actions.ts'
import { rates } from '../../monitor/rates.ts'
import type { Snapshot } from '../../monitor/sample.ts'
import { escapeUnsafe } from '../../text/quote.ts'
import { pad, widthOf, wrap } from '../../text/terminal-text.ts'
import { detailsHelp, drawDetails } from './details.ts'
import { drawList, type Frame, help, listHeight } from './frame.ts'
import { changes, drawHelp, helpFooter, longHelpFooter } from './help.ts'
import type { History } from './history.ts'
import { makeRows } from './rows.ts'
import { type State, scroll } from './state.ts'

/** What the screen shows: two samples, and the history before them. */
export interface ViewContent {
  before: Snapshot
  now: Snapshot
  history: History
}

/** Texts on the screen in which hutch replay differs from hutch top. */
export interface ViewWords {
  title?: string
  help?: string
  detailsHelp?: string
  /** Text that replaces the last line of the screen. */
  footer?: string | undefined
  /** Text that replaces the keys for changing a group on the help page. */
  keys?: string
}

export function drawState(state: State, shown: ViewContent, size: Frame, words: ViewWords = {}): string[] {
  state.list = makeRows(shown.before, shown.now, state.choice)
  const footer = drawFooter(state, words, size)
  const room = Math.max(0, size.rows - footer.length)
  const above = drawPage(state, shown, { ...size, rows: room + 1 }, words).slice(0, room)
  return [...above, ...Array.from({ length: room - above.length }, () => ''), ...footer]
}

function drawPage(state: State, { before, now, history }: ViewContent, size: Frame, words: ViewWords): string[] {
  const { mode, list, choice } = state
  const room = size.rows - 1
  if (mode.kind === 'help') return scrolled(state, helpLines(words), room).map((line) => pad(line, size.columns))
  const under = mode.kind === 'details' ? mode : mode.kind === 'list' || mode.kind === 'filter' ? undefined : state.back
  if (under?.kind === 'details') {
    const { path } = under
    const view = {
      path,
      sample: now.groups.get(path),
      rates: rates(before, now).get(path),
      history,
      container: choice.called?.(path),
    }
    const [title, ...lines] = drawDetails(view, size)
    return [title!, ...scrolled(state, lines, room - 1)]
  }
  const selected = scroll(state, listHeight(size))
  return drawList({ now, list, selected, offset: state.offset, choice, title: words.title }, size)
}

function helpLines(words: ViewWords): string[] {
  return drawHelp(words.keys ?? changes)
}

/** Returns the lines that are visible at the current scroll position. */
function scrolled(state: State, lines: string[], room: number): string[] {
  state.scrolled = Math.min(state.scrolled, Math.max(0, lines.length - room))
  return lines.slice(state.scrolled, state.scrolled + Math.max(0, room))
}

/** Draws the last line of the screen, or several lines for a question or a message. */
function drawFooter(state: State, words: ViewWords, { rows, columns }: Frame): string[] {
  const { mode, message } = state
  const fixed =
    words.footer ??
    (mode.kind === 'list' || mode.kind === 'details' ? message : mode.kind === 'help' ? '' : question(state))
  if (fixed !== '')
    return wrap(escapeUnsafe(fixed), columns)
      .slice(0, Math.max(1, rows - 3))
      .map((line) => pad(line, columns))
  const keys =
    mode.kind === 'details'
      ? (words.detailsHelp ?? detailsHelp)
      : mode.kind !== 'help'
        ? (words.help ?? help)
        : helpLines(words).length > rows - 1
          ? longHelpFooter
          : helpFooter
  return [pad(wholeKeys(keys, columns), columns)]
}

/** Returns as many descriptions of keys as fit into the width. */
function wholeKeys(text: string, columns: number): string {
  const keys = text.split('  ')
  while (keys.length > 1 && widthOf(keys.join('  ')) > columns) keys.pop()
  return keys.join('  ')
}

function question({ mode, choice }: State): string {
  switch (mode.kind) {
    case 'ask':
      return mode.question
    case 'filter':
      return `filter: ${choice.filter}▏ (enter keeps it, escape ends it)`
    case 'limit':
      return `which limit? ${Object.entries(limits)
        .map(([key, { file }]) => `${key} ${file}`)
        .join('  ')}`
    case 'value':
      return `${mode.file} (${Object.values(limits).find(({ file }) => file === mode.file)!.accepted}): ${mode.text}▏`
    default:
      return ''
  }
}
