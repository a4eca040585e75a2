// SPDX-License-Identifier: Apache-2.0
// Computes the figures of each control group of pods on a node, as a kubelet sets them. Pure.

import { wholeOf } from '../text/quantity.ts'
import { linearWeight, quotaOfMilli, runtimeWeight, sharesOfMilli } from './cpu-formulas.ts'
import { aggregate, effectiveLimits, effectiveRequests, isLimited, type QosClass, qosClassOf } from './effective.ts'
import type { GroupFigures } from './group-files.ts'
import type { Kubelet } from './kubelet.ts'
import { allocatable, type NodeSize } from './node.ts'
import { cpuOf, isCriticalPod, type ManifestPod, memoryOf, type PodAmounts, type PodContainer } from './pod.ts'
import { holds } from './version.ts'

/** oom_score_adj of containers that the kernel kills last: kubernetes/kubernetes, pkg/kubelet/qos/policy.go */
const guaranteedScore = -997
const bestEffortScore = 1000
const sizeUnits = { Ki: 'KB', Mi: 'MB', Gi: 'GB' } as const

/** Returns the limits of huge pages: those of the amounts, and 0 for other sizes of the node. */
function hugetlbOf(amounts: PodAmounts, sizes: readonly string[]): { [size: string]: number } {
  const found = [...amounts].flatMap(([name, amount]) => {
    const [, number, unit] = /^hugepages-(\d+)(Ki|Mi|Gi)$/.exec(name) ?? []
    return unit === undefined
      ? []
      : [[`${number}${sizeUnits[unit as keyof typeof sizeUnits]}`, wholeOf(amount)] as const]
  })
  return { ...Object.fromEntries(sizes.map((size) => [size, 0])), ...Object.fromEntries(found) }
}

/** Returns true if a container has CPUs of its own, whose quota the kubelet leaves out: pkg/kubelet/cm/container_manager_linux.go */
function hasOwnCpus(pod: ManifestPod, container: PodContainer, kubelet: Kubelet): boolean {
  const milli = cpuOf(container.requests)
  return (
    kubelet.staticCpus &&
    kubelet.gates.DisableCPUQuotaWithExclusiveCPUs &&
    qosClassOf(pod) === 'Guaranteed' &&
    milli > 0 &&
    milli % 1000 === 0
  )
}

function protection(amount: number, qos: QosClass, kubelet: Kubelet): Partial<GroupFigures> {
  if (kubelet.cgroup === 'v1' || !kubelet.gates.MemoryQoS || amount === 0) return {}
  if (!holds('reservationPolicy', kubelet.minor)) return { memoryMin: amount }
  if (!kubelet.tieredReservation) return {}
  return qos === 'Guaranteed' ? { memoryMin: amount } : { memoryLow: amount }
}

/** Returns the figures of the groups that pods share, on a node where only these pods run. */
export function sharedFigures(
  pods: readonly ManifestPod[],
  kubelet: Kubelet,
  node: NodeSize,
): { kubepods: GroupFigures; burstable: GroupFigures; besteffort: GroupFigures } {
  const sum = (amount: (pod: ManifestPod) => number, ...classes: QosClass[]) =>
    pods.filter((pod) => classes.includes(qosClassOf(pod))).reduce((total, pod) => total + amount(pod) * pod.count, 0)
  const memory = (pod: ManifestPod) => memoryOf(effectiveRequests(pod))
  const shares = sharesOfMilli(sum((pod) => cpuOf(effectiveRequests(pod)), 'Burstable'))
  const room = allocatable(node, kubelet, false)
  const all = sharesOfMilli(kubelet.enforcesPods ? room.milliCpus : node.milliCpus)
  const unlimited = Object.fromEntries(node.hugepageSizes.map((size) => [size, 'max' as const]))
  return {
    kubepods: {
      shares: all,
      weight: linearWeight(all),
      memoryMax: kubelet.enforcesPods ? room.memory : node.memory,
      ...protection(sum(memory, 'Guaranteed', 'Burstable'), 'Guaranteed', kubelet),
      hugetlb: unlimited,
    },
    burstable: {
      shares,
      weight: linearWeight(shares),
      ...protection(sum(memory, 'Burstable'), 'Burstable', kubelet),
      hugetlb: unlimited,
    },
    besteffort: { shares: 2, weight: 1, hugetlb: unlimited },
  }
}

/** Returns the figures of a pod's group. */
export function podFigures(pod: ManifestPod, kubelet: Kubelet, node: NodeSize): GroupFigures {
  const qos = qosClassOf(pod)
  const [requests, limits] = [effectiveRequests(pod), effectiveLimits(pod)]
  const shares = qos === 'BestEffort' ? 2 : sharesOfMilli(cpuOf(requests))
  const isFree = !kubelet.cpuCFSQuota || pod.containers.some((one) => hasOwnCpus(pod, one, kubelet))
  const memoryMax = memoryOf(limits)
  return {
    shares,
    weight: linearWeight(shares),
    ...(qos !== 'BestEffort' &&
      isLimited(pod, 'cpu') && {
        quota: {
          usec: isFree ? ('max' as const) : quotaOfMilli(cpuOf(limits), kubelet.periodUsec),
          periodUsec: kubelet.periodUsec,
        },
      }),
    ...(qos !== 'BestEffort' && isLimited(pod, 'memory') && memoryMax > 0 && { memoryMax }),
    ...protection(qos === 'BestEffort' ? 0 : memoryOf(requests), qos, kubelet),
    ...(pod.own &&
      isLimited(pod, 'memory') &&
      holds('podHigh', kubelet.minor) &&
      highBetween(memoryOf(requests), memoryMax, kubelet, node)),
    ...(kubelet.podPidsLimit > 0 && { pidsMax: kubelet.podPidsLimit }),
    hugetlb: hugetlbOf(requests, node.hugepageSizes),
  }
}

