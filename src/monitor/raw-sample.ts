// SPDX-License-Identifier: Apache-2.0
// What the files of a group said last, and the figures that they make: pure.
import type { GroupSample } from './sample.ts'

/** What the files said last; what one version has under another name is put together in `makeSample`. */
export interface Draft extends GroupSample {
  inactiveFile: number | undefined
  /** By v1's freezer, which a hybrid host has beside the other. */
  frozenLegacy: boolean | undefined
  /** v1: nanoseconds; the v2 tree counts for all that are in it. */
  cpuacct: number | undefined
  cpuacctUser: number | undefined
  cpuacctSystem: number | undefined
  /** v1's files that are small or seldom change, as they are. */
  texts: { [file: string]: string | undefined } | undefined
}

export function emptyDraft(): Draft {
  return {
    populated: undefined,
    frozen: undefined,
    cpuUsec: undefined,
    userUsec: undefined,
    systemUsec: undefined,
    periods: undefined,
    throttledPeriods: undefined,
    throttledUsec: undefined,
    cpuMax: undefined,
    memory: undefined,
    memoryMax: undefined,
    memoryHigh: undefined,
    memoryHighEvents: undefined,
    memoryPeak: undefined,
    workingSet: undefined,
    anon: undefined,
    file: undefined,
    swap: undefined,
    swapMax: undefined,
    oomKills: undefined,
    pids: undefined,
    pidsMax: undefined,
    pidsRefused: undefined,
    io: undefined,
    cpuPressure: undefined,
    memoryPressure: undefined,
    ioPressure: undefined,
    inactiveFile: undefined,
    frozenLegacy: undefined,
    cpuacct: undefined,
    cpuacctUser: undefined,
    cpuacctSystem: undefined,
    texts: undefined,
  }
}

/** The figures as they stand now. */
export function makeSample(draft: Draft): GroupSample {
  const { memory, inactiveFile, populated, pids } = draft
  return {
    // on a hybrid host its processes may be in v1's hierarchies alone
    populated: pids === undefined ? populated : pids > 0 || populated === true,
    frozen: draft.frozenLegacy ? true : (draft.frozen ?? draft.frozenLegacy),
    cpuUsec: draft.cpuUsec ?? toUsec(draft.cpuacct),
    userUsec: draft.userUsec ?? toUsec(draft.cpuacctUser),
    systemUsec: draft.systemUsec ?? toUsec(draft.cpuacctSystem),
    periods: draft.periods,
    throttledPeriods: draft.throttledPeriods,
    throttledUsec: draft.throttledUsec,
    cpuMax: draft.cpuMax,
    memory,
    memoryMax: draft.memoryMax,
    memoryHigh: draft.memoryHigh,
    memoryHighEvents: draft.memoryHighEvents,
    memoryPeak: draft.memoryPeak,
    workingSet: memory === undefined || inactiveFile === undefined ? undefined : Math.max(0, memory - inactiveFile),
    anon: draft.anon,
    file: draft.file,
    swap: draft.swap,
    swapMax: draft.swapMax,
    oomKills: draft.oomKills,
    pids,
    pidsMax: draft.pidsMax,
    pidsRefused: draft.pidsRefused,
    io: draft.io,
    cpuPressure: draft.cpuPressure,
    memoryPressure: draft.memoryPressure,
    ioPressure: draft.ioPressure,
  }
}

function toUsec(nanoseconds: number | undefined): number | undefined {
  return nanoseconds === undefined ? undefined : Math.round(nanoseconds / 1000)
}
