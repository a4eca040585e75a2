// SPDX-License-Identifier: Apache-2.0
// Explains the effect of cpu.max on a group in numbers. Pure.
import type { CpuLevel } from '../cgroup/ancestors.ts'
import { quote } from '../text/quote.ts'
import { formatDuration } from '../text/units.ts'
import { cpuNeed, type Throttled } from '../verdict/cpu-need.ts'
import { type EvidenceLine, quotaLine, throttledShare } from '../verdict/limit-words.ts'
import type { WhyCause } from './explanation.ts'
import { raise } from './raise-command.ts'

/** The facts about a group and its cpu.max. Times are in microseconds. */
interface QuotaFacts extends Throttled {
  /** Current number of processes and threads in the group. */
  tasks?: number | undefined
  /** Number of CPUs of the host. */
  cpus: number
}

/** Returns a cause for each level whose cpu.max throttled the group: first the group itself, then its ancestors. */
export function throttleCauses(name: string, levels: readonly CpuLevel[], cpus: number, tasks?: number): WhyCause[] {
  return levels.flatMap((level, i): WhyCause[] => {
    const { path, quota, period, periods, throttledPeriods, throttledUsec, cpuUsec } = level
    if (quota === undefined || period === undefined || throttledPeriods === 0 || periods === 0) return []
    const facts = {
      quota,
      period,
      periods,
      throttledPeriods,
      throttledUsec,
      cpuUsec,
      cpus,
      tasks: i === 0 ? tasks : undefined,
    }
    return [
      {
        ...explainThrottling(i === 0 ? name : `${name}, in ${quote(path)},`, facts, {
          raise: (more) => raise(path, 'cpu.max', `${Math.round(more * period)} ${period}`),
          limit: (file, value) => raise(path, file, value),
        }),
        whose: i === 0 ? 'own' : 'ancestor',
        group: path,
      },
    ]
  })
}

/** Functions that make commands: one that allows a number of CPUs, and one that sets a kernel file. */
interface CpuWords {
  raise: (cpus: number) => string
  limit: (file: string, value: string) => string
}

/**
 * Explains what cpu.max did, and what helps: more CPUs or, if the group works in bursts, a longer period or saved quota
 * (cpu.max.burst).
 */
export function explainThrottling(name: string, facts: QuotaFacts, set: CpuWords): WhyCause {
  const { quota, period, throttledPeriods } = facts
  const { used, held, cpus, bursts, longer } = cpuNeed(facts)
  const fits = Math.floor(quota / period)
  const fewer =
    fits >= 1 ? `; or let no more than ${fits === 1 ? 'one thread' : `${fits} threads`} compute at once` : ''
  return {
    kind: 'throttled',
    confidence: 'certain',
    cause: 'throttled',
    limit: 'cpu.max',
    count: throttledPeriods,
    headline: `${name} was throttled by cpu.max in ${throttledShare(facts)} % of the periods in which it had work`,
    evidence: [
      quotaLine(`${quota} ${period}`, facts),
      ['allowed', `${decimals(quota / period)} CPUs: ${ms(quota)} of each ${ms(period)}, all its tasks together`],
      ...taskLine(facts),
      ...(used === undefined || held === undefined
        ? []
        : [
            [
              'wanted',
              `about ${decimals(used + held)} CPUs while it had work: ${decimals(used)} used, ${decimals(held)} held back`,
            ] as EvidenceLine,
          ]),
      ...(bursts
        ? [
            [
              'bursts',
              `its average use is below the limit: it needs more than ${ms(quota)} in some of its periods, and less in others`,
            ] as EvidenceLine,
          ]
        : []),
    ],
    remedy: bursts
      ? `let it save quota for bursts: ${set.limit('cpu.max.burst', String(quota))}; or use a longer period instead of the current limit: ${set.limit('cpu.max', `${longer.quota} ${longer.period}`)}; or raise it: ${set.raise(cpus)}`
      : `raise it: ${set.raise(cpus)}${fewer}`,
  }
}

/** Returns a line about tasks that run in parallel: they use up the quota early, and then wait for the rest of the period. */
function taskLine({ quota, period, tasks, cpus }: QuotaFacts): EvidenceLine[] {
  const together = Math.min(tasks ?? 0, cpus)
  if (together < 1 || together * period <= quota) return []
  const used = quota / together
  const who = together === 1 ? 'one task that computes uses' : `${together} tasks that compute at once use`
  return [
    [
      'arithmetic',
      `${who} that up after ${ms(used)}, then ${together === 1 ? 'waits' : 'all wait'} ${ms(period - used)}`,
    ],
  ]
}

function decimals(cpus: number): string {
  return cpus.toFixed(2)
}

function ms(usec: number): string {
  return usec < 10_000 ? `${(usec / 1000).toFixed(1)} ms` : formatDuration(usec / 1000)
}
