// SPDX-License-Identifier: Apache-2.0
// hutch record: records the activity of all groups in a file, for hutch replay.
import { fail, quote } from '../../errors/errors.ts'
import { defaultFile } from '../../monitor/recording/file.ts'
import { openRecorder } from '../../monitor/recording/recorder.ts'
import { openSampler } from '../../monitor/sampler.ts'
import { showProgress, writeStderr } from '../../system/stderr.ts'
import { formatDuration, parseSize } from '../../text/units.ts'
import type { Command } from '../command.ts'
import type { FlagTable, Parsed } from '../flags.ts'
import { intervalFlag, longTime, pauses, readInterval, readTime } from '../polling.ts'

const flags: FlagTable = {
  db: {
    value: 'FILE',
    help: 'File to create or to continue.',
    default: '/var/lib/hutch/history.db; without root ~/.local/state/hutch/history.db',
  },
  interval: intervalFlag,
  for: { value: 'TIME', help: 'End after this time.' },
  keep: { value: 'TIME', help: 'Delete samples that are older.', default: '1d' },
  'max-size': { value: 'SIZE', help: 'Maximum size of the file; the oldest samples are deleted.', default: '200M' },
}

export const command: Command = {
  words: '',
  details:
    'Records until a signal ends it. Each sample is kept for an hour, then one in ten seconds with its peaks, after a day one a\nminute. The file is written once a minute and at the end. `hutch replay` shows it.',
  flags,
  maxWords: 0,
  main,
}

async function main({ values }: Parsed): Promise<number> {
  const interval = readInterval(values)
  const end = readTime(values, 'for', longTime)
  const keep = readTime(values, 'keep', longTime) ?? 86_400_000
  const path = values.db?.at(-1) ?? defaultFile()
  // mode 0600: other users must not read the names and figures of all groups
  process.umask(0o077)
  const recorder = await openRecorder(path, { interval, keep, size: readSize(values['max-size']?.at(-1)) })
  const survey = openSampler()
  const pause = pauses(interval)
  const begun = performance.now()
  if (process.stderr.isTTY) writeStderr(`hutch: recording into ${quote(path)}; Ctrl-C ends it\n`)
  let samples = 0
  const record = () => {
    const sample = survey.sample()
    recorder.add(sample)
    const time = formatDuration(performance.now() - begun)
    showProgress(`hutch: sample ${++samples} after ${time}, ${sample.groups.size} groups`)
  }
  try {
    record()
    for (let looks = 1; ; looks++) {
      const due = begun + looks * interval
      const left = end === undefined ? Number.POSITIVE_INFINITY : begun + end
      if (due > left) {
        await pause.next(Math.max(0, left - performance.now()))
        return 0
      }
      // a sample that was missed, for example during suspend, is not taken later
      const late = performance.now() - due
      if (late > interval) looks += Math.floor(late / interval)
      if (!(await pause.next(Math.max(0, due - performance.now())))) return 0
      record()
    }
  } finally {
    showProgress('')
    pause.end()
    survey.close()
    recorder.close()
  }
}

function readSize(text = '200M'): number {
  const bytes = parseSize(text)
  if (typeof bytes === 'number' && bytes >= 2 ** 20 && bytes <= 2 ** 31) return bytes
  const why = bytes === undefined ? undefined : 'too small or too large'
  throw fail('OPTION_INVALID', { name: '--max-size', value: text, why, accepted: 'a size from 1M to 2G' })
}
