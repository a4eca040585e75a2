// SPDX-License-Identifier: Apache-2.0
// hutch advise: measures what a command needs, and prints requests and limits, their cost, and manifests.
import { type Advice, adviseObserved, adviseRuns, type Resources } from '../../advise/advice.ts'
import { type CostReport, costLines, makeCost } from '../../advise/cost-report.ts'
import { type MeasureOptions, measureNeed } from '../../advise/measure-need.ts'
import { containerName, outputs } from '../../advise/outputs.ts'
import { limitsOf, observeHistory, observeReport, watchGroup } from '../../advise/watch-group.ts'
import { adviceHeadline, adviceLines, drawCharts } from '../../advise/words.ts'
import { openGroup, readFileText, readFileValue } from '../../cgroup/group.ts'
import { fail, HutchError, quote } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { findGroups, openRecording } from '../../monitor/recording/recording.ts'
import { commandLineNames } from '../../options/names.ts'
import { parseOptions } from '../../options/options.ts'
import { availableParallelism } from '../../system/machine.ts'
import { showProgress, writeStderr } from '../../system/stderr.ts'
import { print } from '../../system/stdout.ts'
import { readTextFile } from '../../system/text-file.ts'
import { ensureScope } from '../../systemd/own-scope.ts'
import { paint } from '../../text/paint.ts'
import { formatJson } from '../../text/quote.ts'
import { formatDuration, formatSize } from '../../text/units.ts'
import { type AdvicePage, formatAdvicePage } from '../../ui/advice/document.ts'
import { formatLines, wantsColor } from '../../verdict/format-result.ts'
import { parseReport } from '../../why/report.ts'
import type { Command } from '../command.ts'
import type { FlagTable, Parsed } from '../flags.ts'
import { openReport } from '../report.ts'
import { readInput, readSettings, type Settings } from './advise-settings.ts'

/** The page of src/ui/advice/page/ as text; build.js inserts it here. */
declare const ADVICE_PAGE: AdvicePage

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
  replicas: { value: 'N', help: 'Number of replicas, for --cost, --nodes and --output.', default: '1' },
  nodes: {
    value: 'FILE',
    help: 'Add the cheapest machines for the replicas: a JSON list of machine types.',
    complete: 'file',
  },
  beside: {
    value: 'SIZE',
    help: 'With --nodes: other pods on these machines, such as cpu=500m,memory=1Gi,replicas=20. May be repeated.',
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

/** Signals that end the measurement, and the exit statuses. */
const statuses = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

async function main({ values, rest }: Parsed): Promise<number> {
  const settings = readSettings(values, rest)
  // opened before the command runs, so that the command cannot redirect the write
  const writePage = values.html && openReport(values.html.at(-1)!, '--html')
  const stop = new AbortController()
  const onSignal = (signal: keyof typeof statuses) => stop.abort(signal)
  const signals = Object.keys(statuses) as (keyof typeof statuses)[]
  for (const signal of signals) process.on(signal, onSignal)
  try {
    const { advice, today } = await findAdvice(values, rest, settings, stop.signal)
    showProgress('')
    const { prices, machines } = settings
    const cost =
      prices || machines
        ? makeCost({ ...settings, resources: advice.resources, today: settings.today ?? today })
        : undefined
    report(advice, cost, values, settings)
    if (writePage) writePage(formatAdvicePage(ADVICE_PAGE, { advice, ...(cost && { cost }) }))
    return advice.sure.stopped ? statuses[stop.signal.reason as keyof typeof statuses] : 0
  } finally {
    showProgress('')
    for (const signal of signals) process.off(signal, onSignal)
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
  const load = values.load?.at(-1)
  const { duration, isReady } = settings
  const server = duration !== undefined && {
    duration,
    ...(load !== undefined && { load }),
    ...(isReady && { isReady }),
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
  return { advice: adviseRuns(rest, measured) }
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
    if (name !== undefined) throw fail('ARGUMENT_UNEXPECTED', { argument: name, usage: 'hutch advise --from REPORT' })
    const report = parseReport(text, path)
    const { durationMs = 0 } = report as { durationMs?: number }
    const observed = observeReport(report, durationMs)
    return { advice: adviseObserved(report.command, 'report', observed, cpus), today: limitsOf(report.limits) }
  }
  const recording = await openRecording(path)
  try {
    const [group, other] = name === undefined ? [] : findGroups(recording, name)
    const why = name === undefined ? 'a recording has more than one group' : 'the recording has no such group'
    if (group === undefined || other !== undefined)
      throw fail('OPTION_INVALID', {
        name: 'the group of --from',
        value: name ?? '',
        why: other === undefined ? why : `${group} and ${other} have this name`,
        accepted: 'the path of a recorded group; `hutch replay --list` prints them',
      })
    const history = recording.history(group, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
    return { advice: adviseObserved([group], 'recording', observeHistory(history, slowdown), cpus) }
  } finally {
    recording.close()
  }
}

/** Prints the advice in the requested form. If the caller stopped before anything was known, only a report says so. */
function report(advice: Advice, cost: CostReport | undefined, values: Parsed['values'], settings: Settings): void {
  if (advice.sure.stopped)
    writeStderr(`hutch: stopped; the advice for ${quote(advice.command[0])} is from the runs so far\n`)
  if (settings.output !== undefined) {
    if (Object.keys(advice.resources).length === 0) return
    const { name = containerName(advice.command), replicas } = settings
    const image = values.image?.at(-1) ?? 'IMAGE'
    // a group has a path in place of a command
    const command = advice.source === 'runs' || advice.source === 'report' ? advice.command : []
    print(outputs[settings.output]!({ resources: advice.resources, command, name, image, replicas }))
    return
  }
  if (values.json) {
    print(`${formatJson({ ...advice, ...(cost && { cost }) }, 2)}\n`)
    return
  }
  const color = wantsColor(process.stdout)
  const lines = [...adviceLines(advice), ...(cost ? costLines(cost) : [])]
  print(`${paint('bold', adviceHeadline(advice), color)}\n${formatLines(lines, color)}${drawCharts(advice, color)}`)
}
