// SPDX-License-Identifier: Apache-2.0
// Draws the details of a group in hutch top, with graphs of its figures. Pure.
import type { Text } from '../../cgroup/controllers/figure.ts'
import {
  type FigureOf,
  figures,
  limitOf,
  type NamedFigure,
  rateRows,
  resourceOf,
} from '../../cgroup/controllers/figures.ts'
import { withName } from '../../monitor/container-name.ts'
import type { GroupRates } from '../../monitor/rates.ts'
import { type GroupSample, isFrozen } from '../../monitor/sample.ts'
import { paint } from '../../text/paint.ts'
import { escapeUnsafe } from '../../text/quote.ts'
import { pad, shortenPath } from '../../text/terminal-text.ts'
import { formatDuration, formatSize, type Limit } from '../../text/units.ts'
import { columns, drawBar, percent, shareOf, shortSize } from './columns.ts'
import type { Frame } from './frame.ts'
import { drawSparkline, type History, maxTopSamples, type TrackName } from './history.ts'
import type { TopRow } from './rows.ts'

interface DetailsView {
  path: string
  sample: GroupSample | undefined
  rates: GroupRates | undefined
  history: History
  /** The name that the container engine gave to the group's container. */
  container?: string | undefined
}

export const detailsHelp = 'esc back  ? help  q quit  ↑↓ scroll  f freeze  k kill  l limit'

/** Returns all lines of a group's details; the first is its name. */
export function drawDetails(view: DetailsView, frame: Frame): string[] {
  const { path, sample, rates } = view
  const name = withName(path, view.container)
  const title = `${escapeUnsafe(name)}${sample === undefined ? '  (gone)' : isFrozen(sample) ? '  (frozen)' : ''}`
  const body = sample === undefined ? [] : describe(sample, rates, view, frame)
  const first = pad(shortenPath(title, frame.columns), frame.columns)
  return [paint('bold', first, frame.color), ...['', ...body].map((line) => pad(line, frame.columns))]
}

/** Figures with a section of their own. */
const sections = figures.filter((figure) => figure.section !== undefined)

const label = (name: string) => pad(name, 16)

function describe(
  sample: GroupSample,
  rates: GroupRates | undefined,
  { path, history }: DetailsView,
  frame: Frame,
): string[] {
  const width = Math.max(10, Math.min(maxTopSamples, frame.columns - 34))
  const spark = (track: TrackName, max?: number) => drawSparkline(history.of(path, track), width, max)
  const known = (lines: [string, string | undefined][]) =>
    lines.flatMap(([name, text]) => (text === undefined ? [] : [`${label(name)}${text}`]))
  const section = (title: string, now: string, track: string, limit: number | undefined) =>
    `${label(title)}${pad(now, 14)}${spark(track, limit)}`
  const number = (limit: Limit | undefined) => (typeof limit === 'number' ? limit : undefined)
  const devices = Object.entries(sample.io ?? {})
  return [
    section('cpu', percent(rates?.cpus), 'cpu', number(sample.cpuMax)),
    ...known([
      ['  user', rates && `${percent(rates.userCpus)}   system ${percent(rates.systemCpus)}`],
      ...figureLines('cpu', sample),
      ['  throttled', sample.periods ? throttling(sample, rates) : undefined],
    ]),
    ...sections.flatMap((figure) => {
      if (sample[figure.name] === undefined) return []
      const { name, text } = figure.columns![0]!
      // the text can contain the limit already
      const limited = text !== 'of-limit'
      return [
        section(
          figure.section!,
          columns[name]!.text({ sample } as TopRow),
          figure.track!,
          limited ? number(sample[limitOf(figure)!.name]) : undefined,
        ),
        ...known([
          ['  limit', limited ? limitLine(sample, figure) : undefined],
          ...figureLines(resourceOf(figure), sample),
          ['  slowed at', resourceOf(figure) === 'memory' ? slowing(sample, rates) : undefined],
        ]),
      ]
    }),
    ...(sample.io === undefined
      ? []
      : [
          ...rateRows.flatMap(({ name, track, figure }) =>
            track !== undefined && figure.kind === 'devices'
              ? [section(track, `${shortSize(Math.round(rates?.[name] ?? 0))}/s`, track, undefined)]
              : [],
          ),
          ...devices.map(
            ([device, io]) =>
              `${label(`  ${device}`)}read ${formatSize(io.readBytes)} (${io.reads})   written ${formatSize(io.writtenBytes)} (${io.writes})`,
          ),
        ]),
    ...pressureLines(sample, spark),
  ]
}

/** Returns the lines for the figures of a controller, from the table of figures. */
function figureLines(controller: string | undefined, sample: GroupSample): [string, string | undefined][] {
  return figures.flatMap((figure): [string, string | undefined][] => {
    const { name, detail } = figure
    if (!detail || resourceOf(figure) !== controller) return []
    const value = sample[name as FigureOf<'count' | 'limit'>]
    return [[`  ${detail.label}`, value === undefined ? undefined : detailTexts[detail.text]!(value)]]
  })
}

const detailTexts: { [text in Text]?: (value: Limit) => string } = {
  size: (bytes) => size(bytes)!,
  count: String,
  duration: (usec) => duration(Number(usec))!,
  cpus: (cpus) => (cpus === 'max' ? 'none' : `${cpus} CPUs`),
}

function limitLine(sample: GroupSample, figure: NamedFigure): string | undefined {
  const share = shareOf(sample, figure)
  return size(sample[limitOf(figure)!.name], share === undefined ? '' : `   ${drawBar(share, 20)} ${percent(share)}`)
}

function throttling(sample: GroupSample, rates: GroupRates | undefined): string {
  return `${percent(rates?.throttled, 0)}   ${sample.throttledPeriods} of ${sample.periods} periods, ${duration(sample.throttledUsec) ?? '-'} in all`
}

function slowing({ memoryHigh, memoryHighEvents }: GroupSample, rates: GroupRates | undefined): string | undefined {
  if (typeof memoryHigh !== 'number' && !memoryHighEvents) return undefined
  const now = rates?.memoryHighEvents ? `, ${rates.memoryHighEvents} since the last sample` : ''
  return size(memoryHigh ?? 'max', `   memory.high, ${memoryHighEvents ?? 0} times${now}`)
}

function pressureLines(sample: GroupSample, spark: (track: TrackName, max?: number) => string): string[] {
  return rateRows.flatMap(({ by, track, figure }) => {
    const pressure = by === 'time' ? sample[figure.name as FigureOf<'stalls'>] : undefined
    if (!pressure) return []
    const { some, full } = pressure
    const all = `some ${some.avg10}%${full ? `   full ${full.avg10}%` : ''}   ${duration(some.totalUsec)} in all`
    return [
      `${label(`stalled ${resourceOf(figure)}`)}${pad(`${some.avg10}%`, 14)}${spark(track!)}`,
      `${label('')}${all}`,
    ]
  })
}

function duration(usec: number | undefined): string | undefined {
  return usec === undefined ? undefined : formatDuration(usec / 1000)
}

function size(bytes: Limit | undefined, more = ''): string | undefined {
  return bytes === undefined ? undefined : `${bytes === 'max' ? 'none' : formatSize(bytes)}${more}`
}
