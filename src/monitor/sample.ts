// SPDX-License-Identifier: Apache-2.0
// What one sample says of one group, as plain values under v2's names. The figures are those of the table (cgroup/controllers/figures.ts).
import type { FigureValues } from '../cgroup/controllers/figures.ts'

export type { DeviceIo, Pressure, Stall } from '../cgroup/controllers/figures.ts'

/** One group and all groups below it; docs/figures.md lists the figures. A figure that the host does not give is undefined, never 0. */
export interface GroupSample extends FigureValues {}

/** All groups at one time, by path from the root; a group comes after its parent. */
export interface Snapshot {
  /** Milliseconds since 1970, by a monotonic clock. */
  time: number
  groups: ReadonlyMap<string, GroupSample>
}

/** Whether no process is in a group or below it; false if that is unknown. */
export function isEmpty(sample: Partial<GroupSample> | undefined): boolean {
  return sample?.populated === false
}

/** Whether a group is known to be frozen. */
export function isFrozen(sample: Partial<GroupSample> | undefined): boolean {
  return sample?.frozen === true
}
