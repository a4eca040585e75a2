// SPDX-License-Identifier: Apache-2.0
// Formats a result as a meta file of isolate: one key and value in each line (isolate(1), META-FILES). Unknown values
// are left out. Pure.
import { systemConstants } from '../system/constants.ts'
import type { Result } from './result.ts'

/** Returns the meta file's text for a result. */
export function formatMeta(result: Result): string {
  const { usage, judge, reason, signal } = result
  // isolate has no status for too much output, so report such a job as killed, even if it ended before hutch could kill it
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

/** Returns the meta file's text for a job that hutch could not run. */
export function formatMetaOfFailure(message: string): string {
  return `status:XX\nmessage:${oneLine(message)}\n`
}

function statusOf(judge: Result['judge'], signal: number | undefined): string | undefined {
  if (judge === 'OK') return undefined
  if (judge === 'TLE') return 'TO'
  if (judge === 'internal') return 'XX'
  return signal === undefined ? 'RE' : 'SG'
}

/** Returns the message that isolate itself has for this end. If it has none, returns hutch's headline. */
function messageOf({ judge, reason, exitCode, verdict }: Result, signal: number | undefined): string | undefined {
  if (judge === 'OK') return undefined
  if (judge === 'TLE') return reason === 'timeout' ? 'Time limit exceeded (wall clock)' : 'Time limit exceeded'
  if (reason === 'output') return 'Output limit exceeded'
  if (judge === 'internal') return oneLine(verdict.headline)
  return signal === undefined ? `Exited with error status ${exitCode}` : `Caught fatal signal ${signal}`
}

/** Returns true if hutch stopped the job. Returns false if the kernel or the job itself ended it. */
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
