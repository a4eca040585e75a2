// SPDX-License-Identifier: Apache-2.0
// How control groups are laid out on this host, for users of the library.
import type { Hierarchy, Layout } from '../host/hierarchy.ts'
import { readHost } from '../host/host.ts'
import { readWords } from './files.ts'

/** The hierarchies of this host as this process sees them. */
export interface CgroupLayout {
  /** `v2`: one tree; `hybrid`: v1 controllers beside a v2 tree; `v1`; `none`: nothing is mounted. */
  layout: Layout
  /** The v2 tree, and the controllers that it has. */
  unified?: Hierarchy & { controllers: string[] }
  /** v1 controllers, each with its hierarchy; several may share one. */
  v1: { [controller: string]: Hierarchy }
}

/** How control groups are laid out here; read once a process. @throws HOST_UNSUPPORTED @see cgroups(7) */
export function layout(): CgroupLayout {
  const { layout, unified, v1 } = readHost()
  return unified
    ? { layout, unified: { ...unified, controllers: readWords(unified.mount, 'cgroup.controllers') }, v1 }
    : { layout, v1 }
}
