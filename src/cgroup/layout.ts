// SPDX-License-Identifier: Apache-2.0
// Describes the layout of control groups on this host, for users of the library.
import type { Hierarchy, Layout } from '../host/hierarchy.ts'
import { readHost } from '../host/host.ts'
import { readWords } from './files.ts'

/** The hierarchies of this host as this process sees them. */
export interface CgroupLayout {
  /** `v2`: one tree; `hybrid`: v1 controllers beside a v2 tree; `v1`: only v1 hierarchies; `none`: no hierarchy is mounted. */
  layout: Layout
  /** The v2 tree and its controllers; absent if no v2 tree is mounted. */
  unified?: Hierarchy & { controllers: string[] }
  /** v1 controllers and their hierarchies; several controllers may share one hierarchy. */
  v1: { [controller: string]: Hierarchy }
}

/**
 * Returns the layout of control groups; read once per process.
 *
 * @throws HOST_UNSUPPORTED
 * @see cgroups(7)
 * @example
 * console.log(['v2', 'hybrid', 'v1'].includes(layout().layout)) // true
 */
export function layout(): CgroupLayout {
  const { layout, unified, v1 } = readHost()
  return unified
    ? { layout, unified: { ...unified, controllers: readWords(unified.mount, 'cgroup.controllers') }, v1 }
    : { layout, v1 }
}
