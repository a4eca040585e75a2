// SPDX-License-Identifier: Apache-2.0
// Finds which limit of a pod acts first when its containers need more. Pure.
import { effectiveLimits, effectiveRequests, isLimited } from './effective.ts'
import { containerFigures, podFigures } from './figures.ts'
import type { Kubelet } from './kubelet.ts'
import { allocatable, type NodeSize } from './node.ts'
import { cpuOf, type ManifestPod, memoryOf } from './pod.ts'

/** What happens to a container or to the pod, and at which use. */
export interface PodOutcome {
  kind:
    | 'pending'
    | 'cpu-throttled'
    | 'memory-throttled'
    | 'container-killed'
    | 'pod-killed'
    | 'node-pressure'
    | 'cpu-shared'
  /** Name of the container. Absent for the pod. */
  container?: string
  /** Bytes for memory, milli-CPUs for cpu-throttled and pending. */
  at: number
  /** The resource that a pending pod lacks. */
  resource?: 'cpu' | 'memory'
  /** True if a kill ends all processes of the container. */
  whole?: boolean
}

/** Lists outcomes: first those of CPU time, then those of memory, from the smallest use on. */
export function outlookOf(pod: ManifestPod, kubelet: Kubelet, node: NodeSize): PodOutcome[] {
  const room = allocatable(node, kubelet, true)
  const requests = effectiveRequests(pod)
  const pending: PodOutcome[] = [
    ...(cpuOf(requests) > room.milliCpus ? [{ kind: 'pending', at: cpuOf(requests), resource: 'cpu' } as const] : []),
    ...(memoryOf(requests) > room.memory
      ? [{ kind: 'pending', at: memoryOf(requests), resource: 'memory' } as const]
      : []),
  ]
  const cpu: PodOutcome[] = []
  const memory: PodOutcome[] = []
  for (const container of pod.containers) {
    const figures = containerFigures(pod, container, kubelet, node)
    const of = { container: container.name }
    const quota = figures.quota?.usec
    if (typeof quota === 'number') cpu.push({ kind: 'cpu-throttled', ...of, at: (quota * 1000) / kubelet.periodUsec })
    else cpu.push({ kind: 'cpu-shared', ...of, at: cpuOf(container.requests) })
    if (figures.memoryHigh !== undefined) memory.push({ kind: 'memory-throttled', ...of, at: figures.memoryHigh })
    if (figures.memoryMax === undefined) memory.push({ kind: 'node-pressure', ...of, at: room.memory })
    else memory.push({ kind: 'container-killed', ...of, at: figures.memoryMax, whole: figures.oomGroup === true })
  }
  const most = podFigures(pod, kubelet, node).memoryMax
  const limits = memoryOf(effectiveLimits(pod))
  // without limits of its own, a pod's group has the sum of its containers' limits, and theirs act first
  if (pod.own && isLimited(pod, 'memory') && most !== undefined)
    memory.push({ kind: 'pod-killed', at: Math.min(most, limits) })
  return [
    ...pending,
    ...cpu.sort((a, b) => rankOf(a) - rankOf(b) || a.at - b.at),
    ...memory.sort((a, b) => a.at - b.at),
  ]
}

/** A quota throttles before contention shares the CPU. */
function rankOf({ kind }: PodOutcome): number {
  return kind === 'cpu-throttled' ? 0 : 1
}
