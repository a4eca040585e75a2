// SPDX-License-Identifier: Apache-2.0
// Parses a report that --report wrote. The file is untrusted. Pure.

import { fail } from '../errors/errors.ts'
import { JsonError, parseJson } from '../text/json.ts'
import { quote } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import { type Cause, type CauseKind, type CauseLimit, causeKinds, type SideEvent } from '../verdict/cause.ts'
import { count } from '../verdict/limit-words.ts'
import { measuringLimit, sizeText, spareMemory } from '../verdict/memory-need.ts'
import { isNode } from '../verdict/node-heap.ts'
import type { Reason, Result } from '../verdict/result.ts'
import type { WhyCause } from './explanation.ts'
import { explainThrottling } from './throttle.ts'

/** The fields of a report that `why` uses. */
export type Report = Pick<
  Result,
  'command' | 'exitCode' | 'signal' | 'signalFrom' | 'reason' | 'limits' | 'usage' | 'cgroup' | 'verdict'
> & { cause?: Cause }

/** A report as described in report.schema.json. */
export const knownReasons: Reason[] = [
  'not-found',
  'not-executable',
  'timeout',
  'cpu-time',
  'output',
  'aborted',
  'oom',
  'pids',
  'space',
  'signal',
  'exit',
]
const reasons = new Set<string>(knownReasons)

/** Parses a report from its text. @throws REPORT_INVALID */
export function parseReport(text: string, path: string): Report {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw fail('REPORT_INVALID', { path, why: `not JSON: ${error.message}` })
  }
  return checkReport(value, path)
}

/** Checks that a value is a report or a result of `run`. @throws REPORT_INVALID */
export function checkReport(value: unknown, path: string): Report {
  const check = (holds: boolean, what: string) => {
    if (!holds) throw fail('REPORT_INVALID', { path, why: `it has no ${what}` })
  }
  check(isObject(value), 'object')
  const report = value as Report
  const { command, reason, limits, usage, cgroup, verdict, exitCode, signal, cause } = report
  check(Array.isArray(command) && command.length > 0 && command.every(isText), 'command')
  check(isText(reason) && reasons.has(reason), 'reason')
  check(
    isObject(limits) && Object.values(limits).every((limit) => isText(limit) || typeof limit === 'number'),
    'limits',
  )
  check(isObject(usage) && Object.entries(usage).every(([key, figure]) => isFigure(key, figure)), 'usage')
  check(isObject(cgroup) && (cgroup.path === undefined || isText(cgroup.path)), 'cgroup')
  check(exitCode === null || typeof exitCode === 'number', 'exitCode')
  check(signal === null || isText(signal), 'signal')
  check(
    isObject(verdict) &&
      isText(verdict.headline) &&
      (verdict.remedy === undefined || isText(verdict.remedy)) &&
      Array.isArray(verdict.evidence) &&
      verdict.evidence.every((line) => Array.isArray(line) && line.length === 2 && line.every(isText)),
    'verdict',
  )
  check(cause === undefined || isCause(cause), 'cause')
  return report
}

/** Returns true if a value is a Cause. Checks every field that this file and words.ts use. */
export function isCause(value: unknown): value is Cause {
  if (!isObject(value)) return false
  const { kind, limit, end, sideEvents, victims, command } = value as Cause
  const known = (some: unknown) => isText(some) && (causeKinds as readonly string[]).includes(some)
  const isEvent = (event: SideEvent) => isObject(event) && known(event.kind) && isLimit(event.limit)
  return (
    known(kind) &&
    isText(command) &&
    isObject(end) &&
    isLimit(limit) &&
    Array.isArray(sideEvents) &&
    sideEvents.every(isEvent) &&
    (victims === undefined || Array.isArray(victims))
  )
}

const knownLevels: readonly unknown[] = [undefined, 'own', 'below', 'ancestor', 'host']

