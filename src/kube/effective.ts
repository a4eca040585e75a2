// SPDX-License-Identifier: Apache-2.0
// Computes what a pod requests and may use as a whole: sums of containers, the peak of init containers, overhead. KEP-753, KEP-2837. Pure.

import type { Quantity } from '../text/quantity.ts'
import type { ManifestPod, PodAmounts, PodContainer } from './pod.ts'

type Field = 'requests' | 'limits'

function add(into: Map<string, Quantity>, amounts: PodAmounts): void {
  for (const [name, amount] of amounts) into.set(name, (into.get(name) ?? 0n) + amount)
}

function raise(into: Map<string, Quantity>, amounts: PodAmounts): void {
  for (const [name, amount] of amounts) if (amount > (into.get(name) ?? -1n)) into.set(name, amount)
}

/**
 * Returns what the containers need together. Init containers run one after the other, each beside the sidecars that started before it. The
 * result is the larger of that need and of the need of regular containers and sidecars.
 */
export function aggregate(containers: readonly PodContainer[], field: Field): Map<string, Quantity> {
  const total = new Map<string, Quantity>()
  const sidecars = new Map<string, Quantity>()
  const peak = new Map<string, Quantity>()
  for (const container of containers) {
    const amounts = container[field]
    if (container.kind !== 'init') add(total, amounts)
    if (container.kind === 'sidecar') {
      add(sidecars, amounts)
      raise(peak, sidecars)
    }
    if (container.kind === 'init') {
      const running = new Map(amounts)
      add(running, sidecars)
      raise(peak, running)
    }
  }
  raise(total, peak)
  return total
}

/** Returns the requests of a pod that the scheduler and the pod's control group count. */
export function effectiveRequests({ containers, own, overhead }: ManifestPod): Map<string, Quantity> {
  const total = aggregate(containers, 'requests')
  for (const [name, amount] of own?.requests ?? []) total.set(name, amount)
  add(total, overhead)
  return total
}

/** A part of what a pod requests: a container's amount, that of the pod as a whole, or its overhead. */
interface RequestTerm {
  from: 'container' | 'pod' | 'overhead'
  name: string
  amount: Quantity
}

/**
 * Returns the amounts whose sum is the effective request of a resource. They are those of the regular containers and sidecars, or of
 * an init container that needs more, with the sidecars before it.
 */
export function requestTerms({ containers, own, overhead }: ManifestPod, resource: string): RequestTerm[] {
  const amountOf = (amounts: PodAmounts) => amounts.get(resource) ?? 0n
  const terms = (list: readonly PodContainer[]) =>
    list.map(({ name, requests }): RequestTerm => ({ from: 'container', name, amount: amountOf(requests) }))
  const whole = own?.requests.get(resource)
  const sum = (list: readonly RequestTerm[]) => list.reduce((total, { amount }) => total + amount, 0n)
  const phases = containers.flatMap((container, i) => {
    const before = containers.slice(0, i).filter(({ kind }) => kind === 'sidecar')
    return container.kind === 'init' ? [terms([...before, container])] : []
  })
  const steady = terms(containers.filter(({ kind }) => kind !== 'init'))
  const most = [steady, ...phases].reduce((largest, phase) => (sum(phase) > sum(largest) ? phase : largest))
  const extra = amountOf(overhead)
  return [
    ...(whole === undefined ? most : [{ from: 'pod', name: 'the pod', amount: whole } as const]),
    ...(extra === 0n ? [] : [{ from: 'overhead', name: 'overhead', amount: extra } as const]),
  ].filter(({ amount }) => amount > 0n)
}

/** Returns the limits of a pod. The overhead raises limits that exist. */
export function effectiveLimits({ containers, own, overhead }: ManifestPod): Map<string, Quantity> {
  const total = aggregate(containers, 'limits')
  for (const [name, amount] of own?.limits ?? []) total.set(name, amount)
  for (const [name, amount] of overhead) {
    const limit = total.get(name)
    if (limit !== undefined && limit > 0n) total.set(name, limit + amount)
  }
  return total
}

/** Returns true if the pod's control group gets a limit: the pod has its own, or each container has one. */
export function isLimited({ containers, own }: ManifestPod, resource: 'cpu' | 'memory'): boolean {
  const positive = (amounts: PodAmounts) => (amounts.get(resource) ?? 0n) > 0n
  return (own !== undefined && positive(own.limits)) || containers.every(({ limits }) => positive(limits))
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

/** Returns the QoS class of a pod. Only cpu and memory count, and amounts of 0 do not. */
export function qosClassOf({ containers, own }: ManifestPod): QosClass {
  const parts = own ? [own] : containers
  const sum = (field: Field) => {
    const total = new Map<string, Quantity>()
    for (const part of parts)
      add(total, new Map([...part[field]].filter(([name, amount]) => /^(cpu|memory)$/.test(name) && amount > 0n)))
    return total
  }
  const [requests, limits] = [sum('requests'), sum('limits')]
  if (requests.size + limits.size === 0) return 'BestEffort'
  const all = parts.every((part) => ['cpu', 'memory'].every((name) => (part.limits.get(name) ?? 0n) > 0n))
  const equal = requests.size === limits.size && [...requests].every(([name, amount]) => limits.get(name) === amount)
  return all && equal ? 'Guaranteed' : 'Burstable'
}
