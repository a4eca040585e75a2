// SPDX-License-Identifier: Apache-2.0
// The whole screen for a state: the list, one group in full, or the help.

import { limits } from '../../cgroup/actions.ts'
import { rates } from '../../survey/rates.ts'
import type { Snapshot } from '../../survey/sample.ts'
import { printable } from '../terminal-text.ts'
import { detailsHelp, drawDetails } from './details.ts'
import { drawList, type Frame, help, listHeight } from './frame.ts'
import { drawHelp } from './help.ts'
import type { History } from './history.ts'
import { makeRows } from './rows.ts'
import { type State, scroll } from './state.ts'

/** What is shown: two looks, and what was before them. */
export interface Shown {
  before: Snapshot
  now: Snapshot
  history: History
}

/** What is not as in hutch top. */
export interface Words {
  title?: string
  help?: string
  detailsHelp?: string
  /** In place of what would stand in the last line. */
  footer?: string | undefined
  /** Further lines of the help page, above the others. */
  helpLines?: readonly string[]
}

export function drawState(state: State, { before, now, history }: Shown, size: Frame, words: Words = {}): string[] {
  state.list = makeRows(before, now, state.choice)
  const selected = scroll(state, listHeight(size))
  const { mode, list, offset, choice } = state
  const footer = printable(words.footer ?? footerOf(state, words))
  const under = mode.kind === 'details' ? mode : mode.kind === 'list' || mode.kind === 'filter' ? undefined : state.back
  if (mode.kind === 'help') return drawHelp(size, words.helpLines)
  if (under?.kind !== 'details')
    return drawList({ now, list, selected, offset, choice, footer, title: words.title }, size)
  const { path } = under
  const rate = rates(before, now).get(path)
  return drawDetails({ path, sample: now.groups.get(path), rates: rate, history, footer }, size)
}

function footerOf({ mode, message, choice }: State, words: Words): string {
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
      return `${mode.file} (${limits[Object.keys(limits).find((key) => limits[key]!.file === mode.file)!]!.accepted}): ${mode.text}▏`
    case 'details':
      return message || (words.detailsHelp ?? detailsHelp)
    default:
      return message || (words.help ?? help)
  }
}
