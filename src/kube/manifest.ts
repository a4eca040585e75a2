// SPDX-License-Identifier: Apache-2.0
// Reads the pods of a manifest, and reports everything that the API server would refuse, and what is probably mistaken. Pure.

import { nearest } from '../text/nearest.ts'
import { plain } from '../text/quote.ts'
import { checkFields, isRecord, type ReportProblem, valueAt } from './check-fields.ts'
import { checkPodSpec } from './check-pod.ts'
import { checkPodLevel, checkResources, readAmounts, readResourceBlock } from './check-resources.ts'
import { checkMetadata, checkPriorityClass, checkWorkload } from './check-workload.ts'
import { type FieldPath, formatPath, type ManifestDocument, type Problem, readDocuments } from './documents.ts'
import { aggregate } from './effective.ts'
import type { FieldType } from './field-types.ts'
import { manifestKinds, objectFields } from './fields.ts'
import type { Kubelet } from './kubelet.ts'
import { entriesOf } from './list-entries.ts'
import {
  type ManifestClasses,
  type ManifestPod,
  makePod,
  type PodAmounts,
  type PodContainer,
  systemPriorities,
} from './pod.ts'

/** The pods of a manifest, and what is wrong with it. */
export interface Manifest {
  pods: ManifestPod[]
  problems: Problem[]
  /** Kinds of objects without pods, with their number. */
  ignored: ReadonlyMap<string, number>
}

/** An object of the manifest, with the path from its document. */
interface ManifestObject {
  document: ManifestDocument
  at: FieldPath
  value: { readonly [key: string]: unknown }
}

/** Returns the objects of a document. A List contains several. */
function objectsOf(document: ManifestDocument, problems: Problem[]): ManifestObject[] {
  const { value } = document
  const refuse = (path: FieldPath, what: string, remedy: string) => {
    problems.push({ severity: 'error', line: document.lineOf(path), path: formatPath(path), what, remedy })
    return []
  }
  if (!isRecord(value)) return refuse([], 'is not an object', 'begin with apiVersion, kind and metadata')
  if (typeof value.kind !== 'string' || !/^([A-Z]\w*)?List$/.test(value.kind)) return [{ document, at: [], value }]
  if (!Array.isArray(value.items)) return refuse(['items'], 'is not a list', 'write the objects as items of a list')
  return value.items.flatMap((item: unknown, i): ManifestObject[] =>
    isRecord(item)
      ? [{ document, at: ['items', i], value: item }]
      : refuse(['items', i], 'is not an object', 'begin with apiVersion, kind and metadata'),
  )
}

/** Reads a manifest as a kubelet of the given version gets it. */
export function readManifest(text: string, kubelet: Kubelet): Manifest {
  const { documents, problems } = readDocuments(text)
  const objects = documents.flatMap((document) => objectsOf(document, problems))
  if (objects.length === 0 && problems.length === 0)
    problems.push({
      severity: 'error',
      line: 1,
      path: '',
      what: 'the file contains no object',
      remedy: 'give a manifest',
    })
  const ignored = new Map<string, number>()
  const checked = objects.map((object) => checkObject(object, kubelet, problems, ignored))
  const classes = readClasses(checked.flatMap((one) => (one === undefined ? [] : [one.value])))
  const pods = checked.flatMap((one) => (one === undefined ? [] : podsOf(one.value, classes, kubelet)))
  for (const one of checked) if (one) checkClasses(one.value, classes, one.report)
  refuseSameNames(checked, problems)
  return { pods, problems: problems.sort((a, b) => a.line - b.line), ignored }
}

type Checked = { value: ManifestObject['value']; report: ReportProblem; line: number }

/** Returns true for an API version of a group outside Kubernetes, whose kinds can have the names of Kubernetes' own. */
function isForeignGroup(apiVersion: string): boolean {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0]! : ''
  return group.includes('.') && !group.endsWith('.k8s.io')
}

