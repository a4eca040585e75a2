// SPDX-License-Identifier: Apache-2.0
// Mounts the job's own control groups at /sys/fs/cgroup, where language runtimes read their limits. Called by
// compile.ts; pure.
import { mountAttributes } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import type { Plan } from './plan.ts'

const directory = '/sys/fs/cgroup'

/**
 * v1 files of the caller's group that are shown to a job without its own group in that hierarchy, because they limit
 * the job. The JVM needs all three controllers.
 */
const inherited: { [controller: string]: string[] } = {
  cpu: ['cpu.cfs_quota_us', 'cpu.cfs_period_us'],
  cpuacct: ['cpuacct.usage'],
  cpuset: ['cpuset.cpus'],
}

/**
 * Returns the read-only mount of /sys/fs/cgroup for a job that has its own root directory and cgroup namespace. On v2,
 * the job's group itself is mounted; otherwise one directory for each v1 hierarchy, named as on a host.
 *
 * The operations must come after the job has joined its groups. They must come before pivotRoot, while the groups'
 * paths on the host can still be used. If the user mounts something there, that mount is kept.
 */
export function groupMounts(plan: Plan): Op[] {
  const { spec, groups, isolate, layout } = plan
  if (spec.root?.directory === undefined || !isolate.includes('cgroup') || groups.length === 0) return []
  const covers = (target: string) => directory.startsWith(target) || target.startsWith(directory)
  if (spec.root.mounts.some(({ target }) => target !== '/' && covers(target))) return []
  const entries = layout === 'v2' ? [['', groups[0]!.directory]] : legacyEntries(plan)
  return [
    {
      op: 'attachGroups',
      target: directory,
      names: entries.map(([name]) => name!).filter(Boolean),
      sources: entries.map(([, source]) => source!),
      attributes: mountAttributes.ro + mountAttributes.nosuid + mountAttributes.nodev + mountAttributes.noexec,
      required: 0,
      origin: 'isolate',
    },
  ]
}

/**
 * Returns the names in /sys/fs/cgroup, each with its source on v1. The source is a directory for the job's own groups.
 * For the caller's groups it is a single file, so that their other groups stay hidden.
 */
function legacyEntries({ groups, v1 }: Plan): [name: string, source: string][] {
  const unified = groups.filter(({ controller }) => controller === '')
  const mounts = [...new Set(Object.values(v1).map(({ mount }) => mount))]
  return [
    ...unified.map(({ directory }): [string, string] => ['unified', directory]),
    ...mounts.flatMap((mount): [string, string][] => {
      const controllers = Object.keys(v1).filter((name) => v1[name]!.mount === mount)
      const name = controllers.join(',')
      const group = groups.find(({ controller }) => controllers.includes(controller))
      const files = group ? [] : controllers.flatMap((controller) => inherited[controller] ?? [])
      if (!group && files.length === 0) return []
      const own = v1[controllers[0]!]!.own
      return [
        ...(group ? [[name, group.directory] as [string, string]] : []),
        ...files.map((file): [string, string] => [`${name}/${file}`, `${own}/${file}`]),
        ...(controllers.length > 1 ? controllers.map((link): [string, string] => [link, name]) : []),
      ]
    }),
  ]
}
