// SPDX-License-Identifier: Apache-2.0
// Mounts the job's own control groups at /sys/fs/cgroup, where language runtimes read their limits. Called by
// compile.ts; pure.
import type { GroupView } from '../mounts/listed-root.ts'
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
  if (spec.root?.directory === undefined || spec.root.standard === false) return []
  if (!isolate.includes('cgroup') || groups.length === 0) return []
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
 * Returns what the mounts of type cgroup in a complete list show. There is one directory for each v1 hierarchy with a group of
 * the container; `unified` is its v2 group. A container without groups of its own sees those of the caller.
 */
export function viewGroups(plan: Plan): GroupView | undefined {
  const { spec, layout, unified } = plan
  if (spec.root?.standard !== false || !spec.root.mounts.some(({ type }) => type === 'cgroup')) return undefined
  const groups = plan.groups.length > 0 ? plan.groups : plan.entered
  const readOnly = groups.length === 0
  const directoryOf = (controllers: readonly string[], own: string | undefined) =>
    readOnly ? own : groups.find(({ controller }) => controllers.includes(controller))?.directory
  const tree = directoryOf([''], unified?.own)
  if (layout === 'v2') return { names: [], sources: tree === undefined ? [] : [tree], readOnly }
  const known = new Set(['', ...Object.keys(plan.v1)])
  const named = groups.filter(({ controller }) => !known.has(controller))
  const entries: (readonly [name: string, source: string])[] = [
    ...listHierarchies(plan.v1).flatMap(({ controllers, own }) => {
      const source = directoryOf(controllers, own)
      const name = controllers.join(',')
      return source === undefined ? [] : [[name, source] as const, ...linksTo(name, controllers)]
    }),
    ...named.map((group) => [group.controller.replace(/^name=/, ''), group.directory] as const),
    ...(tree === undefined ? [] : [['unified', tree] as const]),
  ]
  return { names: entries.map(([name]) => name), sources: entries.map(([, source]) => source), readOnly }
}

/** Returns the v1 hierarchies, each with its controllers and the caller's group. */
function listHierarchies(v1: Plan['v1']): { controllers: string[]; own: string }[] {
  const mounts = [...new Set(Object.values(v1).map(({ mount }) => mount))]
  return mounts.map((mount) => {
    const controllers = Object.keys(v1).filter((name) => v1[name]!.mount === mount)
    return { controllers, own: v1[controllers[0]!]!.own }
  })
}

/** Returns a link for each controller of a hierarchy that has several, such as cpu to cpu,cpuacct. */
function linksTo(name: string, controllers: readonly string[]): [name: string, to: string][] {
  return controllers.length > 1 ? controllers.map((link) => [link, name]) : []
}

/**
 * Returns the names in /sys/fs/cgroup, each with its source on v1. The source is a directory for the job's own groups.
 * For the caller's groups it is a single file, so that their other groups stay hidden.
 */
function legacyEntries({ groups, v1 }: Plan): [name: string, source: string][] {
  const unified = groups.filter(({ controller }) => controller === '')
  return [
    ...unified.map(({ directory }): [string, string] => ['unified', directory]),
    ...listHierarchies(v1).flatMap(({ controllers, own }): [string, string][] => {
      const name = controllers.join(',')
      const group = groups.find(({ controller }) => controllers.includes(controller))
      const files = group ? [] : controllers.flatMap((controller) => inherited[controller] ?? [])
      if (!group && files.length === 0) return []
      return [
        ...(group ? [[name, group.directory] as [string, string]] : []),
        ...files.map((file): [string, string] => [`${name}/${file}`, `${own}/${file}`]),
        ...linksTo(name, controllers),
      ]
    }),
  ]
}
