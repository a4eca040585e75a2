// SPDX-License-Identifier: Apache-2.0
// Writes the manifest for what ran, or for the limits of a group, so that `kube explain` gives the same figures. Pure.
import { basename } from '../system/paths.ts'
import { formatAmount, formatMilli, milliOf, parseQuantity, quantityOf } from '../text/quantity.ts'
import { formatSize } from '../text/units.ts'
import type { Usage } from '../verdict/usage.ts'
import { leastMemory } from './check-resources.ts'
import { runtimeWeight, sharesOfMilli } from './cpu-formulas.ts'
import { suggestName } from './object-names.ts'

/** An amount for the manifest, with its reason. */
interface Needed {
  amount: string
  reason: string
}

/** What the manifest asks for. */
interface PodNeeds {
  /** Name of the object if the user gives none. */
  name: string
  command: readonly string[]
  requests: { cpu?: Needed; memory?: Needed }
  limits: { cpu?: Needed; memory?: Needed }
  pids?: number
  /** True for a command that ended, false for a service. */
  ends: boolean
}

/** What a run or a group says of its limits and of its use. */
export interface Observed {
  /** Name of the group. Absent for a run, which has the name of its command. */
  name?: string
  /** Empty for a group. */
  command: readonly string[]
  /** Limits by kernel file under v2 names; cpu.shares instead of cpu.weight on v1. */
  limits: { readonly [file: string]: number | string | undefined }
  usage: Pick<Usage, 'memoryPeak' | 'cpuUsec'>
  /** Milliseconds that the run took. Absent for a group. */
  durationMs?: number
}

/** Share by which memory is above the measured peak: VPA's default of recommendation-margin-fraction. */
const margin = 0.15
const mebibyte = 2 ** 20

/** Returns the smallest request of milli-CPUs that gives at least these cpu.shares. */
function milliOfShares(shares: number): number {
  return Math.ceil((shares * 1000) / 1024)
}

/** Returns the smallest request of milli-CPUs that gives at least this cpu.weight. */
function milliOfWeight(weight: number, formula: 'linear' | 'quadratic'): number {
  let [low, high] = [1, 256_000]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (runtimeWeight(sharesOfMilli(middle), formula) < weight) low = middle + 1
    else high = middle
  }
  return low
}

/** Returns a number of a limit; undefined if there is no limit. */
function numberOf(limit: number | string | undefined): number | undefined {
  const number = typeof limit === 'string' && /^\d+$/.test(limit) ? Number(limit) : limit
  return typeof number === 'number' && number > 0 ? number : undefined
}

function cpuLimit(limit: number | string | undefined): Needed | undefined {
  const [, quota, period] = /^(\d+) (\d+)$/.exec(String(limit)) ?? []
  if (quota === undefined) return undefined
  return { amount: formatMilli(Math.ceil((Number(quota) * 1000) / Number(period))), reason: `cpu.max is ${limit}` }
}

/** Derives what a manifest must ask for. A limit is taken over exactly; without one, the measured use counts. */
export function podNeeds(
  { name, command, limits, usage, durationMs }: Observed,
  formula: 'linear' | 'quadratic',
): PodNeeds {
  const memoryMax = numberOf(limits['memory.max'])
  const kept = numberOf(limits['memory.min']) ?? numberOf(limits['memory.low'])
  const shares = numberOf(limits['cpu.shares'])
  const weight = numberOf(limits['cpu.weight'])
  const bytes = (amount: number) => formatAmount('memory', quantityOf(amount))
  const peak = usage.memoryPeak
  const roomy = peak === undefined ? undefined : Math.ceil((peak * (1 + margin)) / mebibyte) * mebibyte
  const isTiny = roomy !== undefined && roomy < leastMemory
  const memory: Needed | undefined =
    memoryMax !== undefined
      ? { amount: bytes(memoryMax), reason: 'memory.max' }
      : roomy !== undefined && durationMs !== undefined
        ? {
            amount: bytes(Math.max(roomy, leastMemory)),
            reason: `peak of ${formatSize(peak!)}${isTiny ? '; runtimes need this much to start a container' : `, and ${margin * 100} %`}`,
          }
        : undefined
  const average = usage.cpuUsec !== undefined && durationMs ? usage.cpuUsec / durationMs : undefined
  const cpu = cpuLimit(limits['cpu.max'])
  const milli =
    shares !== undefined && shares !== 1024
      ? { amount: formatMilli(milliOfShares(shares)), reason: `cpu.shares is ${shares}` }
      : weight !== undefined && weight !== 100
        ? { amount: formatMilli(milliOfWeight(weight, formula)), reason: `cpu.weight is ${weight}` }
        : average !== undefined
          ? {
              amount: formatMilli(Math.max(10, Math.ceil(average / 10) * 10)),
              reason: 'CPU time of the run, divided by its time',
            }
          : undefined
  const request =
    milli && cpu && milliOfText(milli.amount) > milliOfText(cpu.amount) ? { ...cpu, reason: 'as the limit' } : milli
  const low = kept !== undefined && memoryMax !== undefined && kept > memoryMax ? undefined : kept
  const pids = numberOf(limits['pids.max'])
  return {
    name: name ?? basename(command[0] ?? '').replace(/\.\w{1,4}$/, ''),
    command,
    requests: {
      ...(request && { cpu: request }),
      ...(low !== undefined
        ? { memory: { amount: bytes(low), reason: limits['memory.min'] ? 'memory.min' : 'memory.low' } }
        : memory && { memory }),
    },
    limits: { ...(cpu && { cpu }), ...(memory && { memory }) },
    ...(pids !== undefined && { pids }),
    ends: durationMs !== undefined,
  }
}

