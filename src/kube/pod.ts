// SPDX-License-Identifier: Apache-2.0
// Holds a pod of a manifest as the API server stores it: requests that are missing are those of its limits. Pure.

import { milliOf, type Quantity, wholeOf } from '../text/quantity.ts'
import { plain } from '../text/quote.ts'
import { isRecord, valueAt } from './check-fields.ts'
import { readAmounts, readResourceBlock } from './check-resources.ts'
import { aggregate } from './effective.ts'
import type { Kubelet } from './kubelet.ts'

/** Amounts by resource. */
export type PodAmounts = ReadonlyMap<string, Quantity>

/** A container of a pod. */
export interface PodContainer {
  name: string
  /** A sidecar is an init container that restarts always. */
  kind: 'container' | 'init' | 'sidecar'
  requests: PodAmounts
  limits: PodAmounts
}

/** A pod of a manifest, or the pods of a workload, which are all alike. */
export interface ManifestPod {
  /** Kind of the object in the manifest. */
  kind: string
  namespace: string
  name: string
  /** Number of such pods. */
  count: number
  uid?: string
  containers: readonly PodContainer[]
  /** Requests and limits of the pod as a whole. Absent if they are not given, or if this version ignores them. */
  own?: { requests: PodAmounts; limits: PodAmounts }
  overhead: PodAmounts
  priority: number
  priorityClass?: string
  /** True for the API server's copy of a pod that the kubelet has from a file. */
  isMirror: boolean
  hostNetwork: boolean
  /** Bytes of tmpfs volumes with a size limit. */
  tmpfs: number
}

/** Values of other objects of the manifest: overheads of RuntimeClasses, and values of PriorityClasses. */
export interface ManifestClasses {
  overheads: ReadonlyMap<string, PodAmounts>
  priorities: ReadonlyMap<string, number>
}

/** Priority classes that each cluster has. */
export const systemPriorities: ReadonlyMap<string, number> = new Map([
  ['system-node-critical', 2_000_001_000],
  ['system-cluster-critical', 2_000_000_000],
])

/** Returns true for a pod that the kubelet neither evicts nor lets swap: pkg/kubelet/types/pod_update.go */
export function isCriticalPod({ priority, isMirror }: ManifestPod): boolean {
  return isMirror || priority >= systemPriorities.get('system-cluster-critical')!
}

/** Returns milli-CPUs of an amount that may be absent. */
export function cpuOf(amounts: PodAmounts): number {
  return milliOf(amounts.get('cpu') ?? 0n)
}

/** Returns bytes of an amount that may be absent. */
export function memoryOf(amounts: PodAmounts): number {
  return wholeOf(amounts.get('memory') ?? 0n)
}

/** Builds the pod of a checked spec. */
export function makePod(
  identity: Pick<ManifestPod, 'kind' | 'namespace' | 'name' | 'count' | 'isMirror'> & { uid?: string },
  spec: { readonly [key: string]: unknown },
  classes: ManifestClasses,
  kubelet: Kubelet,
): ManifestPod {
  const read = (key: string, kind: PodContainer['kind']): PodContainer[] => {
    const list = spec[key]
    return (Array.isArray(list) ? list.filter(isRecord) : []).map((entry) => ({
      name: plain(entry.name),
      kind: kind === 'init' && entry.restartPolicy === 'Always' && kubelet.gates.SidecarContainers ? 'sidecar' : kind,
      ...readResourceBlock(entry.resources),
    }))
  }
  const containers = [...read('initContainers', 'init'), ...read('containers', 'container')]
  const own = kubelet.gates.PodLevelResources ? readOwn(spec.resources, containers) : undefined
  const className = typeof spec.priorityClassName === 'string' ? spec.priorityClassName : undefined
  const runtimeClass = typeof spec.runtimeClassName === 'string' ? spec.runtimeClassName : ''
  const volumes = Array.isArray(spec.volumes) ? spec.volumes : []
  const tmpfs = volumes
    .filter((volume) => valueAt(volume, ['emptyDir', 'medium']) === 'Memory')
    .map((volume) => readAmounts(valueAt(volume, ['emptyDir'])).get('sizeLimit') ?? 0n)
  return {
    ...identity,
    containers,
    ...(own && { own }),
    overhead: isRecord(spec.overhead) ? readAmounts(spec.overhead) : (classes.overheads.get(runtimeClass) ?? new Map()),
    priority:
      typeof spec.priority === 'number'
        ? spec.priority
        : (classes.priorities.get(className ?? '') ?? systemPriorities.get(className ?? '') ?? 0),
    ...(className !== undefined && { priorityClass: className }),
    hostNetwork: spec.hostNetwork === true,
    tmpfs: tmpfs.reduce((sum, size) => sum + wholeOf(size), 0),
  }
}

/**
 * Reads the resources of the pod as a whole. Missing requests are those that its containers have together, or else its
 * limits, if it has limits at all.
 */
function readOwn(value: unknown, containers: readonly PodContainer[]): ManifestPod['own'] | undefined {
  const block = isRecord(value) ? value : {}
  const limits = readAmounts(block.limits)
  const requests = new Map(readAmounts(block.requests))
  if (limits.size + requests.size === 0) return undefined
  if (limits.size > 0) {
    for (const [name, amount] of aggregate(containers, 'requests'))
      if ((name === 'cpu' || name === 'memory') && !requests.has(name)) requests.set(name, amount)
    for (const [name, amount] of limits) if (!requests.has(name)) requests.set(name, amount)
  }
  return { requests, limits }
}
