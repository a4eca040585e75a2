// SPDX-License-Identifier: Apache-2.0
// Formats an explained manifest for people. Pure.
import { paint } from '../text/paint.ts'
import { formatMilli } from '../text/quantity.ts'
import { escapeUnsafe } from '../text/quote.ts'
import { formatTable } from '../text/terminal-text.ts'
import { formatSize } from '../text/units.ts'
import type { Problem } from './documents.ts'
import type { ExplainedPod, KubeExplanation } from './explain.ts'
import { isDefault } from './group-files.ts'
import type { Kubelet } from './kubelet.ts'
import type { PodOutcome } from './outlook.ts'

/** Formats a list of amounts, such as `cpu 250m, memory 64Mi`. */
function formatAmounts(amounts: { readonly [resource: string]: string }): string {
  const parts = Object.entries(amounts).map(([name, amount]) => `${escapeUnsafe(name)} ${amount}`)
  return parts.join(', ') || 'none'
}

/** Formats what is wrong with a manifest, one problem in two lines. */
export function formatProblems(problems: readonly Problem[], file: string, color: boolean): string[] {
  return problems.flatMap(({ severity, line, path, what, remedy, object }) => [
    `${escapeUnsafe(file)}:${line}: ${paint(severity === 'error' ? 'boldRed' : 'yellow', severity, color)}: ${escapeUnsafe(
      `${object === undefined ? '' : `${object}: `}${path === '' ? '' : `${path} `}${what}`,
    )}`,
    `  remedy: ${escapeUnsafe(remedy)}`,
  ])
}

/** Formats the table of a pod's groups. Files whose value is the kernel's default everywhere are left out. */
function formatGroups({ groups }: KubeExplanation, pod: ExplainedPod): string[] {
  const shared = groups.filter(({ paths }) => pod.paths.cgroupfs.startsWith(`${paths.cgroupfs}/`))
  const marks = { container: '', init: ' (init)', sidecar: ' (sidecar)' }
  const rows = [
    ...shared.map((group) => ({ name: group.name, files: group.files, score: '' })),
    { name: 'pod', files: pod.files, score: '' },
    ...pod.containers.map(({ name, kind, files, oomScoreAdj }) => ({
      name: `  ${name}${marks[kind]}`,
      files,
      score: String(oomScoreAdj),
    })),
  ]
  const all = [...new Set(rows.flatMap(({ files }) => Object.keys(files)))]
  // without a request of huge pages, every limit of theirs is 0 or max
  const isPlain = (file: string, value: string) =>
    isDefault(file, value) || (file.startsWith('hugetlb.') && value === '0')
  const shown = all.filter((file) => rows.some(({ files }) => files[file] !== undefined && !isPlain(file, files[file])))
  const table = [
    ['GROUP', ...shown, 'oom_score_adj'],
    ...rows.map(({ name, files, score }) => [escapeUnsafe(name), ...shown.map((file) => files[file] ?? ''), score]),
  ]
  const right = new Set([...table[0]!.keys()].slice(1))
  return formatTable(table, { right })
}

/** Describes an outcome in one sentence. */
function describeOutcome({ kind, container, at, resource, whole }: PodOutcome, { periodUsec }: Kubelet): string {
  const who = container === undefined ? 'the pod' : escapeUnsafe(container)
  const cpus = `${at / 1000} CPU${at === 1000 ? '' : 's'}`
  const period = periodUsec / 1000
  const quota = (at * period) / 1000
  const texts: { [kind in PodOutcome['kind']]: string } = {
    pending:
      resource === 'cpu'
        ? `stays pending: the node can give less than the requested ${formatMilli(at)} CPU`
        : `stays pending: the node can give less than the requested ${formatSize(at)}`,
    'cpu-throttled': `is throttled above ${cpus}: ${quota} ms of CPU time in each ${period} ms; ${spent(quota, period)}`,
    'cpu-shared':
      at === 0
        ? 'has no CPU limit and no CPU request: under contention, it gets the smallest share'
        : `has no CPU limit; under contention, it gets the share of ${formatMilli(at)} CPU`,
    'memory-throttled': `is slowed down above ${formatSize(at)} (memory.high)`,
    'container-killed': `is killed above ${formatSize(at)} (memory.max): ${whole ? 'all its processes end' : 'the kernel selects one process'}`,
    'pod-killed': `has a process killed if its containers use more than ${formatSize(at)} together (memory.max of the pod)`,
    'node-pressure': `has no memory limit: it grows until the node has too little memory, and pods are evicted`,
  }
  return `${who} ${texts[kind]}`
}

/** Tells how soon several threads use up a quota. */
function spent(quota: number, period: number): string {
  const threads = Math.max(2, Math.ceil(quota / period) * 4)
  return `${threads} busy threads use it up in ${Math.round((quota / threads) * 10) / 10} ms`
}

const percent = (part: number, whole: number) => `${Math.round((part / whole) * 100)} %`