function milliOfText(amount: string): number {
  return milliOf(parseQuantity(amount)!)
}

/** What a user chooses for the manifest. */
export interface ManifestChoice {
  kind: 'Pod' | 'Deployment' | 'Job'
  name?: string | undefined
  image?: string | undefined
}

/** Kinds of objects that can be written. */
export const generatedKinds: readonly ManifestChoice['kind'][] = ['Pod', 'Deployment', 'Job']

/** The annotation with the limit of tasks: Kubernetes has no field for it in a pod. */
const pidsAnnotation = 'hutch.example/pids-max'

/** Quotes a name for YAML if it would be a truth value, a number or nothing there. */
function quotedName(name: string): string {
  return /^(true|false|null|yes|no|on|off|y|n|[-.\d].*)$/.test(name) ? quoted(name) : name
}

/** Quotes a text for YAML, as JSON does. */
const quoted = (text: string) => JSON.stringify(text)

/** Formats the manifest. */
export function formatGenerated(
  needs: PodNeeds,
  { kind, name: chosen, image: given }: ManifestChoice,
  origin: string,
): string {
  const plain = chosen ?? suggestName(needs.name)
  const name = quotedName(plain)
  const image = given ?? `registry.example/${plain}:latest`
  const amounts = (field: 'requests' | 'limits') =>
    Object.entries(needs[field]).map(([resource, { amount, reason }]) => `    ${resource}: ${amount} # ${reason}`)
  const block = (field: 'requests' | 'limits') =>
    amounts(field).length === 0 ? [] : [`  ${field}:`, ...amounts(field)]
  const resources = [...block('requests'), ...block('limits')]
  const container = [
    `- name: ${name}`,
    `  image: ${quoted(image)}${given === undefined ? ' # replace it, or give --image' : ''}`,
    ...(needs.command.length === 0 ? [] : [`  command: [${needs.command.map(quoted).join(', ')}]`]),
    ...(resources.length === 0 ? [] : ['  resources:', ...indent(resources, 2)]),
  ]
  const policy = kind === 'Job' || (kind === 'Pod' && needs.ends) ? ['restartPolicy: Never'] : []
  const spec = ['spec:', ...indent([...policy, 'containers:', ...indent(container, 2)], 2)]
  const annotations =
    needs.pids === undefined
      ? []
      : [
          'annotations:',
          `  ${pidsAnnotation}: "${needs.pids}" # Kubernetes limits tasks per node: podPidsLimit of the kubelet`,
        ]
  const template = [
    ...(kind === 'Deployment' || annotations.length > 0
      ? ['metadata:', ...indent([...(kind === 'Deployment' ? [`labels: { app: ${name} }`] : []), ...annotations], 2)]
      : []),
    ...spec,
  ]
  const body = {
    Pod: ['metadata:', ...indent([`name: ${name}`, ...annotations], 2), ...spec],
    Deployment: [
      'metadata:',
      `  name: ${name}`,
      'spec:',
      ...indent(['replicas: 1', `selector: { matchLabels: { app: ${name} } }`, 'template:', ...indent(template, 2)], 2),
    ],
    Job: ['metadata:', `  name: ${name}`, 'spec:', ...indent(['template:', ...indent(template, 2)], 2)],
  }[kind]
  const versions = { Pod: 'v1', Deployment: 'apps/v1', Job: 'batch/v1' }
  return `${[`# hutch kube generate: ${origin.replace(/[^\x20-\x7e]/g, '?')}`, `apiVersion: ${versions[kind]}`, `kind: ${kind}`, ...body].join('\n')}\n`
}

function indent(lines: readonly string[], width: number): string[] {
  return lines.map((line) => `${' '.repeat(width)}${line}`)
}
