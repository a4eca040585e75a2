// SPDX-License-Identifier: Apache-2.0
// Where the figures of a group stand on this host: each hierarchy once, with the files to look at there.
import { readGroupFile, readWords } from '../cgroup/files.ts'
import type { Host } from '../host/host.ts'
import { joinTakes, legacyFiles, type Take, type Takes, unifiedFiles } from './files.ts'

/** One hierarchy. */
export interface HierarchySource {
  mount: string
  unified: boolean
  /** One of v1's controllers there. */
  controller: string
  /** Files of groups that are in the v2 tree, too, which counts CPU time for them; the same as `files` without one. */
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

/** The files of several controllers; one that two of them have, such as cpu.stat, does what it does for each. */
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

/** How many groups each of v1's hierarchies has, those counted that are on their way out: proc_cgroups(5). Empty where it is not available. */
export function readCounts(): Map<string, string> {
  const lines = readGroupFile('/proc', 'cgroups')?.split('\n') ?? []
  return new Map(lines.map((line) => line.split('\t')).map(([name = '', , count = '']) => [name, count]))
}