/** Returns the limit that applies to a container: its own, or else that of the pod as a whole. */
function containerLimit(pod: ManifestPod, { limits }: PodContainer, resource: 'cpu' | 'memory'): bigint {
  const own = limits.get(resource) ?? 0n
  return own > 0n ? own : (pod.own?.limits.get(resource) ?? 0n)
}

/** Returns the figures of a container's group. */
export function containerFigures(
  pod: ManifestPod,
  container: PodContainer,
  kubelet: Kubelet,
  node: NodeSize,
): GroupFigures {
  const limit = cpuOf(new Map([['cpu', containerLimit(pod, container, 'cpu')]]))
  const request = container.requests.has('cpu') ? cpuOf(container.requests) : limit
  const shares = sharesOfMilli(request)
  const memoryMax = wholeOf(containerLimit(pod, container, 'memory'))
  const usec = hasOwnCpus(pod, container, kubelet) ? 'max' : quotaOfMilli(limit, kubelet.periodUsec)
  return {
    shares,
    weight: runtimeWeight(shares, kubelet.weight),
    ...(kubelet.cpuCFSQuota && { quota: { usec, periodUsec: kubelet.periodUsec } }),
    ...(memoryMax > 0 && { memoryMax }),
    ...protection(memoryOf(container.requests), qosClassOf(pod), kubelet),
    ...throttling(container, kubelet, node),
    ...swapOf(pod, container, kubelet, node),
    ...(kubelet.cgroup === 'v2' && holds('oomGroup', kubelet.minor) && { oomGroup: !kubelet.singleProcessOOMKill }),
    hugetlb: hugetlbOf(container.limits, node.hugepageSizes),
  }
}

/** Returns memory.high: between the request and the limit, or what the node has without reservations (KEP-2570). */
function throttling(container: PodContainer, kubelet: Kubelet, node: NodeSize): Partial<GroupFigures> {
  const [request, limit] = [memoryOf(container.requests), memoryOf(container.limits)]
  if (request === limit && !(request === 0 && holds('bestEffortHigh', kubelet.minor))) return {}
  return highBetween(request, limit > 0 ? limit : allocatable(node, kubelet, false).memory, kubelet, node)
}

/** Returns the point between a request and a limit that the throttling factor selects, in whole pages. */
function highBetween(request: number, limit: number, kubelet: Kubelet, { pageSize }: NodeSize): Partial<GroupFigures> {
  const { memoryThrottlingFactor: factor, cgroup, gates } = kubelet
  if (cgroup === 'v1' || !gates.MemoryQoS || factor === undefined || request === limit) return {}
  const high = Math.floor((request + (limit - request) * factor) / pageSize) * pageSize
  return high > request ? { memoryHigh: high } : {}
}

/** Returns memory.swap.max: the container's share of the node's swap, in proportion to its request of memory (KEP-2400). */
function swapOf(pod: ManifestPod, container: PodContainer, kubelet: Kubelet, node: NodeSize): Partial<GroupFigures> {
  if (!kubelet.gates.NodeSwap || kubelet.swapBehavior === 'UnlimitedSwap') return {}
  const [request, limit] = [memoryOf(container.requests), memoryOf(container.limits)]
  // the limit of memory and swap together is that of memory, which means nothing without one
  if (!holds('swapByRequest', kubelet.minor)) return containerLimit(pod, container, 'memory') > 0n ? { swapMax: 0 } : {}
  const may =
    kubelet.swapBehavior === 'LimitedSwap' &&
    kubelet.cgroup === 'v2' &&
    !isCriticalPod(pod) &&
    qosClassOf(pod) === 'Burstable' &&
    request !== limit
  return { swapMax: may ? Math.floor((request / node.memory) * node.swap) : 0 }
}

/** Returns oom_score_adj of a container's processes: the larger, the sooner the kernel kills them if the node has no memory left. */
export function oomScoreOf(pod: ManifestPod, container: PodContainer, node: NodeSize): number {
  const qos = qosClassOf(pod)
  const isNodeCritical = pod.priorityClass === 'system-node-critical' && isCriticalPod(pod)
  if (isNodeCritical || qos === 'Guaranteed') return guaranteedScore
  if (qos === 'BestEffort') return bestEffortScore
  const whole = memoryOf(pod.own?.requests ?? new Map())
  const spare =
    whole === 0 ? 0 : Math.trunc((whole - memoryOf(aggregate(pod.containers, 'requests'))) / pod.containers.length)
  const score = (request: number) => 1000 - Math.trunc((1000 * (request + spare)) / node.memory)
  const regular = pod.containers.filter(({ kind }) => kind === 'container').map(({ requests }) => memoryOf(requests))
  const own = score(memoryOf(container.requests))
  const least = container.kind === 'sidecar' ? Math.min(own, score(Math.min(...regular))) : own
  return Math.min(bestEffortScore - 1, Math.max(1000 + guaranteedScore, least))
}
