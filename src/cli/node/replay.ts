// SPDX-License-Identifier: Apache-2.0
// hutch replay: shows a recording as hutch top does, one moment of it, or its contents.
import { fail, quote } from '../../errors/errors.ts'
import { rates } from '../../monitor/rates.ts'
import { acceptedMoments, makeCursor, parseMoment } from '../../monitor/recording/cursor.ts'
import { defaultFile } from '../../monitor/recording/file.ts'
import { type Listed, listed, summarize } from '../../monitor/recording/overview.ts'
import { findGroups, openRecording, type Recording } from '../../monitor/recording/recording.ts'
import { isEmpty } from '../../monitor/sample.ts'
import { print } from '../../system/stdout.ts'
import { isBelow } from '../../text/paths.ts'
import { escapeUnsafe, formatJson } from '../../text/quote.ts'
import { cut, formatTable, widthOfOutput } from '../../text/terminal-text.ts'
import { formatSize } from '../../text/units.ts'
import { checkTerminal } from '../../ui/terminal/screen.ts'
import { percent } from '../../ui/top/columns.ts'
import { play } from '../../ui/top/player.ts'
import { formatTime } from '../../why/memory.ts'
import type { Command } from '../command.ts'
import type { FlagTable, Parsed } from '../flags.ts'
import { makeJson, type ShownGroups, statsTable } from '../stats.ts'

const flags: FlagTable = {
  at: {
    value: 'TIME',
    help: 'Print the sample of this time as a table: "2026-01-31 12:00:00", 12:00:30, @SECONDS, or -10m before the end.',
  },
  list: {
    help: 'List all groups with their times, their largest figures, OOM kills, and throttling by memory.high.',
  },
  json: { help: 'With --at or --list: print JSON.' },
}

export const command: Command = {
  words: '[FILE [GROUP]]',
  details:
    'Shows a recording of `hutch record` as `hutch top` shows groups: all groups, or GROUP (its path, or the end of it) and the\ngroups below it. FILE is the file that `hutch record` writes by default. The key ? lists the other keys.',
  flags,
  maxWords: 2,
  main,
}

async function main({ values, rest }: Parsed): Promise<number> {
  const [path = defaultFile(), group = '/'] = rest
  const at = values.at?.at(-1)
  const list = values.list !== undefined
  const json = values.json !== undefined
  if ((at !== undefined && list) || (json && at === undefined && !list))
    throw fail('OPTION_CONFLICT', {
      name: json ? '--json' : '--at',
      why: 'it needs --at or --list',
      remedy: 'give one of them',
    })
  if (at === undefined && !list)
    checkTerminal('replay', 'give --at TIME for one moment, --list for all groups, with --json for programs')
  const recording = await openRecording(path)
  try {
    const top = findTop(recording, path, group)
    if (list) printList(recording, top, json)
    else if (at !== undefined) printMoment(recording, path, at, top, json)
    else return await play(recording, path, top)
    return 0
  } finally {
    recording.close()
  }
}

/** Returns the path of the group that `hutch replay` shows first. @throws RECORD_EMPTY */
function findTop(recording: Recording, path: string, group: string): string {
  if (group === '/') return group
  const [top, ...others] = findGroups(recording, group.replace(/(?<=.)\/+$/, ''))
  if (top !== undefined && others.length === 0) return top
  const why = top === undefined ? 'no such group' : `several: ${[top, ...others].slice(0, 4).map(quote).join(' ')}`
  throw fail('RECORD_EMPTY', { path, what: `the group ${quote(group)}`, why })
}

function printMoment(recording: Recording, path: string, at: string, top: string, json: boolean): void {
  const cursor = makeCursor(recording, path)
  const end = recording.spans.reduce((latest, span) => Math.max(latest, span.end), 0)
  const moment = parseMoment(at, end)
  if (moment === undefined) throw fail('OPTION_INVALID', { name: '--at', value: at, accepted: acceptedMoments })
  cursor.seek(moment)
  const { now, step } = cursor
  // a sample represents the time until the next sample
  const slack = Math.max(2 * step, 2000)
  if (moment < now.time - slack || moment > now.time + slack) throw fail('RECORD_EMPTY', { path, what: at })
  const rate = rates(cursor.before, now)
  const shown: ShownGroups = [...now.groups].filter(([name]) => name !== '/' && isBelow(name, top))
  if (json) print(`${formatJson(makeJson(now, shown, rate))}\n`)
  else {
    const table = statsTable(
      shown.filter(([, sample]) => !isEmpty(sample)),
      rate,
    )
    print(`${[formatTime(now.time), ...table].join('\n')}\n`)
  }
}

function printList(recording: Recording, top: string, json: boolean): void {
  const groups = summarize(recording).filter(({ path }) => isBelow(path, top))
  const time = (ms: number) => new Date(ms).toISOString()
  if (json) {
    const events = recording.events().filter(({ path }) => isBelow(path, top))
    print(
      `${formatJson({
        groups: groups.map(({ path, from, to, figures }) => ({ path, from: time(from), to: time(to), ...figures })),
        events: events.map((event) => ({ ...event, time: time(event.time) })),
      })}\n`,
    )
    return
  }
  const texts: { [text in Listed['text']]: (value: number | undefined) => string } = {
    percent: (share) => percent(share),
    size: (bytes) => (bytes === undefined ? '--' : formatSize(bytes)),
    count: (count) => String(count ?? '--'),
  }
  const rows = groups.map(({ path, from, to, figures }) => [
    escapeUnsafe(path),
    formatTime(from),
    formatTime(to),
    ...listed.map(({ name, text }) => texts[text](figures[name])),
  ])
  const titles = ['GROUP', 'FROM', 'TO', ...listed.map(({ title }) => title)]
  const width = widthOfOutput()
  const table = formatTable([titles, ...rows], { names: 0, width })
  print(table.map((line) => `${cut(line, width ?? Number.POSITIVE_INFINITY)}\n`).join(''))
}