/** Checks an object. Returns it if it can be explained. */
function checkObject(
  { document, at, value }: ManifestObject,
  kubelet: Kubelet,
  problems: Problem[],
  ignored: Map<string, number>,
): Checked | undefined {
  const name = valueAt(value, ['metadata', 'name'])
  const object = `${plain(value.kind ?? 'object')}${typeof name === 'string' ? ` ${name}` : ''}`
  let holds = true
  const report: ReportProblem = (path, what, remedy, severity) => {
    if (severity === undefined) holds = false
    const whole = [...at, ...path]
    problems.push({
      severity: severity ?? 'error',
      line: document.lineOf(whole),
      path: formatPath(whole),
      what,
      remedy:
        typeof remedy === 'string' ? remedy : remedy(document.sourceOf(whole) ?? plain(valueAt(document.value, whole))),
      object,
    })
  }
  const kind = value.kind
  if (typeof kind !== 'string' || typeof value.apiVersion !== 'string') {
    for (const key of ['apiVersion', 'kind'])
      if (typeof value[key] !== 'string')
        report([key], value[key] === undefined ? 'is missing' : 'is not a text', `add ${key}`)
    return undefined
  }
  const facts = Object.hasOwn(manifestKinds, kind) ? manifestKinds[kind] : undefined
  const isForeign = isForeignGroup(value.apiVersion)
  if (kind === 'Kustomization')
    report([], 'names the files of other manifests', 'kubectl kustomize DIRECTORY | hutch kube explain -', 'warning')
  if (facts === undefined || isForeign) {
    const near = nearest(kind, Object.keys(manifestKinds))
    // the name of another kind, such as Service, resembles none of these
    if (
      !isForeign &&
      near !== undefined &&
      (near.toLowerCase() === kind.toLowerCase() || Math.abs(near.length - kind.length) <= 2)
    )
      report(['kind'], `is ${kind}, which is unknown`, `write ${near}`)
    else if (!/^[A-Z]\w*$/.test(kind)) report(['kind'], 'is not the name of a kind', 'write a kind such as Pod')
    else ignored.set(kind, (ignored.get(kind) ?? 0) + 1)
    return undefined
  }
  if (value.apiVersion !== facts.apiVersion)
    report(['apiVersion'], `is ${value.apiVersion}, which has no ${kind}`, `write apiVersion: ${facts.apiVersion}`)
  const fields: FieldType = { ...objectFields, ...facts.fields }
  const fits = checkFields(value, fields, [], report)
  checkMetadata(value.metadata, ['metadata'], facts, report)
  checkWorkload(value, kind, facts, report)
  if (kind === 'PriorityClass') checkPriorityClass(value, report)
  const spec = facts.pod === undefined ? undefined : valueAt(value, facts.pod)
  if (facts.pod !== undefined && isRecord(spec)) {
    const claims = entriesOf(valueAt(value, ['spec', 'volumeClaimTemplates']), [])
    const names = claims.map(({ entry }) => valueAt(entry, ['metadata', 'name']))
    checkPodSpec(spec, facts.pod, names, kubelet.minor, report)
    if (fits) checkOwn(spec, facts.pod, kubelet, report)
  }
  return holds ? { value, report, line: document.lineOf(at) } : undefined
}

/** Checks the resources of the pod as a whole, and features that this version ignores. */
function checkOwn(
  spec: { readonly [key: string]: unknown },
  path: FieldPath,
  kubelet: Kubelet,
  report: ReportProblem,
): void {
  const lists = (['initContainers', 'containers'] as const).flatMap((key) => entriesOf(spec[key], [...path, key]))
  for (const { entry, at } of lists)
    if (entry.restartPolicy === 'Always' && at.at(-2) === 'initContainers' && !kubelet.gates.SidecarContainers)
      report(
        [...at, 'restartPolicy'],
        `is ignored: Kubernetes 1.${kubelet.minor} has no sidecar containers, so this container blocks the start until it ends`,
        'use Kubernetes 1.29 or newer, or make it a regular container',
        'warning',
      )
  if (spec.resources === undefined) return
  if (!kubelet.gates.PodLevelResources) {
    report(
      [...path, 'resources'],
      `is ignored: Kubernetes 1.${kubelet.minor} has no resources of whole pods`,
      'use Kubernetes 1.34 or newer, or give resources of containers',
      'warning',
    )
    return
  }
  const containers = lists.map(({ entry, at }): PodContainer & { path: FieldPath; resources: unknown } => ({
    name: plain(entry.name),
    kind: at.at(-2) === 'containers' ? 'container' : entry.restartPolicy === 'Always' ? 'sidecar' : 'init',
    ...readResourceBlock(entry.resources),
    resources: entry.resources,
    path: at,
  }))
  const sum = aggregate(containers, 'requests')
  checkPodLevel(spec.resources, containers, (name) => sum.get(name) ?? 0n, [...path, 'resources'], report)
  checkResources(spec.resources, [...path, 'resources'], report)
}

