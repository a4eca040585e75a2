// SPDX-License-Identifier: Apache-2.0
// hutch stats: prints a table of what groups use, in the form of docker stats, and redraws it every second.
import type { CellOf } from '../cgroup/controllers/figure.ts'
import { type FigureOf, figures, limitOf, type NamedFigure, rateRows } from '../cgroup/controllers/figures.ts'
import { readHost } from '../host/host.ts'
import { type ContainerNames, withName } from '../monitor/container-name.ts'
import { findGroup, readDockerNames } from '../monitor/docker-name.ts'
import { type GroupRates, rates, sumDevices } from '../monitor/rates.ts'
import { type GroupSample, isEmpty, type Snapshot } from '../monitor/sample.ts'
import { openSampler } from '../monitor/sampler.ts'
import { totalmem } from '../system/machine.ts'
import { printOn } from '../system/stdout.ts'
import { escapeUnsafe, formatJson } from '../text/quote.ts'
import { cut, formatTable, widthOfOutput } from '../text/terminal-text.ts'
import { formatSize } from '../text/units.ts'
import type { Command } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'
import { intervalFlag, pauses, readInterval } from './polling.ts'

const flags: FlagTable = {
  all: { short: 'a', help: 'Include groups without processes.' },
  interval: intervalFlag,
  'no-stream': { help: 'Print one table and end.' },
  'no-trunc': { help: 'Print whole paths, also where lines become wider than the terminal.' },
  json: { help: 'Print each sample as one line of JSON: the time, and each group with figures and rates.' },
}

export const command: Command = {
  words: '[GROUP…]',
  details:
    'Without GROUP: all groups that have processes. GROUP is a path, a name, or, as root, the name of a Docker container.',
  flags,
  examples: [
    ['hutch stats', 'watch all groups'],
    ['hutch stats --no-stream /system.slice', 'print one table'],
  ],
  main,
}

async function main({ values, rest: names }: Parsed): Promise<number> {
  const interval = readInterval(values)
  const host = readHost()
  const called = readDockerNames()
  const wanted = names.length === 0 ? undefined : names.map((name) => findGroup(host, name, called))
  const all = values.all !== undefined
  const again = values['no-stream'] === undefined && process.stdout.isTTY === true && process.env.TERM !== 'dumb'
  const survey = openSampler(host)
  const pause = pauses(interval)
  try {
    let before = survey.sample()
    do {
      if (!(await pause.next())) return 0
      const after = survey.sample()
      const shown = select(after, wanted, all)
      const rate = rates(before, after)
      const text = values.json
        ? `${formatJson(makeJson(after, shown, rate, called))}\n`
        : draw(shown, rate, again, called, values['no-trunc'] !== undefined)
      if (!(await printOn(text, pause.isOver))) return 0
      before = after
      if (wanted && shown.every(([, sample]) => sample === undefined)) return 0
    } while (values['no-stream'] === undefined)
    return 0
  } finally {
    pause.end()
    survey.close()
  }
}

export type ShownGroups = [path: string, sample: GroupSample | undefined][]

/**
 * Returns the groups to print: the named ones in the given order, even if they were removed. Without names, all groups except the root, or
 * only those with processes.
 */
function select({ groups }: Snapshot, wanted: string[] | undefined, all: boolean): ShownGroups {
  if (wanted) return wanted.map((path) => [path, groups.get(path)])
  return [...groups].filter(([path, sample]) => path !== '/' && (all || !isEmpty(sample)))
}

/** Returns one sample as a line of JSON, for `--json`. */
export function makeJson(
  { time }: Snapshot,
  shown: ShownGroups,
  rate: Map<string, GroupRates>,
  called?: ContainerNames,
) {
  const groups = shown.flatMap(([path, sample]) =>
    sample === undefined ? [] : [{ path, container: called?.(path), ...sample, rates: rate.get(path) }],
  )
  return { time: new Date(time).toISOString(), groups }
}

type Cell = (sample: GroupSample | undefined, rates: GroupRates | undefined) => string

/** Columns after the group's name, from the table of figures, in the layout of docker stats. */
const cells: readonly (CellOf & { read: Cell })[] = [
  ...figures.flatMap((figure) => (figure.cells ?? []).map((cell) => ({ ...cell, read: figureCell(figure, cell) }))),
  ...rateRows.flatMap(({ name, cell }) =>
    cell ? [{ ...cell, read: (_: unknown, rates: GroupRates | undefined) => percent(rates?.[name]) }] : [],
  ),
].sort((a, b) => a.order - b.order)

const header = ['GROUP', ...cells.map(({ title }) => title)]

/** Prints a table. On a terminal, the table replaces the previous one. */
function draw(
  shown: ShownGroups,
  rate: Map<string, GroupRates>,
  again: boolean,
  called: ContainerNames,
  whole: boolean,
): string {
  const lines = statsTable(shown, rate, called, whole)
  const maxLines = again ? (process.stdout.rows || 24) - 1 : lines.length
  const more = lines.length > maxLines ? [`… and ${lines.length - maxLines + 1} more`] : []
  const end = again ? '\x1b[K\n' : '\n'
  const text = [...lines.slice(0, maxLines - more.length), ...more].map((line) => `${line}${end}`).join('')
  return again ? `\x1b[?2026h\x1b[H${text}\x1b[J\x1b[?2026l` : text
}

/** Width in columns of a table that is not printed to a terminal. It prevents one deep group from widening all lines. */
const widthElsewhere = 120

/** Returns the lines of a table, cut to the terminal's width. With `whole`, neither paths nor lines are shortened. */
export function statsTable(
  shown: ShownGroups,
  rate: Map<string, GroupRates>,
  called?: ContainerNames,
  whole = false,
): string[] {
  const rows = shown.map(([path, sample]) => [
    escapeUnsafe(withName(path, called?.(path))),
    ...cells.map(({ read }) => read(sample, rate.get(path))),
  ])
  const width = whole ? undefined : (widthOfOutput() ?? widthElsewhere)
  return formatTable([header, ...rows], { names: 0, width }).map((line) =>
    width === undefined ? line : cut(line, width),
  )
}

const percent = (share: number | undefined) => (share === undefined ? '--' : `${(share * 100).toFixed(2)}%`)
const size = (bytes: number | undefined) => (bytes === undefined ? '--' : formatSize(bytes))

function figureCell(figure: NamedFigure, { text }: CellOf): Cell {
  const name = figure.name as FigureOf<'count'>
  const used = (sample: GroupSample | undefined) => sample?.[name] ?? sample?.[figure.otherwise as typeof name]
  // without a memory limit, show the memory of the machine, as docker stats does
  const maximumOf = (sample: GroupSample | undefined) => {
    const limit = sample?.[limitOf(figure)!.name]
    return limit === 'max' ? totalmem() : limit
  }
  switch (text) {
    case 'use-of-limit':
      return (sample) => `${size(used(sample))} / ${size(maximumOf(sample))}`
    case 'share-of-limit':
      return (sample) => {
        const [part, all] = [used(sample), maximumOf(sample)]
        return percent(part === undefined || all === undefined ? undefined : part / all)
      }
    case 'read-written':
      return (sample) =>
        (['readBytes', 'writtenBytes'] as const).map((key) => size(sumDevices(sample?.[name], key))).join(' / ')
    case 'percent':
      return (sample) => percent(used(sample))
    case 'size':
      return (sample) => size(used(sample))
    case 'count':
      return (sample) => String(used(sample) ?? '--')
  }
}
