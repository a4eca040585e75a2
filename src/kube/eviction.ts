// SPDX-License-Identifier: Apache-2.0
// Orders pods as a kubelet evicts them when the node has too little memory: kubernetes/kubernetes, pkg/kubelet/eviction/helpers.go. Pure.
import { effectiveLimits, effectiveRequests } from './effective.ts'
import type { Kubelet } from './kubelet.ts'
import { allocatable, type NodeSize } from './node.ts'
import { isCriticalPod, type ManifestPod, memoryOf } from './pod.ts'

/** A pod in the order of eviction. */
export interface EvictionRank {
  pod: ManifestPod
  /** Bytes that the pod uses. */
  usage: number
  /** Where the usage comes from: given, the pod's memory limit, or all memory of the node for a pod without a limit. */
  from: 'given' | 'limit' | 'node'
  request: number
  /** False for a critical pod, which is not evicted. */
  evicted: boolean
}

/**
 * Returns the pods in the order in which they are evicted. Those above their request come first. Then the lower priority
 * decides, then the amount above the request. `usages` are bytes by the name of the object.
 */
export function evictionOrder(
  pods: readonly ManifestPod[],
  kubelet: Kubelet,
  node: NodeSize,
  usages: ReadonlyMap<string, number>,
): EvictionRank[] {
  const ranks = pods.map((pod): EvictionRank => {
    const given = usages.get(`${pod.namespace}/${pod.name}`) ?? usages.get(pod.name)
    const limit = memoryOf(effectiveLimits(pod))
    const isLimited =
      limit > 0 && (pod.own?.limits.has('memory') || pod.containers.every(({ limits }) => limits.has('memory')))
    const from = given !== undefined ? 'given' : isLimited ? 'limit' : 'node'
    const usage = given ?? (isLimited ? limit : allocatable(node, kubelet, true).memory)
    return { pod, usage, from, request: memoryOf(effectiveRequests(pod)), evicted: !isCriticalPod(pod) }
  })
  const exceeds = ({ usage, request }: EvictionRank) => Number(usage > request)
  return ranks.sort(
    (a, b) =>
      Number(b.evicted) - Number(a.evicted) ||
      exceeds(b) - exceeds(a) ||
      a.pod.priority - b.pod.priority ||
      b.usage - b.request - (a.usage - a.request),
  )
}
