// SPDX-License-Identifier: Apache-2.0
// hutch record: what all groups do, kept in a file for hutch replay.
import { fail } from '../errors.ts'
import { openSurvey } from '../survey/survey.ts'
import { parseDuration, parseSize } from '../units.ts'
import { type FlagTable, formatFlags, parseFlags } from './flags.ts'
import { print } from './output.ts'
import { defaultFile } from './record/file.ts'
import { openRecorder } from './record/recorder.ts'
import { pauses, readInterval } from './stats.ts'

const flags: FlagTable = {
  db: {
    value: 'FILE',
    help: 'where to: made, or continued (/var/lib/hutch/history.db; ~/.local/state/hutch/history.db without root)',
  },
  interval: { value: 'TIME', help: 'time between two looks (1s)' },
  for: { value: 'TIME', help: 'end by itself after this time' },
  keep: { value: 'TIME', help: 'forget what is older (1d)' },
  'max-size': { value: 'SIZE', help: 'forget the oldest when the file would be larger (200M)' },
}

const usage = `Usage: hutch record [OPTIONS]

Keeps what all groups do in a file, until a signal ends it. Every look is kept for an hour, then one in ten seconds with its peaks,
after a day one a minute. It writes once a minute, and when it ends. hutch replay shows the file.

${formatFlags(flags)}
`

export async function main(args: string[]): Promise<number> {
  const { values, rest } = parseFlags(args, flags, true)
  if (values.help) {
    print(usage)
    return 0
  }
  if (rest.length > 0) throw fail('OPTION_UNKNOWN', { name: rest[0]!, known: 'hutch record takes options alone' })
  const interval = readInterval(values.interval?.at(-1))
  const end = readTime('--for', values.for?.at(-1))
  const keep = readTime('--keep', values.keep?.at(-1)) ?? 86_400_000
  const path = values.db?.at(-1) ?? defaultFile()
  // the names and figures of all groups are nobody else's business
  process.umask(0o077)
  const recorder = await openRecorder(path, { interval, keep, size: readSize(values['max-size']?.at(-1)) })
  const survey = openSurvey()
  const pause = pauses(interval)
  const begun = performance.now()
  try {
    recorder.add(survey.sample())
    for (let looks = 1; ; looks++) {
      const due = begun + looks * interval
      const left = end === undefined ? Number.POSITIVE_INFINITY : begun + end
      if (due > left) {
        await pause.next(Math.max(0, left - performance.now()))
        return 0
      }
      // what was missed, while the machine slept, is not made up for
      const late = performance.now() - due
      if (late > interval) looks += Math.floor(late / interval)
      if (!(await pause.next(Math.max(0, due - performance.now())))) return 0
      recorder.add(survey.sample())
    }
  } finally {
    pause.end()
    survey.close()
    recorder.close()
  }
}

function readTime(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text, 1000)
  if (ms !== undefined && ms >= 1000) return ms
  const why = ms === undefined ? 'it is not understood' : 'it is too short'
  throw fail('OPTION_INVALID', { name, value: text, why, accepted: 'a time such as 90s, 10m, 12h or 7d, up to 49d' })
}

function readSize(text = '200M'): number {
  const bytes = parseSize(text)
  if (typeof bytes === 'number' && bytes >= 2 ** 20 && bytes <= 2 ** 31) return bytes
  const why = bytes === undefined ? 'it is not understood' : 'it is too small or too large'
  throw fail('OPTION_INVALID', { name: '--max-size', value: text, why, accepted: 'a size from 1M to 2G' })
}
