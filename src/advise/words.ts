// SPDX-License-Identifier: Apache-2.0
// Describes the advice in words and in a chart for terminals. Pure.
import { paint } from '../text/paint.ts'
import { escapeUnsafe } from '../text/quote.ts'
import { formatDuration, formatSize } from '../text/units.ts'
import type { Advice, RunLine } from './advice.ts'
import type { TrialOutcome } from './trial.ts'

/** A line of the report: a label and a text. */
export type AdviceLine = [label: string, text: string]

const percent = (share: number) => `${Number((share * 100).toFixed(share < 0.1 ? 1 : 0))} %`
const cpus = (value: number) => value.toFixed(value < 0.1 ? 3 : value < 10 ? 2 : 1)

/** Words for the end of a run. */
export const outcomeWords: { readonly [outcome in TrialOutcome]: string } = {
  passed: 'passed',
  oom: 'killed: out of memory',
  slow: 'too slow',
  throttled: 'too slow: throttled',
  failed: 'failed',
  stopped: 'stopped',
}

/** Returns the headline: what the command needs. */
export function adviceHeadline({ command, memory, cpu }: Advice): string {
  const what = escapeUnsafe(command.join(' '))
  const name = what.length > 60 ? `${what.slice(0, 57)}...` : what
  const parts = [
    ...(memory ? [`${formatSize(memory.need)} of memory`] : []),
    ...(cpu && cpu.need > 0 ? [`${cpus(cpu.need)} CPUs`] : []),
  ]
  return parts.length === 0 ? `${name}: no need was found` : `${name} needs ${parts.join(' and ')}`
}

function memoryLines({ memory, resources, source }: Advice): AdviceLine[] {
  if (!memory) return []
  const { need, failed, failure, peak, reclaimable, margin, marginReason } = memory
  const below =
    failed === undefined ? '' : `; ${formatSize(failed)} was too little (${outcomeWords[failure ?? 'failed']})`
  const reasons = {
    spread: 'runs differ by that much',
    least: 'runs hardly differ',
    slow: 'times near the need vary',
    small: 'smaller steps are not tried',
    peak: 'this is the peak and a little more',
    single: source === 'runs' ? 'one run shows no differences' : 'nothing was tried under a limit',
  }
  const limit = resources.memoryLimit!
  return [
    ['memory', `${formatSize(need)} ${source === 'runs' ? 'was enough' : 'was in use'}${below}`],
    [
      'peak',
      `${formatSize(peak)} ${source === 'runs' ? 'without a limit' : 'at most'}, of which the kernel can reclaim ${formatSize(reclaimable)}`,
    ],
    [
      'limit',
      `${formatSize(limit)}: a margin of ${marginReason === 'small' ? formatSize(limit - need) : percent(margin)}, because ${reasons[marginReason]}`,
    ],
    ['request', `${formatSize(resources.memoryRequest!)}: memory cannot be throttled, so request what you limit`],
    [
      'headroom',
      `${formatSize(limit - need)} above the need; ${formatSize(Math.abs(peak - limit))} ${peak > limit ? 'below' : 'above'} the peak`,
    ],
  ]
}

function cpuLines({ cpu, resources }: Advice): AdviceLine[] {
  if (!cpu || cpu.mean === 0) return []
  const { milliRequest, milliLimit } = resources
  const limit =
    milliLimit === undefined
      ? 'no limit: it can use all CPUs of this host'
      : `limit ${milliLimit / 1000}, if you need one`
  return [
    ['cpu', `${cpus(cpu.mean)} CPUs on average, ${cpus(cpu.peak)} in the busiest period`],
    ['cpu request', `${milliRequest! / 1000}; ${limit}`],
  ]
}

