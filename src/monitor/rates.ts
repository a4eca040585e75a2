// SPDX-License-Identifier: Apache-2.0
// Computes rates between two samples, in units a second; pure.
import type { GroupSample, Pressure, Snapshot } from './sample.ts'

/** Rates of one group between two samples. A figure that one sample lacks, or a restarted counter, is undefined. */
export interface GroupRates {
  /** CPUs in use: 1.5 is one and a half. */
  cpus: number | undefined
  userCpus: number | undefined
  systemCpus: number | undefined
  /** Share of quota periods in which it was throttled: 0 to 1. */
  throttled: number | undefined
  readBytes: number | undefined
  writtenBytes: number | undefined
  /** Operations. */
  reads: number | undefined
  writes: number | undefined
  /** Total number of processes killed by the OOM killer. */
  oomKills: number | undefined
  /** Total number of times it was throttled for memory.high. */
  memoryHighEvents: number | undefined
  /** Share of the time in which at least one task waited: 0 to 1. */
  cpuStalled: number | undefined
  memoryStalled: number | undefined
  ioStalled: number | undefined
}

/** Returns the rates of each group that is in both samples. */
export function rates(before: Snapshot, after: Snapshot): Map<string, GroupRates> {
  const seconds = (after.time - before.time) / 1000
  const found = new Map<string, GroupRates>()
  if (seconds <= 0) return found
  for (const [path, now] of after.groups) {
    const then = before.groups.get(path)
    if (then) found.set(path, rateOf(then, now, seconds))
  }
  return found
}

/** Returns the rates of one group between two samples, given the seconds between them. */
export function rateOf(then: GroupSample, now: GroupSample, seconds: number): GroupRates {
  const perSecond = (key: keyof GroupSample, unit = 1) => scale(difference(then[key], now[key]), seconds * unit)
  const io = (key: 'readBytes' | 'writtenBytes' | 'reads' | 'writes') =>
    scale(difference(sumIo(then, key), sumIo(now, key)), seconds)
  const stalled = (a: Pressure | undefined, b: Pressure | undefined) => {
    const share = scale(difference(a?.some.totalUsec, b?.some.totalUsec), seconds * 1e6)
    return share === undefined ? undefined : Math.min(1, share)
  }
  const periods = difference(then.periods, now.periods)
  const stopped = difference(then.throttledPeriods, now.throttledPeriods)
  return {
    cpus: perSecond('cpuUsec', 1e6),
    userCpus: perSecond('userUsec', 1e6),
    systemCpus: perSecond('systemUsec', 1e6),
    throttled: periods === undefined || stopped === undefined ? undefined : periods === 0 ? 0 : stopped / periods,
    readBytes: io('readBytes'),
    writtenBytes: io('writtenBytes'),
    reads: io('reads'),
    writes: io('writes'),
    oomKills: difference(then.oomKills, now.oomKills),
    memoryHighEvents: difference(then.memoryHighEvents, now.memoryHighEvents),
    cpuStalled: stalled(then.cpuPressure, now.cpuPressure),
    memoryStalled: stalled(then.memoryPressure, now.memoryPressure),
    ioStalled: stalled(then.ioPressure, now.ioPressure),
  }
}

/** A counter that decreased belongs to another group of the same name. */
function difference(then: unknown, now: unknown): number | undefined {
  return typeof then === 'number' && typeof now === 'number' && now >= then ? now - then : undefined
}

function scale(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : value / by
}

/** Sums over all devices. A device appears with its first operation. */
export function sumIo({ io }: GroupSample, key: 'readBytes' | 'writtenBytes' | 'reads' | 'writes'): number | undefined {
  if (io === undefined) return undefined
  let sum = 0
  for (const device of Object.values(io)) sum += device[key]
  return sum
}
