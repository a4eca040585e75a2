// SPDX-License-Identifier: Apache-2.0
// Lists the containers of the root, as a table, as JSON, or only their ids.

import { containerStatus } from '../container/status.ts'
import { listContainers, readContainer } from '../container/store.ts'
import { print } from '../system/stdout.ts'
import { escapeUnsafe, formatJson } from '../text/quote.ts'
import type { OciCallOf } from './arguments.ts'
import type { OciContext } from './context.ts'
import { type StateOutput, toStateOutput } from './state-output.ts'

const columns: readonly (readonly [heading: string, cell: (state: StateOutput) => string])[] = [
  ['ID', ({ id }) => id],
  ['PID', ({ pid }) => String(pid)],
  ['STATUS', ({ status }) => status],
  ['BUNDLE', ({ bundle }) => bundle],
  ['CREATED', ({ created }) => created],
  ['OWNER', ({ owner }) => owner],
]
const minWidth = 12
const gap = 3

/** Returns the states as lines in columns. */
export function formatStates(states: readonly StateOutput[]): string {
  const lines = [columns.map(([heading]) => heading), ...states.map((one) => columns.map(([, cell]) => cell(one)))].map(
    (line) => line.map(escapeUnsafe),
  )
  const widths = columns.map((_, i) => Math.max(minWidth, ...lines.map((line) => line[i]!.length + gap)))
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('')
          .trimEnd()}\n`,
    )
    .join('')
}

export function run({ options }: OciCallOf<'list'>, { root, remark }: OciContext): number {
  const states = listContainers(root).flatMap((id) => {
    try {
      const state = readContainer<Parameters<typeof toStateOutput>[0]['details']>(root, id)
      return [toStateOutput(state, containerStatus(root, state))]
    } catch (error) {
      // removed meanwhile, or half-made: the others are listed
      remark((error as Error).message)
      return []
    }
  })
  if (options.quiet) print(states.map(({ id }) => `${id}\n`).join(''))
  else print(options.format === 'json' ? `${formatJson(states)}\n` : formatStates(states))
  return 0
}
