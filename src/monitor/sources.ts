// SPDX-License-Identifier: Apache-2.0
// Returns the hierarchies of this host, each with the files that contain figures. Called by sampler.ts.
import { readGroupFile, readWords } from '../cgroup/files.ts'
import type { Host } from '../host/host.ts'
import { joinTakes, legacyFiles, type Take, type Takes, unifiedFiles } from './files.ts'

/** A hierarchy and its files. */
export interface HierarchySource {
  mount: string
  unified: boolean
  /** One of the hierarchy's v1 controllers. */
  controller: string
  /** Files of groups that are also in the v2 tree, which counts their CPU time; otherwise equal to `files`. */
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

/** Returns the files of several controllers. If two controllers share a file, such as cpu.stat, its updates are joined. */
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

/** Returns the number of groups in each v1 hierarchy, including groups that are being removed: proc_cgroups(5). Empty if not available. */
export function readCounts(): Map<string, string> {
  const lines = readGroupFile('/proc', 'cgroups')?.split('\n') ?? []
  return new Map(lines.map((line) => line.split('\t')).map(([name = '', , count = '']) => [name, count]))
}
