// SPDX-License-Identifier: Apache-2.0
// The report of a run, as --report wrote it, looked at again. Pure. It comes from a file, so that nothing of it is taken on trust.
import { fail } from '../../errors.ts'
import { quote } from '../../quote.ts'
import type { Reason, Result } from '../result.ts'
import type { Cause } from './explanation.ts'
import { explainThrottling } from './throttle.ts'

/** What of a report matters here. */
export type Report = Pick<
  Result,
  'command' | 'exitCode' | 'signal' | 'signalFrom' | 'reason' | 'limits' | 'usage' | 'cgroup' | 'verdict'
>

const known: Reason[] = [
  'not-found',
  'not-executable',
  'timeout',
  'cpu-time',
  'output',
  'aborted',
  'oom',
  'pids',
  'signal',
  'exit',
]
const reasons = new Set<string>(known)

/** @throws REPORT_INVALID */
export function parseReport(text: string, path: string): Report {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw fail('REPORT_INVALID', { path, why: 'it is no JSON' })
  }
  return checkReport(value, path)
}

/** The same for a value, such as what `run` gave. @throws REPORT_INVALID */
export function checkReport(value: unknown, path: string): Report {
  const need = (holds: boolean, what: string) => {
    if (!holds) throw fail('REPORT_INVALID', { path, why: `it has no ${what}` })
  }
  need(isObject(value), 'object')
  const report = value as Report
  const { command, reason, limits, usage, cgroup, verdict, exitCode, signal } = report
  need(Array.isArray(command) && command.length > 0 && command.every(isText), 'command')
  need(isText(reason) && reasons.has(reason), 'reason')
  need(isObject(limits) && Object.values(limits).every((limit) => isText(limit) || typeof limit === 'number'), 'limits')
  need(isObject(usage) && Object.entries(usage).every(([key, figure]) => isFigure(key, figure)), 'usage')
  need(isObject(cgroup) && (cgroup.path === undefined || isText(cgroup.path)), 'cgroup')
  need(exitCode === null || typeof exitCode === 'number', 'exitCode')
  need(signal === null || isText(signal), 'signal')
  need(
    isObject(verdict) &&
      isText(verdict.headline) &&
      (verdict.remedy === undefined || isText(verdict.remedy)) &&
      Array.isArray(verdict.evidence) &&
      verdict.evidence.every((line) => Array.isArray(line) && line.length === 2 && line.every(isText)),
    'verdict',
  )
  return report
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isFigure(key: string, figure: unknown): boolean {
  if (key === 'io' || key === 'pressure') return isObject(figure)
  return key === 'memoryPeakExact' || (typeof figure === 'number' && figure >= 0)
}

/** What stopped it, as its verdict had it, and what held it back. */
export function reportCauses(report: Report, cpus: number): Cause[] {
  return [verdictCause(report), ...quotaCause(report, cpus)]
}

const levels = { this: 'own', an: 'ancestor', none: 'host' } as const
const limitOf: { [reason in Reason]?: string } = { oom: 'memory.max', pids: 'pids.max' }

function verdictCause({ reason, verdict, usage, signal, signalFrom }: Report): Cause {
  const { headline, evidence, remedy } = verdict
  const whose = /^whose limit (this|an|none)/.exec(
    evidence.map(([label, text]) => `${label} ${text}`).find((line) => line.startsWith('whose limit ')) ?? '',
  )?.[1]
  const level = whose === undefined ? undefined : levels[whose as keyof typeof levels]
  const times = reason === 'oom' ? usage.oomKills : reason === 'pids' ? usage.pidsDenied : undefined
  const limit = level === 'host' ? undefined : limitOf[reason]
  const notKernel = reason === 'signal' && signal === 'SIGKILL' && signalFrom !== 'inside' && usage.oomKills === 0
  return {
    cause: reason === 'signal' && signalFrom === 'inside' ? 'fault' : reason,
    ...(limit && { limit }),
    ...(level && { whose: level }),
    ...(times !== undefined && { count: times }),
    headline,
    evidence: [
      ...evidence,
      ...(notKernel
        ? [
            ['not by', "the kernel for want of memory: it counted no kill in the job's group (oom_kill 0)"] as [
              string,
              string,
            ],
          ]
        : []),
    ],
    ...(remedy !== undefined && { remedy }),
  }
}

function quotaCause({ command, limits, usage }: Report, cpus: number): Cause[] {
  const [quota, period] = String(limits['cpu.max'] ?? '')
    .split(' ')
    .map(Number)
  const { periods, throttledPeriods, throttledUsec, cpuUsec } = usage
  if (!quota || !period || !periods || !throttledPeriods) return []
  const name = quote(command[0]!.slice(command[0]!.lastIndexOf('/') + 1) || command[0])
  const facts = { quota, period, periods, throttledPeriods, throttledUsec, cpuUsec, cpus }
  return [{ ...explainThrottling(name, facts, '--cpus '), whose: 'own' }]
}
