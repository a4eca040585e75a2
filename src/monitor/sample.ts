// SPDX-License-Identifier: Apache-2.0
// The sample of one group, as plain values under v2's names: cgroup-v2.rst; cgroup-v1/ for v1's equivalents.

/** How long tasks waited: percent of the last ten seconds, and total microseconds (accounting/psi.rst). */
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

/** One group and its descendants. A figure that the host does not give is undefined, never 0. */
export interface GroupSample {
  /** Whether the group or a descendant has processes. */
  populated: boolean | undefined
  frozen: boolean | undefined
  cpuUsec: number | undefined
  userUsec: number | undefined
  systemUsec: number | undefined
  /** Elapsed quota periods, throttled periods, and throttled time. */
  periods: number | undefined
  throttledPeriods: number | undefined
  throttledUsec: number | undefined
  /** The limit, in CPUs. */
  cpuMax: number | 'max' | undefined
  memory: number | undefined
  memoryMax: number | 'max' | undefined
  /** v2 alone. */
  memoryHigh: number | 'max' | undefined
  /** How often the group or a descendant was throttled for exceeding memory.high. v2 only. */
  memoryHighEvents: number | undefined
  memoryPeak: number | undefined
  /** memory minus what the kernel can drop at once (inactive_file): the figure of Docker and Kubernetes. */
  workingSet: number | undefined
  anon: number | undefined
  file: number | undefined
  swap: number | undefined
  swapMax: number | 'max' | undefined
  oomKills: number | undefined
  /** Tasks, including threads. */
  pids: number | undefined
  pidsMax: number | 'max' | undefined
  /** Number of forks refused by pids.max. */
  pidsRefused: number | undefined
  /** By device: `8:0`. */
  io: { readonly [device: string]: DeviceIo } | undefined
  cpuPressure: Pressure | undefined
  memoryPressure: Pressure | undefined
  ioPressure: Pressure | undefined
}

/** All groups at one time, by path from the root; a group comes after its parent. */
export interface Snapshot {
  /** Milliseconds since 1970, by a monotonic clock. */
  time: number
  groups: ReadonlyMap<string, GroupSample>
}
