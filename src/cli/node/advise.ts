// SPDX-License-Identifier: Apache-2.0
// hutch advise: measures what a command needs, and prints requests and limits, their cost, and manifests.
import { type Advice, adviseObserved, adviseRuns, type Resources } from '../../advise/advice.ts'
import { type CostReport, costLines, makeCost } from '../../advise/cost-report.ts'
import { type MachineType, parseMachines } from '../../advise/machines.ts'
import { type MeasureOptions, measureNeed } from '../../advise/measure-need.ts'
import { containerName, outputs } from '../../advise/outputs.ts'
import { type Prices, parsePriceFile, parsePrices } from '../../advise/prices.ts'
import { limitsOf, observeHistory, observeReport, watchGroup } from '../../advise/watch-group.ts'
import { adviceHeadline, adviceLines, drawCharts } from '../../advise/words.ts'
import { openGroup, readFileText, readFileValue } from '../../cgroup/group.ts'
import { fail, HutchError, quote } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { findGroups, openRecording } from '../../monitor/recording/recording.ts'
import { commandLineNames } from '../../options/names.ts'
import { parseOptions } from '../../options/options.ts'
import { availableParallelism } from '../../system/machine.ts'
import { errnoName } from '../../system/native.ts'
import { showProgress, writeStderr } from '../../system/stderr.ts'
import { print } from '../../system/stdout.ts'
import { readTextFile } from '../../system/text-file.ts'
import { ensureScope } from '../../systemd/own-scope.ts'
import { paint } from '../../text/paint.ts'
import { milliOf, parseQuantity, wholeOf } from '../../text/quantity.ts'
import { formatJson } from '../../text/quote.ts'
import { formatDuration, formatSize } from '../../text/units.ts'
import { type AdvicePage, formatAdvicePage } from '../../ui/advice/document.ts'
import { formatLines, wantsColor } from '../../verdict/format-result.ts'
import { parseReport } from '../../why/report.ts'
import type { Command } from '../command.ts'
import type { FlagTable, Parsed } from '../flags.ts'
import { longTime, readTime } from '../polling.ts'
import { openReport } from '../report.ts'
import { parseReady } from './ready.ts'

/** The page of src/ui/advice/page/ as text; build.js inserts it here. */
declare const ADVICE_PAGE: AdvicePage

const maxFileBytes = 16 << 20

const flags: FlagTable = {
  runs: { value: 'N', help: 'Number of runs without limits.', default: '3', common: true },
  slowdown: {
    value: 'PERCENT',
    help: 'How much longer a run may take because of its limits.',
    default: '5%',
    common: true,
  },
  duration: {
    value: 'TIME',
    help: 'The command is a server: how long each run lasts at most. With --watch: how long to watch.',
    common: true,
  },
  load: {
    value: 'COMMAND',
    help: 'With --duration: shell command that uses the server. The run ends with it.',
    common: true,
  },
  ready: {
    value: 'URL|FILE|PORT',
    help: 'With --duration: wait for an answer, a file with a slash in its path, or a port.',
  },
  from: {
    value: 'FILE',
    help: 'Use a report of `hutch run`, or a recording of `hutch record` with the group as operand.',
    complete: 'file',
  },
  watch: { value: 'GROUP', help: 'Watch a group that runs, until --duration (60s) or Ctrl-C.' },
  json: { help: 'Print the advice as JSON.', common: true },
  html: { value: 'FILE', help: 'Write a page with the charts.', complete: 'file', common: true },
  output: {
    value: 'FORM',
    help: 'Print the advice for one consumer in place of the report.',
    complete: Object.keys(outputs),
    common: true,
  },
  image: { value: 'IMAGE', help: 'With --output: image of the container.', default: 'IMAGE' },
  name: {
    value: 'NAME',
    help: 'With --output: name of the container, service or unit.',
    default: "the command's name",
  },
  cost: {
    value: 'PRICES|FILE',
    help: 'Add the cost: vcpu=0.04,gib=0.005/h, or a JSON file with vcpu and gib.',
    complete: 'file',
  },
  today: { value: 'SIZE', help: 'With --cost: what is reserved today, such as cpu=2,memory=4Gi.' },
  replicas: { value: 'N', help: 'Number of replicas, for --cost and --nodes.', default: '1' },
  nodes: {
    value: 'FILE',
    help: 'Add the cheapest machines for the replicas: a JSON list of machine types.',
    complete: 'file',
  },
}

export const command: Command = {
  words: '[--] COMMAND [ARG…]',
  otherUsages: ['[OPTIONS] --watch GROUP', '[OPTIONS] --from FILE [GROUP]'],
  details: [
    'Runs the command about six times: first without limits, then under limits near its need, at last at the advised limit.',
    'The command must be repeatable. Its output is discarded; the errors of the first run are shown.',
    'Ctrl-C ends the measurement and prints what is known.',
    `Forms of --output: ${Object.keys(outputs).join(', ')}.`,
  ].join('\n'),
  flags,
  runsCommand: true,
  examples: [
    ['hutch advise -- make -j4', 'find out what a build needs'],
    [
      "hutch advise --duration 60s --ready 8080 --load 'ab -n 9999 http://127.0.0.1:8080/' -- node server.js",
      'a server under load',
    ],
    ['hutch advise --output kubernetes --image registry/app:1 -- ./app', 'get a Deployment'],
  ],
  main,
}

