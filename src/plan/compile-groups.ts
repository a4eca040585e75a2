// SPDX-License-Identifier: Apache-2.0
// Mounts the job's own groups at /sys/fs/cgroup, where run-time systems read their limits. Called by compile.ts; pure.
import type { Op } from '../ops/ops.ts'
import type { Plan } from './plan.ts'

const directory = '/sys/fs/cgroup'

/** v1 files of the caller's group, which limit a job without its own group in that hierarchy. The JVM needs all three controllers. */
const inherited: { [controller: string]: string[] } = {
  cpu: ['cpu.cfs_quota_us', 'cpu.cfs_period_us'],
  cpuacct: ['cpuacct.usage'],
  cpuset: ['cpuset.cpus'],
}

/**
 * Returns the read-only mounts of /sys/fs/cgroup for a job with its own root and cgroup namespace. On v2 the mount is the group itself;
 * otherwise there is one directory per v1 hierarchy, named as on a host. The operations must come after the job has joined its groups and
 * before pivotRoot, while the groups' paths are the host's. A mount of the caller at or above the directory is kept.
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
      origin: 'isolate',
    },
  ]
}

/**
 * Returns names and sources: directories of the job's own groups, but only single files of the caller's groups, so that other groups stay
 * hidden.
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