/** Formats everything that is known of a manifest, except its problems. */
export function formatManifest(explanation: KubeExplanation, kubelet: Kubelet, color: boolean): string[] {
  const { kubernetes, cgroup, node, allocatable, pods, eviction, ignored } = explanation
  const head = [
    `Kubernetes ${kubernetes}, cgroup ${cgroup}, node with ${formatMilli(node.milliCpus)} CPUs and ${formatSize(node.memory)}` +
      ` (for pods: ${formatMilli(allocatable.milliCpus)} CPUs, ${formatSize(allocatable.memory)})`,
  ]
  const others = Object.entries(ignored).map(([kind, count]) => `${count} ${escapeUnsafe(kind)}`)
  if (others.length > 0) head.push(`Without pods: ${others.join(', ')}`)
  const parts = pods.map((pod) => {
    const { kind, namespace, name, count, qosClass, requests, limits, overhead, priority, containers, cost } = pod
    const title = `${kind} ${escapeUnsafe(namespace)}/${escapeUnsafe(name)}${count === 1 ? '' : `, ${count} pods`}: ${qosClass}`
    return [
      '',
      paint('bold', title, color),
      `  requests: ${formatAmounts(requests)}; limits: ${formatAmounts(limits)}` +
        `${Object.keys(overhead).length === 0 ? '' : `; of these, overhead: ${formatAmounts(overhead)}`}${priority === 0 ? '' : `; priority ${priority}`}`,
      ...formatTerms(pod),
      `  cgroup: ${escapeUnsafe((containers.at(-1) ?? pod).paths[kubelet.cgroupDriver])}`,
      `  ${kubelet.cgroupDriver === 'systemd' ? 'with the driver cgroupfs' : 'with the driver systemd'}: ${escapeUnsafe((containers.at(-1) ?? pod).paths[kubelet.cgroupDriver === 'systemd' ? 'cgroupfs' : 'systemd'])}`,
      ...formatGroups(explanation, pod).map((line) => `  ${line}`),
      ...weightNote(pod, kubelet),
      ...(cost ? [`  cost of the requests: ${cost.hour} an hour, ${cost.month} a month`] : []),
      '  What happens first:',
      ...pod.outlook.map((outcome) => `    ${describeOutcome(outcome, kubelet)}`),
    ]
  })
  const all = explanation.cost
  const sum = all && pods.length > 1 ? ['', `Cost of all requests: ${all.hour} an hour, ${all.month} a month`] : []
  return [...head, ...parts.flat(), ...sum, ...formatEviction(eviction, node.memory)]
}

/** Formats what the request of a resource consists of, if it is a sum, or if an init container decides it. */
function formatTerms({ terms, requests, containers }: ExplainedPod): string[] {
  const init = new Set(containers.filter(({ kind }) => kind === 'init').map(({ name }) => name))
  return Object.entries(terms).flatMap(([resource, list]) => {
    const phase = list.find(({ from, name }) => from === 'container' && init.has(name))
    if (list.length < 2 && phase === undefined) return []
    const sum = list.map(({ name, amount }) => `${escapeUnsafe(name)} ${amount}`).join(' + ')
    const when = phase === undefined ? '' : `, while the init container ${escapeUnsafe(phase.name)} runs`
    return [`  requested ${resource}: ${sum} = ${requests[resource]}${when}`]
  })
}

/** Names the other formula's weights, if a container has another weight by it. */
function weightNote(pod: ExplainedPod, { weight, cgroup }: Kubelet): string[] {
  if (cgroup === 'v1') return []
  const other = weight === 'linear' ? 'quadratic' : 'linear'
  const runtimes = { linear: 'runc before 1.3.2 and crun before 1.23', quadratic: 'runc 1.3.2, crun 1.23 and newer' }
  const weights = pod.containers.map(({ name, weights }) => `${escapeUnsafe(name)} ${weights[other]}`)
  return [`  cpu.weight with ${runtimes[other]}: ${weights.join(', ')}`]
}

const sources = { given: '', limit: ' (its limit)', node: ' (all: it has no limit)' } as const

function formatEviction(eviction: KubeExplanation['eviction'], memory: number): string[] {
  if (eviction.length < 2) return []
  const rows = eviction.map(({ kind, namespace, name, usage, from, request, priority, evicted }, i) => [
    evicted ? String(i + 1) : 'never',
    escapeUnsafe(`${kind} ${namespace}/${name}`),
    `${formatSize(usage)}${sources[from]}`,
    formatSize(request),
    usage > request ? `${formatSize(usage - request)} above` : 'within',
    String(priority),
    percent(usage, memory),
  ])
  const titles = ['', 'POD', 'USE', 'REQUEST', 'REQUEST EXCEEDED', 'PRIORITY', 'OF NODE']
  return [
    '',
    'Order of eviction if the node has too little memory:',
    ...formatTable([titles, ...rows]).map((line) => `  ${line}`),
  ]
}
