// SPDX-License-Identifier: Apache-2.0
// Defines a control group that a start will create, with everything to write. Types only.
import type { LimitWrite } from './v1/translate.ts'

/** A control group to create for the job. */
export interface PlannedGroup {
  /** The controller of a v1 hierarchy, or '' for the v2 tree. */
  controller: string
  directory: string
  /**
   * Levels of --parent that do not exist in this hierarchy, outermost first. hutch creates them, and removes them when
   * they are empty.
   */
  madeParents: string[]
  /** v2: the controllers to enable in each level before the group is created, topmost level first. */
  enable: { directory: string; controllers: string[] }[]
  parent: string
  writes: LimitWrite[]
  /** v1 cpuset: values of the parent group that must be copied, because a new group does not inherit them. */
  inherit?: { [file: string]: string }
  /** True if the group may already exist, and is then used. It must be empty. */
  exists?: true
}
