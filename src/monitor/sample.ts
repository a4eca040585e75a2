// SPDX-License-Identifier: Apache-2.0
// What one look tells of one group, as plain values under v2's names: cgroup-v2.rst; cgroup-v1/ for what stands in for them.

/** How long tasks waited: share of the last ten seconds in percent, and microseconds in all (accounting/psi.rst). */
export interface Stall {
  avg10: number
  totalUsec: number
}

/** some: at least one task waited; full: all did. */
export interface Pressure {
  some: Stall
  full?: Stall | undefined
}

/** Bytes and operations of one block device. */
export interface DeviceIo {
  readBytes: number
  writtenBytes: number
  reads: number
  writes: number
}

/** One group and all below it. A figure that the host does not give is undefined, never 0. */
export interface GroupSample {
  /** Whether a process is in it or below it. */
  populated: boolean | undefined
  frozen: boolean | undefined
  cpuUsec: number | undefined
  userUsec: number | undefined
  systemUsec: number | undefined
  /** Quota periods that went by, those in which it was stopped, and for how long. */
  periods: number | undefined
  throttledPeriods: number | undefined
  throttledUsec: number | undefined
  /** The limit, in CPUs. */
  cpuMax: number | 'max' | undefined
  memory: number | undefined
  memoryMax: number | 'max' | undefined
  /** v2 alone. */
  memoryHigh: number | 'max' | undefined
  /** How often it, or a group below, was slowed for being above memory.high. v2 alone. */
  memoryHighEvents: number | undefined
  memoryPeak: number | undefined
  /** memory less what the kernel can drop at once (inactive_file): what Docker and Kubernetes show. */
  workingSet: number | undefined
  anon: number | undefined
  file: number | undefined
  swap: number | undefined
  swapMax: number | 'max' | undefined
  oomKills: number | undefined
  /** Tasks, threads counted. */
  pids: number | undefined
  pidsMax: number | 'max' | undefined
  /** How often a fork was refused for pids.max. */
  pidsRefused: number | undefined
  /** By device: `8:0`. */
  io: { readonly [device: string]: DeviceIo } | undefined
  cpuPressure: Pressure | undefined
  memoryPressure: Pressure | undefined
  ioPressure: Pressure | undefined
}

/** All groups at one time, by path from the root; a group stands behind the one it is in. */
export interface Snapshot {
  /** Milliseconds since 1970, by a clock that never goes back. */
  time: number
  groups: ReadonlyMap<string, GroupSample>
}
