// SPDX-License-Identifier: Apache-2.0
// Explains how long the tasks of a group waited for a CPU: because of its cpuset, or because the host's CPUs were busy.
// Pure.
import type { Ancestors } from '../cgroup/ancestors.ts'
import { availableParallelism } from '../system/machine.ts'
import { quote } from '../text/quote.ts'
import type { Facts } from '../verdict/decide.ts'
import { count } from '../verdict/limit-words.ts'
import type { WhyCause } from './explanation.ts'
import { raise } from './raise-command.ts'

type Waits = Pick<Ancestors, 'pressure' | 'cpuset'>

/** The averages in a pressure file, with words for their time spans. */
const windows = { avg10: '10 s', avg60: '60 s', avg300: '5 minutes' }

/** Returns the highest average share of time in which at least one task waited for a CPU, and the time span of that average. */
function longestWait({ pressure }: Waits): { percent: number; window: string } {
  const shares = Object.entries(windows).map(([key, window]) => ({
    percent: Math.round(Number(new RegExp(`^some .*${key}=([\\d.]+)`, 'm').exec(pressure.cpu ?? '')?.[1] ?? 0)),
    window,
  }))
  return shares.reduce((most, one) => (one.percent > most.percent ? one : most))
}

/** Returns the nearest cpuset, if it has fewer CPUs than the host. */
function narrowCpuset({ cpuset }: Waits, hostCpus: number): Ancestors['cpuset'] {
  return cpuset && cpuset.count > 0 && cpuset.count < hostCpus ? cpuset : undefined
}

/** Computes the figures about waiting for a CPU. */
export function cpuFacts(ancestors: Waits, hostCpus = availableParallelism()): Partial<Facts> {
  const { percent } = longestWait(ancestors)
  return { cpuStallPercent: percent, cpusetDemandPercent: narrowCpuset(ancestors, hostCpus) ? percent : 0 }
}

/**
 * Explains the waiting. If a group has more tasks than CPUs, its tasks wait for each other. On a busy host, they also
 * wait for tasks of other groups.
 */
export function cpuStallCauses(name: string, ancestors: Waits, hostCpus = availableParallelism()): WhyCause[] {
  const { percent, window } = longestWait(ancestors)
  const set = narrowCpuset(ancestors, hostCpus)
  const waited = `at least one task of ${name} waited for a CPU in ${percent} % of the last ${window}`
  const common = { kind: 'slowed', confidence: 'likely', cause: 'slowed' } as const
  if (!set)
    return [
      {
        ...common,
        wouldTell: 'the load of the host and the threads of this group: hutch top',
        limit: 'cpu.pressure',
        headline: waited,
        evidence: [['CPUs', `${hostCpus} on this host, and no limit of its own`]],
        remedy: `run no more threads than CPUs (${hostCpus}), and check what else computes: hutch top`,
      },
    ]
  return [
    {
      ...common,
      wouldTell: 'the load of these CPUs and the threads of this group: hutch top',
      limit: 'cpuset.cpus',
      whose: set.own ? 'own' : 'ancestor',
      group: set.path,
      headline: `${waited}: cpuset.cpus${set.own ? '' : ` of ${quote(set.path)}`} allows ${set.count} of ${hostCpus} CPUs`,
      evidence: [['cpuset.cpus', `${set.cpus}   ${count(set.count, 'CPU allowed', 'CPUs allowed')}`]],
      remedy: `allow more CPUs: ${raise(set.path, 'cpuset.cpus', `0-${hostCpus - 1}`)}; or run no more than ${count(set.count, 'thread', 'threads')}`,
    },
  ]
}