function isLimit(limit: CauseLimit | undefined): boolean {
  if (limit === undefined) return true
  const { file, value, group, level } = isObject(limit) ? limit : ({} as CauseLimit)
  const isValue = value === undefined || isText(value) || typeof value === 'number'
  return isText(file) && isValue && (group === undefined || isText(group)) && knownLevels.includes(level)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isFigure(key: string, figure: unknown): boolean {
  if (key === 'io' || key === 'pressure') return isObject(figure)
  return key === 'memoryPeakExact' || (typeof figure === 'number' && figure >= 0 && figure <= Number.MAX_SAFE_INTEGER)
}

/** Returns the causes that a report contains: that of its verdict, and the limits that slowed the job. */
export function reportCauses(report: Report, cpus: number): WhyCause[] {
  return [verdictCause(report), ...withinCauses(report), ...quotaCause(report, cpus)]
}

const limitOf: { [reason in Reason]?: string } = { oom: 'memory.max', pids: 'pids.max' }

const memoryKinds = ['oom', 'host-oom'] as const

/** Returns the group limit of the report's cause, or of one of its side events. */
function groupLimit({ cause }: Report, ...kinds: CauseKind[]): CauseLimit | undefined {
  if (!cause) return undefined
  return [cause, ...cause.sideEvents].find(({ kind }) => kinds.includes(kind))?.limit
}

function verdictCause(report: Report): WhyCause {
  const { command, reason, verdict, usage, signal, signalFrom } = report
  const { headline, evidence, remedy } = verdict
  const found =
    reason === 'oom' || reason === 'pids'
      ? groupLimit(report, ...(reason === 'oom' ? memoryKinds : (['fork-refused'] as const)))
      : undefined
  const level = found?.level
  const times = reason === 'oom' ? usage.oomKills : reason === 'pids' ? usage.pidsDenied : undefined
  const limit = level === 'host' ? undefined : limitOf[reason]
  const notKernel = reason === 'signal' && signal === 'SIGKILL' && signalFrom !== 'inside' && usage.oomKills === 0
  const heap = reason === 'signal' && signal === 'SIGABRT' && isNode(command)
  return {
    ...sureOf(report, level !== undefined),
    cause: reason === 'signal' && signalFrom === 'inside' ? 'fault' : reason,
    ...(limit && { limit }),
    ...(level && { whose: level }),
    ...(times !== undefined && { count: times }),
    headline,
    evidence: [
      ...evidence,
      ...(notKernel
        ? [
            ['not by', "the kernel for lack of memory: it counted no kill in the job's group (oom_kill 0)"] as [
              string,
              string,
            ],
          ]
        : []),
    ],
    ...(remedy !== undefined && { remedy }),
    ...(heap && { remedy: fullHeap }),
  }
}

const kinds: { [reason in Reason]: CauseKind } = {
  'not-found': 'exec-failed',
  'not-executable': 'exec-failed',
  timeout: 'timeout',
  'cpu-time': 'cpu-time',
  output: 'output',
  aborted: 'aborted',
  oom: 'oom',
  pids: 'fork-refused',
  space: 'space',
  signal: 'signal',
  exit: 'exited',
}

/** Returns how certain the report's cause is. A report of version 1 has a reason, but not whose limit it was. */
function sureOf(
  { cause, reason, exitCode, signal }: Report,
  isNamed: boolean,
): Pick<WhyCause, 'kind' | 'confidence' | 'end'> {
  if (cause) return { kind: cause.kind, confidence: cause.confidence, end: cause.end }
  const sure = isNamed || (reason !== 'oom' && reason !== 'pids')
  return { kind: kinds[reason], confidence: sure ? 'certain' : 'likely', end: { status: exitCode, signal } }
}

const fullHeap =
  'if it said "JavaScript heap out of memory", its heap was full before memory.max: raise --max-old-space-size=MiB, and set memory.max a third above that'

function isCount(figure: number | undefined): figure is number {
  return Number.isSafeInteger(figure) && figure! > 0
}

/**
 * Returns the events that the job survived. Also returns events that led to an end for which the report has another
 * reason, a timeout or an exit status.
 */
function withinCauses(report: Report): WhyCause[] {
  const { reason, command, limits, verdict } = report
  const { oomKills = 0, pidsDenied = 0 } = report.usage
  const name = nameOf(command)
  const [memory, pids] = [limits['memory.max'], limits['pids.max']]
  const level = verdict.evidence.filter(([label]) => label === 'whose limit')
  const whose = groupLimit(report, ...memoryKinds)?.level
  const kills: WhyCause = {
    kind: whose === 'host' ? 'host-oom' : 'oom',
    confidence: whose === undefined ? 'likely' : 'certain',
    cause: 'oom',
    ...(whose !== 'host' && { limit: 'memory.max' }),
    ...(whose && { whose }),
    count: oomKills,
    headline: `${count(oomKills, 'process was', 'processes were')} killed (OOM) in ${name}, which continued to run`,
    evidence: level,
    remedy:
      whose === 'host'
        ? 'free memory on this host, or limit other groups'
        : whose === 'own' && typeof memory === 'number'
          ? measureWords(memory)
          : 'raise the named limit, or run elsewhere with --parent',
  }
  const forks: WhyCause = {
    kind: 'fork-refused',
    confidence: 'certain',
    cause: 'pids',
    limit: 'pids.max',
    count: pidsDenied,
    headline: `${count(pidsDenied, 'fork was', 'forks were')} refused in ${name}, which continued to run`,
    evidence: [],
    remedy: `raise ${typeof pids === 'number' ? `it: --pids ${pids * 2}` : 'pids.max of the group above'}; processes and threads count`,
  }
  return [...(oomKills > 0 && reason !== 'oom' ? [kills] : []), ...(pidsDenied > 0 && reason !== 'pids' ? [forks] : [])]
}

function measureWords(limit: number): string {
  const enough = measuringLimit(limit, spareMemory())
  return enough === undefined
    ? `this host has no memory above ${formatSize(limit)}: check whether its memory grows without bound`
    : `measure how much it needs: run it once with --memory ${sizeText(enough)} --verbose`
}

function nameOf([command = '']: string[]): string {
  return quote(command.slice(command.lastIndexOf('/') + 1) || command)
}

function quotaCause({ command, limits, usage }: Report, cpus: number): WhyCause[] {
  const [quota, period] = String(limits['cpu.max'] ?? '')
    .split(' ')
    .map(Number)
  const { periods, throttledPeriods, throttledUsec, cpuUsec } = usage
  if (!isCount(quota) || !isCount(period) || !isCount(periods) || !throttledPeriods) return []
  if (throttledPeriods > periods) return []
  const facts = { quota, period, periods, throttledPeriods, throttledUsec, cpuUsec, cpus }
  return [
    {
      ...explainThrottling(nameOf(command), facts, {
        raise: (cpus) => `--cpus ${cpus}`,
        limit: (file, value) => `--limit ${value.includes(' ') ? `"${file}=${value}"` : `${file}=${value}`}`,
      }),
      whose: 'own',
    },
  ]
}
