// SPDX-License-Identifier: Apache-2.0
// Runs a command under the figures of a container of a manifest, below groups like those of its pod and QoS class. Not pure.
import { readGroupFile, readWords } from '../cgroup/files.ts'
import { hasCapability, parseCapability } from '../credentials/capability.ts'
import type { OptionNames } from '../errors/remedy-text.ts'
import { type Host, readHost } from '../host/host.ts'
import { readPrivileges } from '../host/privileges.ts'
import { Cgroup } from '../library/cgroup.ts'
import { groupName } from '../plan/groups.ts'
import { start } from '../run/job.ts'
import { readFileSync } from '../system/files.ts'
import { ensureScope } from '../systemd/own-scope.ts'
import type { Result } from '../verdict/result.ts'
import { qosClassOf } from './effective.ts'
import { containerFigures, oomScoreOf, podFigures, sharedFigures } from './figures.ts'
import { type GroupFigures, groupFiles, groupLimits, isDefault, shownValue } from './group-files.ts'
import { qosLevels } from './group-names.ts'
import type { Kubelet } from './kubelet.ts'
import type { NodeSize } from './node.ts'
import type { ManifestPod, PodContainer } from './pod.ts'

/** A group of the run, with the values of its files as they were explained and as the kernel shows them. */
interface CheckedGroup {
  name: string
  files: { [file: string]: { explained: string; kernel: string } }
  /** Files that this kernel lacks. */
  missing: string[]
}

/** How a command ended that ran as a container. */
export interface ContainerRun {
  groups: CheckedGroup[]
  oomScoreAdj: number
  /** False if this process may not lower its score to that of the container. */
  hasScore: boolean
  result: Result
}

/** Returns the controllers that the figures need and that groups of this process can have. */
function controllersOf({ home, uid, unified, v1 }: Host): string[] {
  const place = home ?? (uid === 0 ? unified?.mount : unified?.own)
  const available = place === undefined ? [] : readWords(place, 'cgroup.controllers')
  return ['cpu', 'memory', 'pids', 'hugetlb'].filter((name) => name in v1 || available.includes(name))
}

/** Runs a command as one of a pod's containers. `pods` are all pods of the node. The groups are removed at the end. With `evacuate`, processes of the own group move to a leaf. */
export async function runContainer(
  { pods, pod, container }: { pods: readonly ManifestPod[]; pod: ManifestPod; container: PodContainer },
  kubelet: Kubelet,
  node: NodeSize,
  [command = '', ...args]: readonly string[],
  { evacuate, names }: { evacuate: boolean; names: OptionNames },
): Promise<ContainerRun> {
  await ensureScope({ limits: [{ origin: 'kubepods' }], evacuate }, names)
  const host = readHost()
  const qos = qosClassOf(pod)
  const shared = sharedFigures(pods, kubelet, node)
  const podGroup = podFigures(pod, kubelet, node)
  const figures = containerFigures(pod, container, kubelet, node)
  const levels: [name: string, figures: GroupFigures][] = [
    ['kubepods', shared.kubepods],
    ...qosLevels(qos).map((name): [string, GroupFigures] => [name, shared[name as 'burstable' | 'besteffort']]),
    [`pod${pod.uid ?? `-${pod.name}`}`, podGroup],
  ]
  const oomScoreAdj = oomScoreOf(pod, container, node)
  const maySetScore =
    oomScoreAdj >= ownScore() || hasCapability(readPrivileges().permitted, parseCapability('SYS_RESOURCE') as number)
  const groups: CheckedGroup[] = []
  // the clean-up of stale groups knows names of this form
  const name = groupName(host, 0)
  const top = await Cgroup.create(host.home === undefined && host.uid === 0 ? `/${name}` : name, {
    controllers: controllersOf(host),
    evacuate,
  })
  try {
    let parent = top
    for (const [level, values] of levels) {
      parent = await Cgroup.create(level, { parent: parent.path, controllers: controllersOf(host) })
      const directories = Object.values(parent.directories)
      const { limits, missing } = splitLimits(values, kubelet, directories)
      for (const { file, value } of limits) await parent.set(file, value)
      groups.push(checkGroup(level, values, kubelet, node, directories, missing))
    }
    const { limits, missing } = splitLimits(figures, kubelet, Object.values(parent.directories))
    const job = await start(command, args, {
      stdio: 'inherit',
      parent: parent.path,
      limits: Object.fromEntries(limits.map(({ file, value }) => [file, value])),
      ...(maySetScore && { oomScoreAdj }),
    })
    job.forwardSignals()
    groups.push(checkGroup(container.name, figures, kubelet, node, job.directories, missing))
    return { groups, oomScoreAdj, hasScore: maySetScore, result: await job.result }
  } finally {
    await top.remove({ recursive: true, kill: true })
  }
}

/** Returns oom_score_adj of this process, which its jobs inherit. */
function ownScore(): number {
  return Number(readFileSync('/proc/self/oom_score_adj', 'utf8'))
}

/** Separates limits that this kernel has from those that it lacks. */
function splitLimits(figures: GroupFigures, kubelet: Kubelet, directories: readonly string[]) {
  const limits = groupLimits(figures, kubelet.cgroup)
  const has = ({ kernelFile }: { kernelFile: string }) => findText(directories, kernelFile) !== undefined
  return { limits: limits.filter(has), missing: limits.filter((one) => !has(one)).map(({ file }) => file) }
}

function findText(directories: readonly string[], file: string): string | undefined {
  for (const directory of directories) {
    const text = readGroupFile(directory, file)
    if (text !== undefined) return text
  }
  return undefined
}

/** Reads the files of a group. On v1, only those with a limit: there, no limit has another text in each file. */
function checkGroup(
  name: string,
  figures: GroupFigures,
  kubelet: Kubelet,
  { pageSize }: NodeSize,
  directories: readonly string[],
  missing: string[],
): CheckedGroup {
  const files: CheckedGroup['files'] = {}
  for (const [file, value] of Object.entries(groupFiles(figures, kubelet.cgroup))) {
    const kernel = findText(directories, file)
    if (kernel === undefined || (kubelet.cgroup === 'v1' && isDefault(file, value))) continue
    files[file] = { explained: shownValue(file, value, pageSize), kernel }
  }
  return { name, files, missing }
}

/** Returns the files whose value differs from the explained one. */
export function differences(
  groups: readonly CheckedGroup[],
): { group: string; file: string; explained: string; kernel: string }[] {
  return groups.flatMap(({ name, files }) =>
    Object.entries(files)
      .filter(([, { explained, kernel }]) => explained !== kernel)
      .map(([file, values]) => ({ group: name, file, ...values })),
  )
}
