// SPDX-License-Identifier: Apache-2.0
// Observes a group that runs, or reads what a report or a recording has of one. Reads cgroup files and files of hutch.

import type { GroupPaths } from '../cgroup/group-paths.ts'
import { readStats } from '../cgroup/group-stats.ts'
import { fail } from '../errors/errors.ts'
import type { GroupSample } from '../monitor/sample.ts'
import { availableParallelism } from '../system/machine.ts'
import type { Report } from '../why/report.ts'
import type { ObservedUse, Resources } from './advice.ts'
import { cpuNeedOf } from './cpu-need.ts'
import { openUseReader, type UseSample } from './use-sample.ts'

const pauseMs = 50

/** Observes a group for a time in milliseconds, or until the signal aborts. */
export async function watchGroup(
  group: GroupPaths,
  duration: number,
  slowdown: number,
  signal: AbortSignal,
  onSample: (at: number) => void,
): Promise<ObservedUse> {
  const reader = openUseReader([...new Set(Object.values(group.directories))])
  const samples: UseSample[] = []
  const begun = performance.now()
  try {
    for (let at = 0; at < duration && !signal.aborted; at = performance.now() - begun) {
      const sample = reader.read(at)
      if (!sample) break
      samples.push(sample)
      onSample(at)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  } finally {
    reader.close()
  }
  const [stats] = readStats([group])
  const most = (of: (sample: UseSample) => number) => samples.reduce((max, sample) => Math.max(max, of(sample)), 0)
  return {
    peak: Math.max(
      most(({ memory }) => memory),
      stats?.memory?.peak ?? 0,
    ),
    working: most(({ working }) => working),
    cpu: cpuNeedOf(samples, slowdown, availableParallelism()),
    pids: stats?.pids?.peak ?? stats?.pids?.current,
    killed: (stats?.memory?.oomKills ?? 0) > 0,
    samples: samples.length,
  }
}

/** Returns what a report of `hutch run` shows. */
export function observeReport({ usage, reason }: Report, durationMs: number): ObservedUse {
  const { memoryPeak, cpuUsec, pidsPeak, oomKills = 0 } = usage
  const mean = cpuUsec === undefined || durationMs <= 0 ? undefined : cpuUsec / 1000 / durationMs
  return {
    peak: memoryPeak,
    ...(mean !== undefined && { cpu: { mean, peak: mean, need: mean, times: [], waited: 0 } }),
    pids: pidsPeak,
    killed: oomKills > 0 || reason === 'oom',
    samples: 1,
  }
}

/** Returns the limits that a report or a group has today. */
export function limitsOf(limits: { readonly [file: string]: unknown }): Resources {
  const [quota, period] = String(limits['cpu.max'] ?? '')
    .split(' ')
    .map(Number)
  const number = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined)
  const memoryLimit = number(limits['memory.max'])
  const pidsLimit = number(limits['pids.max'])
  return {
    ...(memoryLimit !== undefined && { memoryLimit, memoryRequest: memoryLimit }),
    ...(quota && period && { milliLimit: (quota / period) * 1000, milliRequest: (quota / period) * 1000 }),
    ...(pidsLimit !== undefined && { pidsLimit }),
  }
}

/** Returns what recorded samples of one group show. Their times are milliseconds. */
export function observeHistory(
  history: readonly { time: number; sample: GroupSample }[],
  slowdown: number,
): ObservedUse {
  const [first] = history
  if (!first) throw fail('OPTION_INVALID', { name: '--from', value: '', accepted: 'a recording that has this group' })
  const samples = history.map(
    ({ time, sample }): UseSample => ({
      at: time - first.time,
      memory: sample.memory ?? 0,
      kept: sample.workingSet ?? sample.memory ?? 0,
      working: sample.workingSet ?? sample.memory ?? 0,
      cpuUsec: sample.cpuUsec ?? 0,
      someWaitUsec: 0,
      fullWaitUsec: 0,
      stalledUsec: 0,
    }),
  )
  const most = (of: (sample: GroupSample) => number | undefined) =>
    history.reduce((max, { sample }) => Math.max(max, of(sample) ?? 0), 0)
  return {
    peak: Math.max(
      most(({ memory }) => memory),
      most(({ memoryPeak }) => memoryPeak),
    ),
    working: most(({ workingSet, memory }) => workingSet ?? memory),
    cpu: cpuNeedOf(samples, slowdown, availableParallelism()),
    pids: most(({ pids }) => pids),
    killed: most(({ oomKills }) => oomKills) > 0,
    samples: samples.length,
  }
}
