// SPDX-License-Identifier: Apache-2.0
// Draws the details of a group with the history of its figures. Pure.

import { withName } from '../../monitor/container-name.ts'
import type { GroupRates } from '../../monitor/rates.ts'
import type { GroupSample, Pressure } from '../../monitor/sample.ts'
import { escapeUnsafe } from '../../text/quote.ts'
import { pad, shorten } from '../../text/terminal-text.ts'
import { formatDuration, formatSize, type Limit } from '../../text/units.ts'
import { drawBar, percent, shortSize } from './columns.ts'
import type { Frame } from './frame.ts'
import { drawSparkline, type History, kept, type Track } from './history.ts'

export interface DetailsView {
  path: string
  sample: GroupSample | undefined
  rates: GroupRates | undefined
  history: History
  /** The container's name by its engine. */
  container?: string | undefined
}

export const detailsHelp = 'esc back  ? help  q quit  ↑↓ scroll  f freeze  k kill  l limit'

/** Returns all lines of the details, the name first. */
export function drawDetails(view: DetailsView, frame: Frame): string[] {
  const { path, sample, rates } = view
  const name = withName(path, view.container)
  const title = `${escapeUnsafe(name)}${sample === undefined ? '  (gone)' : sample.frozen ? '  (frozen)' : ''}`
  const body = sample === undefined ? [] : describe(sample, rates, view, frame)
  const first = pad(shorten(title, frame.columns), frame.columns)
  return [frame.color ? `\x1b[1m${first}\x1b[0m` : first, ...['', ...body].map((line) => pad(line, frame.columns))]
}

const label = (name: string) => pad(name, 16)

function describe(
  sample: GroupSample,
  rates: GroupRates | undefined,
  { path, history }: DetailsView,
  frame: Frame,
): string[] {
  const width = Math.max(10, Math.min(kept, frame.columns - 34))
  const spark = (track: Track, most?: number) => drawSparkline(history.of(path, track), width, most)
  const known = (lines: [string, string | undefined][]) =>
    lines.flatMap(([name, text]) => (text === undefined ? [] : [`${label(name)}${text}`]))
  const cpuMax = typeof sample.cpuMax === 'number' ? sample.cpuMax : undefined
  const memoryMax = typeof sample.memoryMax === 'number' ? sample.memoryMax : undefined
  const devices = Object.entries(sample.io ?? {})
  return [
    `${label('cpu')}${pad(percent(rates?.cpus), 14)}${spark('cpu', cpuMax)}`,
    ...known([
      ['  user', rates && `${percent(rates.userCpus)}   system ${percent(rates.systemCpus)}`],
      ['  in all', duration(sample.cpuUsec)],
      ['  limit', cpuMax === undefined ? (sample.cpuMax === 'max' ? 'none' : undefined) : `${cpuMax} CPUs`],
      ['  throttled', sample.periods ? throttling(sample, rates) : undefined],
    ]),
    ...(sample.memory === undefined
      ? []
      : [
          `${label('memory')}${pad(shortSize(sample.memory), 14)}${spark('memory', memoryMax)}`,
          ...known([
            [
              '  limit',
              size(
                sample.memoryMax,
                memoryMax === undefined
                  ? ''
                  : `   ${drawBar(sample.memory / memoryMax, 20)} ${percent(sample.memory / memoryMax)}`,
              ),
            ],
            ['  peak', size(sample.memoryPeak)],
            ['  needed', size(sample.workingSet)],
            [
              '  anonymous',
              size(sample.anon, sample.file === undefined ? '' : `   file cache ${formatSize(sample.file)}`),
            ],
            [
              '  swap',
              size(
                sample.swap,
                sample.swapMax === undefined
                  ? ''
                  : `   limit ${sample.swapMax === 'max' ? 'none' : formatSize(sample.swapMax)}`,
              ),
            ],
            ['  slowed at', slowing(sample, rates)],
            ['  oom kills', sample.oomKills === undefined ? undefined : String(sample.oomKills)],
          ]),
        ]),
    ...(sample.pids === undefined
      ? []
      : [
          `${label('tasks')}${pad(`${sample.pids}${typeof sample.pidsMax === 'number' ? `/${sample.pidsMax}` : ''}`, 14)}${spark('pids')}`,
        ]),
    ...(sample.io === undefined
      ? []
      : [
          `${label('read')}${pad(`${shortSize(Math.round(rates?.readBytes ?? 0))}/s`, 14)}${spark('read')}`,
          `${label('written')}${pad(`${shortSize(Math.round(rates?.writtenBytes ?? 0))}/s`, 14)}${spark('written')}`,
          ...devices.map(
            ([device, io]) =>
              `${label(`  ${device}`)}read ${formatSize(io.readBytes)} (${io.reads})   written ${formatSize(io.writtenBytes)} (${io.writes})`,
          ),
        ]),
    ...pressureLines(sample, spark),
  ]
}

function throttling(sample: GroupSample, rates: GroupRates | undefined): string {
  return `${percent(rates?.throttled, 0)}   ${sample.throttledPeriods} of ${sample.periods} periods, ${duration(sample.throttledUsec) ?? '-'} in all`
}

function slowing({ memoryHigh, memoryHighEvents }: GroupSample, rates: GroupRates | undefined): string | undefined {
  if (typeof memoryHigh !== 'number' && !memoryHighEvents) return undefined
  const now = rates?.memoryHighEvents ? `, ${rates.memoryHighEvents} since the last sample` : ''
  return size(memoryHigh ?? 'max', `   memory.high, ${memoryHighEvents ?? 0} times${now}`)
}

function pressureLines(sample: GroupSample, spark: (track: Track, most?: number) => string): string[] {
  const rows: [string, Pressure | undefined, Track][] = [
    ['cpu', sample.cpuPressure, 'cpuStalled'],
    ['memory', sample.memoryPressure, 'memoryStalled'],
    ['io', sample.ioPressure, 'ioStalled'],
  ]
  return rows.flatMap(([name, pressure, track]) => {
    if (!pressure) return []
    const { some, full } = pressure
    const all = `some ${some.avg10}%${full ? `   full ${full.avg10}%` : ''}   ${duration(some.totalUsec)} in all`
    return [`${label(`stalled ${name}`)}${pad(`${some.avg10}%`, 14)}${spark(track)}`, `${label('')}${all}`]
  })
}

function duration(usec: number | undefined): string | undefined {
  return usec === undefined ? undefined : formatDuration(usec / 1000)
}

function size(bytes: Limit | undefined, more = ''): string | undefined {
  return bytes === undefined ? undefined : `${bytes === 'max' ? 'none' : formatSize(bytes)}${more}`
}