async function main({ values, rest }: Parsed): Promise<number> {
  const settings = readSettings(values, rest)
  // opened before the command runs, so that the command cannot redirect the write
  const writePage = values.html && openReport(values.html.at(-1)!, '--html')
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, onSignal)
  try {
    const { advice, today } = await findAdvice(values, rest, settings, stop.signal)
    showProgress('')
    const { prices, machines, replicas } = settings
    const cost =
      prices || machines
        ? makeCost({ resources: advice.resources, today: settings.today ?? today, prices, machines, replicas })
        : undefined
    report(advice, cost, values, settings)
    if (writePage) writePage(formatAdvicePage(ADVICE_PAGE, { advice, ...(cost && { cost }) }))
    return advice.sure.stopped ? 130 : 0
  } finally {
    showProgress('')
    for (const signal of signals) process.off(signal, onSignal)
  }
}

interface Settings {
  runs: number
  slowdown: number
  duration?: number
  replicas: number
  prices?: Prices
  machines?: MachineType[]
  today?: Resources
  output?: string
  name?: string
}

/** Checks all options before the first run. @throws OPTION_INVALID, OPTION_CONFLICT, COMMAND_MISSING */
function readSettings(values: Parsed['values'], rest: readonly string[]): Settings {
  const last = (name: string) => values[name]?.at(-1)
  const [from, watch, output, cost, nodes, today] = ['from', 'watch', 'output', 'cost', 'nodes', 'today'].map(last)
  if (from === undefined && watch === undefined && rest.length === 0)
    throw fail('COMMAND_MISSING', { usage: 'hutch advise [OPTIONS] -- COMMAND [ARG…]' })
  if (watch !== undefined && (from !== undefined || rest.length > 0))
    throw fail('OPTION_CONFLICT', {
      name: '--watch',
      why: 'a command or --from is given, too',
      remedy: 'omit one of them',
    })
  for (const name of ['load', 'ready'])
    if (values[name] && !values.duration)
      throw fail('OPTION_CONFLICT', { name: `--${name}`, why: 'it applies only to servers', remedy: 'add --duration' })
  if (output !== undefined && !Object.hasOwn(outputs, output))
    throw fail('OPTION_INVALID', { name: '--output', value: output, accepted: Object.keys(outputs).join(', ') })
  const duration = readTime(values, 'duration', longTime)
  const name = last('name')
  if (name !== undefined && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw fail('OPTION_INVALID', {
      name: '--name',
      value: name,
      accepted: 'lower-case letters, digits and -, 63 at most',
    })
  return {
    runs: readNumber(last('runs') ?? '3', '--runs', 1, 1000),
    slowdown: readPercent(last('slowdown') ?? '5%'),
    ...(duration !== undefined && { duration }),
    replicas: readNumber(last('replicas') ?? '1', '--replicas', 1, 1_000_000),
    ...(cost !== undefined && {
      prices: cost.includes('=') ? parsePrices(cost) : parsePriceFile(readInput(cost, '--cost'), cost),
    }),
    ...(nodes !== undefined && { machines: parseMachines(readInput(nodes, '--nodes'), nodes) }),
    ...(today !== undefined && { today: readToday(today) }),
    ...(output !== undefined && { output }),
    ...(name !== undefined && { name }),
  }
}

function readNumber(text: string, name: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw fail('OPTION_INVALID', { name, value: text, accepted: `a whole number from ${least} to ${most}` })
}

function readPercent(text: string): number {
  const [, number] = /^(\d{1,4}(?:\.\d+)?)%?$/.exec(text) ?? []
  if (number !== undefined && Number(number) <= 1000) return Number(number) / 100
  throw fail('OPTION_INVALID', { name: '--slowdown', value: text, accepted: 'a percentage such as 5%' })
}

function readToday(text: string): Resources {
  const parts = Object.fromEntries(text.split(',').map((part) => part.split('=', 2)))
  const [cpu, memory] = [parts.cpu, parts.memory].map((part) => (part === undefined ? undefined : parseQuantity(part)))
  const isKnown = Object.keys(parts).every((key) => key === 'cpu' || key === 'memory')
  const isGiven = (part: unknown, amount: bigint | undefined) =>
    part === undefined || (amount !== undefined && amount >= 0n)
  if (!isKnown || !isGiven(parts.cpu, cpu) || !isGiven(parts.memory, memory))
    throw fail('OPTION_INVALID', { name: '--today', value: text, accepted: 'a size such as cpu=2,memory=4Gi' })
  return {
    ...(cpu !== undefined && { milliRequest: milliOf(cpu) }),
    ...(memory !== undefined && { memoryRequest: wholeOf(memory) }),
  }
}

function readInput(path: string, name: string): string {
  try {
    return readTextFile(path, maxFileBytes)
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException
    throw fail(
      'FILE_REFUSED',
      {
        what: `read the file of ${name}`,
        path,
        errno: errno === undefined ? 'EIO' : errnoName(errno),
        remedy: `give ${name} a file that exists and can be read`,
      },
      error,
    )
  }
}

/** The advice, and the limits of today if the source has them. */
interface Found {
  advice: Advice
  today?: Resources
}

async function findAdvice(
  values: Parsed['values'],
  rest: readonly string[],
  settings: Settings,
  signal: AbortSignal,
): Promise<Found> {
  const [from, watch] = [values.from?.at(-1), values.watch?.at(-1)]
  if (from !== undefined) return fromFile(from, rest[0], settings)
  if (watch !== undefined) return fromGroup(watch, settings, signal)
  await ensureScope(parseOptions('true', [], { limits: { memory: 'max' } }, 'cli'), commandLineNames)
  const [load, ready] = [values.load?.at(-1), values.ready?.at(-1)]
  const { duration } = settings
  const server = duration !== undefined && {
    duration,
    ...(load !== undefined && { load }),
    ...(ready !== undefined && { isReady: parseReady(ready) }),
  }
  const options: MeasureOptions = {
    ...settings,
    layout: readHost().layout,
    swaps: /^SwapTotal:\s+[1-9]/m.test(readTextFile('/proc/meminfo', 1 << 20)),
    signal,
    onRun: (purpose, limits, number, left, expectedMs) => {
      const limit = limits.memory ?? limits.memoryHigh
      const what = purpose === 'measure' ? 'without limits' : `with ${formatSize(limit!)}`
      const time = expectedMs === 0 ? '' : `, about ${formatDuration(expectedMs * left)} left`
      showProgress(`hutch: run ${number} ${what}${time}; Ctrl-C prints what is known`)
    },
  }
  const measured = await measureNeed({ argv: rest, ...(server && { server }) }, options)
  return { advice: adviseRuns(rest, measured, availableParallelism()) }
}

async function fromGroup(name: string, { duration = 60_000, slowdown }: Settings, signal: AbortSignal): Promise<Found> {
  const group = openGroup(name)
  const observed = await watchGroup(group, duration, slowdown, signal, (at) =>
    showProgress(`hutch: watching ${group.path}, ${formatDuration(duration - at)} left; Ctrl-C prints what is known`),
  )
  const limits = Object.fromEntries(
    ['memory.max', 'pids.max'].map((file) => [file, readLimit(() => readFileValue(group, file))]),
  )
  const today = limitsOf({ ...limits, 'cpu.max': readLimit(() => readFileText(group, 'cpu.max')) })
  return { advice: adviseObserved([group.path], 'group', observed, availableParallelism()), today }
}

/** Returns undefined for a limit that this host or this group does not have. */
function readLimit(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (HutchError.is(error)) return undefined
    throw error
  }
}

