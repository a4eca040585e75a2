// SPDX-License-Identifier: Apache-2.0
// Finds the hierarchies of this host, and the files in each that contain figures. Called by sampler.ts.
import { readGroupFile, readWords } from '../cgroup/files.ts'
import type { Host } from '../host/host.ts'
import { joinTakes, legacyFiles, type Take, type Takes, unifiedFiles } from './files.ts'

/** A hierarchy, and the files to read in each of its groups. */
export interface HierarchySource {
  mount: string
  unified: boolean
  /** The name of one of the v1 controllers of the hierarchy. */
  controller: string
  /**
   * The files to read in groups that also exist in the v2 tree. There v2 counts the CPU time, so the v1 files for it
   * are left out.
   */
  besideUnified: { [file: string]: Take }
  files: { [file: string]: Take }
}

export function findSources(host: Host): HierarchySource[] {
  const sources: HierarchySource[] = []
  if (host.unified) {
    const { mount } = host.unified
    const files = filesOf(unifiedFiles, ['', ...readWords(mount, 'cgroup.controllers')])
    sources.push({ mount, unified: true, controller: '', files, besideUnified: files })
  }
  const mounts = new Map<string, string[]>()
  for (const [controller, { mount }] of Object.entries(host.v1))
    mounts.set(mount, [...(mounts.get(mount) ?? []), controller])
  for (const [mount, controllers] of mounts) {
    const beside = controllers.filter((controller) => controller !== 'cpuacct')
    sources.push({
      mount,
      unified: false,
      controller: controllers[0]!,
      files: filesOf(legacyFiles, controllers),
      besideUnified: filesOf(legacyFiles, beside),
    })
  }
  return sources
}

/** Returns the files of several controllers. If controllers share a file, such as cpu.stat, all its updates are combined. */
function filesOf(takes: Takes, controllers: readonly string[]): { [file: string]: Take } {
  return (
    joinTakes(
      controllers.flatMap((controller) =>
        Object.hasOwn(takes, controller)
          ? Object.entries(takes[controller]!).map(([file, take]) => ['all', file, take] as const)
          : [],
      ),
    ).all ?? {}
  )
}

/**
 * Returns the kernel's count of groups for each v1 hierarchy, from /proc/cgroups: proc_cgroups(5). The count includes
 * groups that are being removed. Empty if the file is not available.
 */
export function readCounts(): Map<string, string> {
  const lines = readGroupFile('/proc', 'cgroups')?.split('\n') ?? []
  return new Map(lines.map((line) => line.split('\t')).map(([name = '', , count = '']) => [name, count]))
}
