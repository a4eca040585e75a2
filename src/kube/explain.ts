// SPDX-License-Identifier: Apache-2.0
// Explains a manifest: the control groups of its pods with their files, what happens first, and the order of eviction. Pure.

import { costOf, type Prices, type Size } from '../advise/prices.ts'
import { formatAmount } from '../text/quantity.ts'
import { linearWeight, runtimeWeight } from './cpu-formulas.ts'
import type { Problem } from './documents.ts'
import { effectiveLimits, effectiveRequests, type QosClass, qosClassOf, requestTerms } from './effective.ts'
import { type EvictionRank, evictionOrder } from './eviction.ts'
import { containerFigures, oomScoreOf, podFigures, sharedFigures } from './figures.ts'
import { groupFiles } from './group-files.ts'
import { containerPaths, type DriverPaths, groupPaths, qosLevels } from './group-names.ts'
import type { Kubelet } from './kubelet.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { allocatable, type NodeSize } from './node.ts'
import { outlookOf, type PodOutcome } from './outlook.ts'
import { cpuOf, type ManifestPod, memoryOf, type PodAmounts } from './pod.ts'

/** A control group with the values of its files. */
interface ExplainedGroup {
  name: string
  paths: DriverPaths
  files: { readonly [file: string]: string }
}

/** A container of an explained pod. */
interface ExplainedContainer extends ExplainedGroup {
  kind: 'container' | 'init' | 'sidecar'
  oomScoreAdj: number
  /** cpu.weight by both formulas of container runtimes. */
  weights: { linear: number; quadratic: number }
}

/** An explained pod: its own group, and those of its containers. */
export interface ExplainedPod extends ExplainedGroup {
  kind: string
  namespace: string
  count: number
  qosClass: QosClass
  priority: number
  /** What the scheduler counts, as quantities. */
  requests: { readonly [resource: string]: string }
  /** The amounts whose sum is the request of cpu, and of memory. */
  terms: { readonly [resource: string]: { from: 'container' | 'pod' | 'overhead'; name: string; amount: string }[] }
  limits: { readonly [resource: string]: string }
  overhead: { readonly [resource: string]: string }
  containers: ExplainedContainer[]
  outlook: PodOutcome[]
  /** What the requests of all pods cost; present if prices are known. */
  cost?: { hour: string; month: string }
}

/** An explained manifest. */
export interface KubeExplanation {
  kubernetes: string
  cgroup: 'v1' | 'v2'
  node: NodeSize
  /** What the scheduler may give to pods, in milli-CPUs and bytes. */
  allocatable: { milliCpus: number; memory: number }
  /** Groups that pods share: that of all pods, and those of QoS classes. */
  groups: ExplainedGroup[]
  pods: ExplainedPod[]
  eviction: {
    namespace: string
    name: string
    kind: string
    usage: number
    from: EvictionRank['from']
    request: number
    priority: number
    evicted: boolean
  }[]
  /** What the requests of all pods of the manifest cost; present if prices are known. */
  cost?: { hour: string; month: string }
  problems: Problem[]
  ignored: { readonly [kind: string]: number }
}

/** Words for ids that exist only in a cluster. */
const unknownIds = { uid: '<uid>', id: '<container-id>' }

function textsOf(amounts: PodAmounts): { [resource: string]: string } {
  const sorted = [...amounts].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(sorted.map(([name, amount]) => [name, formatAmount(name, amount)]))
}

/** Explains one pod. `ids` are those of its group and of its containers' groups. */
export function explainPod(pod: ManifestPod, kubelet: Kubelet, node: NodeSize, ids = unknownIds): ExplainedPod {
  const qosClass = qosClassOf(pod)
  const paths = groupPaths([...qosLevels(qosClass), `pod${pod.uid ?? ids.uid}`])
  return {
    kind: pod.kind,
    namespace: pod.namespace,
    name: pod.name,
    count: pod.count,
    qosClass,
    priority: pod.priority,
    requests: textsOf(effectiveRequests(pod)),
    terms: Object.fromEntries(
      ['cpu', 'memory'].map((resource) => [
        resource,
        requestTerms(pod, resource).map((term) => ({ ...term, amount: formatAmount(resource, term.amount) })),
      ]),
    ),
    limits: textsOf(effectiveLimits(pod)),
    overhead: textsOf(pod.overhead),
    paths,
    files: groupFiles(podFigures(pod, kubelet, node), kubelet.cgroup),
    containers: pod.containers.map((container): ExplainedContainer => {
      const figures = containerFigures(pod, container, kubelet, node)
      return {
        name: container.name,
        kind: container.kind,
        paths: containerPaths(paths, ids.id, kubelet.scope),
        files: groupFiles(figures, kubelet.cgroup),
        oomScoreAdj: oomScoreOf(pod, container, node),
        weights: { linear: linearWeight(figures.shares), quadratic: runtimeWeight(figures.shares, 'quadratic') },
      }
    }),
    outlook: outlookOf(pod, kubelet, node),
  }
}

/** Returns the groups that the pods share, as on a node where only these pods run. */
function explainShared(pods: readonly ManifestPod[], kubelet: Kubelet, node: NodeSize): ExplainedGroup[] {
  const figures = sharedFigures(pods, kubelet, node)
  const classes = new Set(pods.map(qosClassOf))
  const all = [
    { name: 'kubepods', levels: [], figures: figures.kubepods, isUsed: true },
    { name: 'burstable', levels: ['burstable'], figures: figures.burstable, isUsed: classes.has('Burstable') },
    { name: 'besteffort', levels: ['besteffort'], figures: figures.besteffort, isUsed: classes.has('BestEffort') },
  ]
  return all
    .filter(({ isUsed }) => isUsed && pods.length > 0)
    .map((one) => ({ name: one.name, paths: groupPaths(one.levels), files: groupFiles(one.figures, kubelet.cgroup) }))
}

function sizeOf(pod: ManifestPod): Size {
  const requests = effectiveRequests(pod)
  return { milliCpus: cpuOf(requests), memory: memoryOf(requests) }
}

/** Returns what all pods request together. */
function sizeOfAll(pods: readonly ManifestPod[]): Size {
  const sum = (part: keyof Size) => pods.reduce((total, pod) => total + sizeOf(pod)[part] * pod.count, 0)
  return { milliCpus: sum('milliCpus'), memory: sum('memory') }
}

/** Explains the text of a manifest. `usages` are bytes of memory by the name of the object. */
export function explainManifest(
  text: string,
  kubelet: Kubelet,
  node: NodeSize,
  usages: ReadonlyMap<string, number> = new Map(),
  prices?: Prices,
): { explanation: KubeExplanation; manifest: Manifest } {
  const manifest = readManifest(text, kubelet)
  const { pods, problems, ignored } = manifest
  const explanation = {
    kubernetes: `1.${kubelet.minor}`,
    cgroup: kubelet.cgroup,
    node,
    allocatable: allocatable(node, kubelet, true),
    groups: explainShared(pods, kubelet, node),
    pods: pods.map((pod) => ({
      ...explainPod(pod, kubelet, node),
      ...(prices && { cost: costOf(sizeOf(pod), prices, pod.count) }),
    })),
    ...(prices && { cost: costOf(sizeOfAll(pods), prices) }),
    eviction: evictionOrder(pods, kubelet, node, usages).map(({ pod, ...rank }) => ({
      namespace: pod.namespace,
      name: pod.name,
      kind: pod.kind,
      priority: pod.priority,
      ...rank,
    })),
    problems,
    ignored: Object.fromEntries(ignored),
  }
  return { explanation, manifest }
}
