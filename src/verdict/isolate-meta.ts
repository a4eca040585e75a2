// SPDX-License-Identifier: Apache-2.0
// Formats a result as isolate's meta file: one key and value per line (isolate(1), META-FILES). An unknown value has no line. Pure.
import { systemConstants } from '../system/constants.ts'
import type { Result } from './result.ts'

/** Returns the text of the meta file. */
export function formatMeta(result: Result): string {
  const { usage, judge, reason, signal } = result
  // isolate has no status for excess output, so a job that ended before hutch killed it is reported in the same way
  const tooMuch = reason === 'output'
  const exitCode = tooMuch ? null : result.exitCode
  const number = tooMuch ? systemConstants.signals.SIGKILL : signal === null ? undefined : numberOf(signal)
  const untold = judge === 'internal' || judge === 'TLE'
  const lines: [key: string, value: string | number | undefined][] = [
    ['time', usage.cpuUsec === undefined ? undefined : seconds(usage.cpuUsec / 1000)],
    ['time-wall', seconds(result.durationMs)],
    ['max-rss', kilobytes(usage.maxRss)],
    ['csw-voluntary', usage.voluntarySwitches],
    ['csw-forced', usage.forcedSwitches],
    ['cg-mem', kilobytes(usage.memoryPeak)],
    ['cg-oom-killed', (usage.oomKills ?? 0) > 0 || reason === 'oom' ? 1 : undefined],
    ['exitcode', untold || exitCode === null ? undefined : exitCode],
    ['exitsig', untold ? undefined : number],
    ['killed', wasStopped(result) ? 1 : undefined],
    ['status', statusOf(judge, number)],
    ['message', messageOf(result, number)],
  ]
  return lines.flatMap(([key, value]) => (value === undefined ? [] : [`${key}:${value}\n`])).join('')
}

/** Returns the meta file of a run that hutch could not do. */
export function formatMetaOfFailure(message: string): string {
  return `status:XX\nmessage:${oneLine(message)}\n`
}

function statusOf(judge: Result['judge'], signal: number | undefined): string | undefined {
  if (judge === 'OK') return undefined
  if (judge === 'TLE') return 'TO'
  if (judge === 'internal') return 'XX'
  return signal === undefined ? 'RE' : 'SG'
}

/** Returns isolate's own message if isolate has one for this end, otherwise hutch's headline. */
function messageOf({ judge, reason, exitCode, verdict }: Result, signal: number | undefined): string | undefined {
  if (judge === 'OK') return undefined
  if (judge === 'TLE') return reason === 'timeout' ? 'Time limit exceeded (wall clock)' : 'Time limit exceeded'
  if (reason === 'output') return 'Output limit exceeded'
  if (judge === 'internal') return oneLine(verdict.headline)
  return signal === undefined ? `Exited with error status ${exitCode}` : `Caught fatal signal ${signal}`
}

/** Returns true if hutch stopped the job, not the kernel or the job itself. */
function wasStopped({ reason, events }: Result): boolean {
  if (reason === 'output') return true
  return (reason === 'timeout' || reason === 'cpu-time' || reason === 'aborted') && events.some(isStop)
}

function isStop({ kind }: Result['events'][number]): boolean {
  return kind === 'stop' || kind === 'kill'
}

function numberOf(signal: string): number | undefined {
  const number =
    (systemConstants.signals as { [name: string]: number })[signal] ?? Number(/^signal (\d+)$/.exec(signal)?.[1])
  return Number.isInteger(number) ? number : undefined
}

function seconds(ms: number): string {
  return (Math.round(ms) / 1000).toFixed(3)
}

function kilobytes(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : Math.ceil(bytes / 1024)
}

function oneLine(text: string): string {
  return text.split('\n', 1)[0]!
}