function otherLines({ pids, io, resources }: Advice): AdviceLine[] {
  return [
    ...(pids ? [['tasks', `${pids.peak} at most; limit ${resources.pidsLimit}`] as AdviceLine] : []),
    ...(io && io.readBytes + io.writtenBytes > 0
      ? [
          [
            'I/O',
            `read ${formatSize(io.readBytes)} (${formatSize(io.readRate)}/s), wrote ${formatSize(io.writtenBytes)} (${formatSize(io.writtenRate)}/s)`,
          ] as AdviceLine,
        ]
      : []),
  ]
}

function sureLine({ sure, source, memory }: Advice): AdviceLine[] {
  const { runs, measured, memorySpread, timeSpread, confirmed, stopped, waited } = sure
  if (source !== 'runs')
    return [
      [
        'how sure',
        `${runs} ${runs === 1 ? 'sample' : 'samples'} of one run: a limit was not tried; measure with \`hutch advise -- COMMAND\``,
      ],
    ]
  const spread =
    measured < 2 ? '' : `; memory differed by ${percent(memorySpread)} and time by ${percent(timeSpread)} between runs`
  const tried = confirmed
    ? '; it passed at the advised limits'
    : memory
      ? '; it was not tried at the advised limits'
      : ''
  return [
    ['how sure', `${runs} ${runs === 1 ? 'run' : 'runs'}${spread}${tried}${stopped ? '; you stopped it early' : ''}`],
    ...(waited > 0.2
      ? [
          [
            'busy host',
            `tasks waited for a CPU ${percent(waited)} of the time: CPU figures and times vary`,
          ] as AdviceLine,
        ]
      : []),
  ]
}

/** Returns the lines of the report. */
export function adviceLines(advice: Advice): AdviceLine[] {
  return [...memoryLines(advice), ...cpuLines(advice), ...otherLines(advice), ...sureLine(advice)]
}

const barWidth = 30

function bar(value: number, most: number): string {
  const eighths = Math.round((most === 0 ? 0 : value / most) * barWidth * 8)
  const rest = ' ▏▎▍▌▋▊▉'[eighths % 8]!
  return `${'█'.repeat(Math.floor(eighths / 8))}${rest === ' ' ? '' : rest}`
}

/** Draws the run time against memory, then against CPUs. Limits that failed have their outcome in place of a bar. */
export function drawCharts({ runs, cpu }: Advice, color: boolean): string {
  const times = new Map<number, RunLine[]>()
  for (const run of runs) {
    if (run.outcome === 'stopped') continue
    const key = run.memoryLimit ?? run.memoryHigh ?? Number.POSITIVE_INFINITY
    times.set(key, [...(times.get(key) ?? []), run])
  }
  const rows = [...times].sort(([a], [b]) => a - b)
  const passed = (lines: RunLine[]) => lines.every(({ outcome }) => outcome === 'passed')
  const mean = (lines: RunLine[]) => lines.reduce((sum, { durationMs }) => sum + durationMs, 0) / lines.length
  const most = Math.max(...rows.map(([, lines]) => (passed(lines) ? mean(lines) : 0)), 1)
  const memory = rows.map(([limit, lines]) => {
    const label = (Number.isFinite(limit) ? formatSize(limit) : 'no limit').padStart(10)
    const failure = lines.find(({ outcome }) => outcome !== 'passed')
    if (failure) return `  ${label}  ${paint('red', `× ${outcomeWords[failure.outcome]}`, color)}`
    return `  ${label}  ${paint('green', bar(mean(lines), most), color)} ${formatDuration(mean(lines))}`
  })
  const slowest = Math.max(...(cpu?.times.map(({ ms }) => ms) ?? []), 1)
  const byCpus = (cpu?.times ?? []).map(
    ({ cpus: limit, ms }) => `  ${`${cpus(limit)} CPUs`.padStart(10)}  ${bar(ms, slowest)} ${formatDuration(ms)}`,
  )
  return [
    ...(memory.length === 0 ? [] : ['run time by memory limit', ...memory]),
    ...(byCpus.length === 0 || cpu!.need === 0 ? [] : ['run time by CPU limit (computed)', ...byCpus]),
  ]
    .map((line) => `${line}\n`)
    .join('')
}