/** Returns the overheads and priorities that objects of the manifest define. */
function readClasses(objects: readonly ManifestObject['value'][]): ManifestClasses {
  const overheads = new Map<string, PodAmounts>()
  const priorities = new Map<string, number>()
  for (const { kind, metadata, overhead, value } of objects) {
    const name = plain(valueAt(metadata, ['name']))
    if (kind === 'RuntimeClass') overheads.set(name, readAmounts(valueAt(overhead, ['podFixed'])))
    if (kind === 'PriorityClass' && typeof value === 'number') priorities.set(name, value)
  }
  return { overheads, priorities }
}

/** Warns of classes that the manifest does not define, so that their values are unknown here. */
function checkClasses(value: ManifestObject['value'], classes: ManifestClasses, report: ReportProblem): void {
  const path = manifestKinds[plain(value.kind)]?.pod
  const spec = path && valueAt(value, path)
  if (!path || !isRecord(spec)) return
  const { priorityClassName, priority, runtimeClassName, overhead } = spec
  const known = (name: string) => classes.priorities.get(name) ?? systemPriorities.get(name)
  if (typeof priorityClassName === 'string' && priority === undefined && known(priorityClassName) === undefined)
    report(
      [...path, 'priorityClassName'],
      `the value of the PriorityClass ${priorityClassName} is unknown here; 0 is assumed`,
      'add the PriorityClass to the file',
      'warning',
    )
  if (typeof priority === 'number' && (known(plain(priorityClassName ?? '')) ?? 0) !== priority)
    report([...path, 'priority'], 'differs from the value of the priority class', 'remove it: the API server sets it')
  if (typeof runtimeClassName === 'string' && overhead === undefined && !classes.overheads.has(runtimeClassName))
    report(
      [...path, 'runtimeClassName'],
      `the overhead of the RuntimeClass ${runtimeClassName} is unknown here; none is assumed`,
      'add the RuntimeClass to the file',
      'warning',
    )
}

/** Returns the pods of an object: one entry for all that are alike. */
function podsOf(object: ManifestObject['value'], classes: ManifestClasses, kubelet: Kubelet): ManifestPod[] {
  const kind = plain(object.kind)
  const { pod, count } = manifestKinds[kind]!
  const spec = pod && valueAt(object, pod)
  if (!isRecord(spec)) return []
  const text = (key: string) => {
    const value = valueAt(object, ['metadata', key])
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const uid = kind === 'Pod' ? text('uid') : undefined
  const number = count && valueAt(object, count)
  const identity = {
    kind,
    namespace: text('namespace') ?? 'default',
    name: text('name') ?? `${text('generateName') ?? ''}…`,
    count: typeof number === 'number' ? number : 1,
    isMirror: valueAt(object, ['metadata', 'annotations', 'kubernetes.io/config.mirror']) !== undefined,
    ...(uid !== undefined && { uid }),
  }
  return [makePod(identity, spec, classes, kubelet)]
}

/** Reports objects of the same kind and name in one namespace. */
function refuseSameNames(checked: readonly (Checked | undefined)[], problems: Problem[]): void {
  const lines = new Map<string, number>()
  for (const one of checked) {
    const name = valueAt(one?.value, ['metadata', 'name'])
    if (one === undefined || typeof name !== 'string') continue
    const key = `${plain(one.value.kind)} ${plain(valueAt(one.value, ['metadata', 'namespace']) ?? 'default')}/${name}`
    const before = lines.get(key)
    if (before !== undefined)
      problems.push({
        severity: 'error',
        line: one.line,
        path: 'metadata.name',
        what: `is that of the ${plain(one.value.kind)} in line ${before}, which it would replace`,
        remedy: 'give it another name',
        object: `${plain(one.value.kind)} ${name}`,
      })
    lines.set(key, one.line)
  }
}