async function fromFile(path: string, name: string | undefined, { slowdown }: Settings): Promise<Found> {
  const cpus = availableParallelism()
  const text = readInput(path, '--from')
  if (text.trimStart().startsWith('{')) {
    const report = parseReport(text, path)
    const { durationMs = 0 } = report as { durationMs?: number }
    const observed = observeReport(report, durationMs)
    return { advice: adviseObserved(report.command, 'report', observed, cpus), today: limitsOf(report.limits) }
  }
  const recording = await openRecording(path)
  try {
    const [group, other] = name === undefined ? [] : findGroups(recording, name)
    if (group === undefined || other !== undefined)
      throw fail('OPTION_INVALID', {
        name: 'the group of --from',
        value: name ?? '',
        why: other === undefined ? 'the recording has no such group' : `${group} and ${other} have this name`,
        accepted: 'the path of a recorded group; `hutch replay --list` prints them',
      })
    const history = recording.history(group, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
    return { advice: adviseObserved([group], 'recording', observeHistory(history, slowdown), cpus) }
  } finally {
    recording.close()
  }
}

function report(advice: Advice, cost: CostReport | undefined, values: Parsed['values'], settings: Settings): void {
  if (settings.output !== undefined) {
    const { name = containerName(advice.command), replicas } = settings
    const image = values.image?.at(-1) ?? 'IMAGE'
    print(outputs[settings.output]!({ resources: advice.resources, command: advice.command, name, image, replicas }))
    return
  }
  if (values.json) {
    print(`${formatJson({ ...advice, ...(cost && { cost }) }, 2)}\n`)
    return
  }
  const color = wantsColor(process.stdout)
  const lines = [...adviceLines(advice), ...(cost ? costLines(cost) : [])]
  print(`${paint('bold', adviceHeadline(advice), color)}\n${formatLines(lines, color)}${drawCharts(advice, color)}`)
  if (advice.sure.stopped)
    writeStderr(`hutch: stopped; the advice for ${quote(advice.command[0])} is from the runs so far\n`)
}
