// SPDX-License-Identifier: Apache-2.0
// The words for what limits of groups did: pure, from the kernel's figures, for verdicts of runs and for groups of anyone.
import { formatDuration, formatSize } from '../text/units.ts'

/** A label and its text: one line of evidence. */
export type EvidenceLine = [label: string, text: string]

/** Whose memory limit made the kernel kill. */
export interface OomLevel {
  whose: 'own' | 'below' | 'ancestor' | 'host'
  /** The ancestor, or the group below. */
  directory?: string
}

/** `1 process was`, `2 processes were`. */
export function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`
}

/** What happened, for a headline: `name` is who asked for memory. */
export function describeKills(kills: number, name: string, level: OomLevel | undefined): string {
  const who = kills > 0 ? count(kills, 'process was', 'processes were') : 'all of it was'
  return `${who} killed (OOM): ${describeCause(name, level)}`
}

function describeCause(name: string, level: OomLevel | undefined): string {
  if (level?.whose === 'host') return 'the host itself ran out'
  if (level?.whose === 'ancestor') return `a group above it is full: ${level.directory}`
  return `${level?.whose === 'below' ? level.directory : name} asked for more than memory.max allows`
}

/** Whose limit it was, as evidence. */
export function describeLevel({ whose, directory }: OomLevel): string {
  if (whose === 'own') return "this group's own (not an ancestor's, not the host's)"
  if (whose === 'host') return 'none: the host ran out of memory'
  return whose === 'below' ? `that of a group below it: ${directory}` : `an ancestor's: ${directory}`
}

/** memory.max with what came of it; `limit` as it stands in the file. */
export function memoryLine(
  limit: string | undefined,
  figures: { peak?: number | undefined; hits?: number | undefined; kills?: number | string | undefined },
): EvidenceLine {
  const { peak, hits, kills = 0 } = figures
  const parts = [
    limit === undefined ? 'no limit' : /^\d+$/.test(limit) ? formatSize(Number(limit)) : limit,
    peak !== undefined && `peak ${formatSize(peak)}`,
    limit !== undefined && hits !== undefined && `limit hit ${count(hits, 'time', 'times')}`,
    kills !== 0 && `oom_kill ${kills}`,
  ]
  return ['memory.max', parts.filter(Boolean).join('   ')]
}

/** What happened, for a headline: `name` is who wanted tasks. */
export function describeForks(denied: number, name: string): string {
  return `${count(denied, 'fork was', 'forks were')} refused: ${name} needs more tasks than pids.max allows`
}

/** pids.max with what came of it. */
export function pidsLine(
  limit: string,
  figures: { current?: number | undefined; peak?: number | undefined; denied?: number | string | undefined },
): EvidenceLine {
  const { current, peak, denied } = figures
  const parts = [
    limit,
    current !== undefined && `now ${current}`,
    peak !== undefined && `peak ${peak}`,
    denied !== undefined && `refused ${typeof denied === 'string' ? denied : count(denied, 'time', 'times')}`,
  ]
  return ['pids.max', parts.filter(Boolean).join('   ')]
}

/** What a CPU limit did. Microseconds. */
interface Throttling {
  periods: number
  throttledPeriods: number
  throttledUsec?: number | undefined
}

/** How much of its time a group was held back, in percent of its periods with work. */
export function throttledShare({ periods, throttledPeriods }: Throttling): number {
  return Math.round((100 * throttledPeriods) / periods)
}

/** cpu.max with what came of it. */
export function quotaLine(limit: string, throttling: Throttling): EvidenceLine {
  const { periods, throttledPeriods, throttledUsec } = throttling
  const waited = throttledUsec === undefined ? '' : `, ${formatDuration(throttledUsec / 1000)} in all`
  const share = throttledShare(throttling)
  return ['cpu.max', `${limit}   throttled in ${share} % of periods (${throttledPeriods} of ${periods})${waited}`]
}
