// SPDX-License-Identifier: Apache-2.0
// hutch stats: what groups use, as a table that is drawn anew every second, in the shape of docker stats.
import { totalmem } from 'node:os'
import { findPlace } from '../cgroup/place.ts'
import { fail } from '../errors.ts'
import { readHost } from '../host/host.ts'
import { type GroupRates, rates, sumIo } from '../survey/rates.ts'
import type { GroupSample, Snapshot } from '../survey/sample.ts'
import { openSurvey } from '../survey/survey.ts'
import { formatSize, parseDuration } from '../units.ts'
import { cut } from './dropin/lsns/table-cell.ts'
import { type FlagTable, formatFlags, parseFlags } from './flags.ts'
import { print } from './output.ts'
import { formatTable, printable } from './terminal-text.ts'

const flags: FlagTable = {
  all: { short: 'a', help: 'groups without processes, too' },
  interval: { value: 'TIME', help: 'time between two looks (1s)' },
  'no-stream': { help: 'print one table, and end' },
  json: { help: 'one line of JSON a look: the time, and each group with its figures and rates' },
}

const usage = `Usage: hutch stats [OPTIONS] [GROUP…]

What groups use: those named, or all that have processes.

${formatFlags(flags)}
`

export async function main(args: string[]): Promise<number> {
  const { values, rest: names } = parseFlags(args, flags, true)
  if (values.help) {
    print(usage)
    return 0
  }
  const interval = readInterval(values.interval?.at(-1))
  const host = readHost()
  const wanted = names.length === 0 ? undefined : names.map((name) => findPlace(host, name).path)
  const all = values.all !== undefined
  const survey = openSurvey(host)
  const pause = pauses(interval)
  try {
    let before = survey.sample()
    do {
      if (!(await pause.next())) return 0
      const after = survey.sample()
      const shown = select(after, wanted, all)
      const rate = rates(before, after)
      if (values.json) print(`${JSON.stringify(makeJson(after, shown, rate))}\n`)
      else draw(shown, rate, values['no-stream'] === undefined && process.stdout.isTTY === true)
      before = after
      if (wanted && shown.every(([, sample]) => sample === undefined)) return 0
    } while (values['no-stream'] === undefined)
    return 0
  } finally {
    pause.end()
    survey.close()
  }
}

/** Milliseconds. @throws OPTION_INVALID */
export function readInterval(text: string | undefined): number {
  const ms = text === undefined ? 1000 : parseDuration(text, 1000)
  if (ms !== undefined && ms >= 50 && ms < 2 ** 31) return ms
  throw fail('OPTION_INVALID', {
    name: '--interval',
    value: text,
    why: ms === undefined ? 'it is not understood' : 'it is too short or too long',
    accepted: 'a time such as 1s, 500ms or 2m, 50 ms at least',
  })
}

/** Waits between looks, until a signal comes or nobody reads any more. */
export function pauses(ms: number): { next(wait?: number): Promise<boolean>; end(): void } {
  let over = false
  let wake = () => {}
  const stop = () => {
    over = true
    wake()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  process.stdout.on('error', stop)
  return {
    next: (wait = ms) =>
      new Promise((resolve) => {
        if (over) return resolve(false)
        const timer = setTimeout(() => resolve(true), wait)
        wake = () => {
          clearTimeout(timer)
          resolve(false)
        }
      }),
    end: () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
    },
  }
}

export type Shown = [path: string, sample: GroupSample | undefined][]

/** Named groups in the order given, also those that are gone; else all, or all with processes, but the root. */
function select({ groups }: Snapshot, wanted: string[] | undefined, all: boolean): Shown {
  if (wanted) return wanted.map((path) => [path, groups.get(path)])
  return [...groups].filter(([path, { populated }]) => path !== '/' && (all || populated !== false))
}

/** As `--json` writes it. */
export function makeJson({ time }: Snapshot, shown: Shown, rate: Map<string, GroupRates>) {
  const groups = shown.flatMap(([path, sample]) =>
    sample === undefined ? [] : [{ path, ...sample, rates: rate.get(path) }],
  )
  return { time: new Date(time).toISOString(), groups }
}

export const header = ['GROUP', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'BLOCK I/O', 'PIDS']

/** On a terminal each table takes the place of the one before. */
function draw(shown: Shown, rate: Map<string, GroupRates>, again: boolean): void {
  const rows = shown.map(([path, sample]) => [printable(path), ...formatCells(sample, rate.get(path))])
  const lines = formatTable([header, ...rows])
  const most = again ? (process.stdout.rows ?? 24) - 1 : lines.length
  const more = lines.length > most ? [`… and ${lines.length - most + 1} more`] : []
  const width = again ? (process.stdout.columns ?? 80) : Number.POSITIVE_INFINITY
  const end = again ? '\x1b[K\n' : '\n'
  const text = [...lines.slice(0, most - more.length), ...more].map((line) => `${cut(line, width)}${end}`)
  print(again ? `\x1b[?2026h\x1b[H${text.join('')}\x1b[J\x1b[?2026l` : text.join(''))
}

/** All cells but the name. */
export function formatCells(sample: GroupSample | undefined, rate: GroupRates | undefined): string[] {
  if (!sample) return ['--', '-- / --', '--', '-- / --', '--']
  const percent = (share: number | undefined) => (share === undefined ? '--' : `${(share * 100).toFixed(2)}%`)
  const size = (bytes: number | undefined) => (bytes === undefined ? '--' : formatSize(bytes))
  // as Docker: less what the kernel can drop at once, and against the machine's where there is no limit
  const memory = sample.workingSet ?? sample.memory
  const most = sample.memoryMax === 'max' ? totalmem() : sample.memoryMax
  return [
    percent(rate?.cpus),
    `${size(memory)} / ${size(most)}`,
    percent(memory === undefined || most === undefined ? undefined : memory / most),
    `${size(sumIo(sample, 'readBytes'))} / ${size(sumIo(sample, 'writtenBytes'))}`,
    sample.pids === undefined ? '--' : String(sample.pids),
  ]
}
