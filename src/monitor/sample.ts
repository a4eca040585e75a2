// SPDX-License-Identifier: Apache-2.0
// Types of a sample: the figures of a group, named after v2's files, as listed in cgroup/controllers/figures.ts.
import type { FigureValues } from '../cgroup/controllers/figures.ts'

export type { DeviceIo, Pressure, Stall } from '../cgroup/controllers/figures.ts'

/** Figures of one group and its descendants; docs/figures.md lists them. A figure that the host does not report is undefined, never 0. */
export interface GroupSample extends FigureValues {}

/** All groups at one time, by path from the root; parents come first. */
export interface Snapshot {
  /** Milliseconds since 1970. Later samples never have earlier times, because the clock is monotonic. */
  time: number
  /** The groups, by path. */
  groups: ReadonlyMap<string, GroupSample>
}

/** Returns true if the group and its descendants are known to contain no process. */
export function isEmpty(sample: Partial<GroupSample> | undefined): boolean {
  return sample?.populated === false
}

/** Returns true if a group is known to be frozen. */
export function isFrozen(sample: Partial<GroupSample> | undefined): boolean {
  return sample?.frozen === true
}
