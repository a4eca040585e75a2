// SPDX-License-Identifier: Apache-2.0
// hutch cgroup watch: prints one line, or one JSON document, per event. Ends when the groups are removed, at the time limit, or on a
// signal.

import { type GroupEvent, parseTrigger } from '../../cgroup/event-sources.ts'
import { openGroup } from '../../cgroup/group.ts'
import { watchGroups } from '../../cgroup/watch.ts'
import { quote } from '../../errors/errors.ts'
import { print } from '../../system/stdout.ts'
import { formatJson } from '../../text/quote.ts'
import type { Command } from '../command.ts'
import { readTime } from '../polling.ts'

export const command: Command = {
  flags: {
    recursive: { short: 'r', help: 'Include the groups below, also groups that are created later.' },
    pressure: {
      value: 'TRIGGER',
      repeat: true,
      help: 'Report when tasks stalled this long within a window (memory:some:150ms/1s).',
    },
    for: { value: 'TIME', help: 'End after this time (10s).' },
    json: { help: 'Print each event as one line of JSON.' },
  },
  words: 'GROUP…',
  minWords: 1,
  main({ values, rest: names }) {
    const pressure = (values.pressure ?? []).map((text) => parseTrigger(text, '--pressure'))
    const ms = readTime(values, 'for')
    const groups = names.map(openGroup)
    const format = values.json ? (event: GroupEvent) => `${formatJson(event)}\n` : formatEvent
    return new Promise<number>((resolve) => {
      const end = () => {
        clearTimeout(timer)
        close()
        resolve(0)
      }
      const timer = ms === undefined ? undefined : setTimeout(end, ms)
      const close = watchGroups(
        groups,
        { recursive: values.recursive !== undefined, pressure },
        (event) => print(format(event)),
        end,
      )
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
    })
  },
}

/** Formats an event, such as `12:34:56.789  /build/jobs  memory.events  oom_kill +2 (12)`. */
function formatEvent({ at, group, file, kind, count, total }: GroupEvent): string {
  const time = new Date(at).toISOString().slice(11, 23)
  const what = file === 'cgroup.events' ? `${kind} ${count}` : file === '' ? kind : `${kind} +${count}`
  return `${time}  ${quote(group)}  ${file ? `${file}  ` : ''}${what}${total === undefined ? '' : ` (${total} in all)`}\n`
}
