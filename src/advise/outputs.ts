// SPDX-License-Identifier: Apache-2.0
// Writes requests and limits for those that apply them: Kubernetes, Compose, Docker, systemd, Slurm and hutch. Pure.
import { formatBytes, formatMilli } from '../text/quantity.ts'
import { shellWord } from '../text/quote.ts'
import type { Resources } from './advice.ts'

/** What an output needs besides the resources. */
interface OutputInput {
  resources: Resources
  /** Empty if it is unknown: then an image has its own. */
  command: readonly string[]
  /** Name of the container, service or deployment: a DNS label. */
  name: string
  image: string
  replicas: number
}

const mib = 2 ** 20

/** Rounds a size up to whole MiB, or to whole KiB if that would add too much. */
function roundSize(bytes: number): number {
  const unit = bytes >= 64 * mib ? mib : 1024
  return Math.ceil(bytes / unit) * unit
}

/** Docker refuses a lower limit. */
const dockerLeast = 6 * mib

/** Returns a size in the form of docker and Compose. */
function dockerSize(bytes: number): string {
  return `${roundSize(Math.max(bytes, dockerLeast)) / 1024}k`
}

/** Returns the words of the command for a shell; a placeholder if it is unknown. */
function shellCommand(command: readonly string[]): string[] {
  return command.length === 0 ? ['COMMAND'] : command.map(shellWord)
}

/** Returns a name for a container from the command: a DNS label. */
export function containerName([file = 'job']: readonly string[]): string {
  const label = file
    .slice(file.lastIndexOf('/') + 1)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '')
  return label === '' ? 'job' : label
}

/** The fields of `resources` of a container: requests and limits as quantities. */
export function kubernetesResources(resources: Resources): {
  [kind in 'requests' | 'limits']?: { [name: string]: string }
} {
  const { memoryRequest, memoryLimit, milliRequest, milliLimit } = resources
  const quantities = (cpu?: number, memory?: number) => ({
    ...(cpu !== undefined && { cpu: formatMilli(cpu) }),
    ...(memory !== undefined && { memory: formatBytes(roundSize(memory)) }),
  })
  const [requests, limits] = [quantities(milliRequest, memoryRequest), quantities(milliLimit, memoryLimit)]
  return {
    ...(Object.keys(requests).length > 0 && { requests }),
    ...(Object.keys(limits).length > 0 && { limits }),
  }
}

/** Formats a value as YAML with one entry a line. Texts are quoted as in JSON, which YAML includes. */
function formatYaml(value: unknown, indent = ''): string {
  if (Array.isArray(value))
    return value
      .map((item) =>
        typeof item === 'object' && item !== null
          ? `${indent}- ${formatYaml(item, `${indent}  `).trimStart()}`
          : `${indent}- ${scalar(item)}\n`,
      )
      .join('')
  return Object.entries(value as object)
    .map(([key, item]) =>
      typeof item === 'object' && item !== null && Object.keys(item).length > 0
        ? `${indent}${scalar(key)}:\n${formatYaml(item, `${indent}  `)}`
        : `${indent}${scalar(key)}: ${scalar(item)}\n`,
    )
    .join('')
}

/** Words that need no quotes: they begin with a letter and are not a word such as `true`. */
const plainWord = /^(?!(?:true|false|null|yes|no|on|off|y|n)$)[a-zA-Z][\w./-]*$/i

function scalar(value: unknown): string {
  return typeof value === 'string' && plainWord.test(value) ? value : JSON.stringify(value)
}

function deployment({ resources, command, name, image, replicas }: OutputInput): object {
  const labels = { app: name }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        // a kubelet expands $(NAME), and makes $ of $$
        spec: {
          containers: [
            {
              name,
              image,
              ...(command.length > 0 && { command: command.map((word) => word.replace(/\$(?=[$(])/g, '$$$$')) }),
              resources: kubernetesResources(resources),
            },
          ],
        },
      },
    },
  }
}

/** A strategic merge patch for the pod template of a workload: `kubectl patch deployment NAME --patch-file FILE`. */
function patch({ resources, name }: OutputInput): object {
  const containers = [{ name, resources: kubernetesResources(resources) }]
  return { spec: { template: { spec: { containers } } } }
}

function compose({ resources, command, name, image }: OutputInput): object {
  const { memoryRequest, memoryLimit, milliRequest, milliLimit, pidsLimit } = resources
  const part = (cpu?: number, memory?: number) => ({
    ...(cpu !== undefined && { cpus: String(cpu / 1000) }),
    ...(memory !== undefined && { memory: dockerSize(memory) }),
  })
  const limits = part(milliLimit, memoryLimit)
  const reservations = part(milliRequest, memoryRequest)
  const deploy = { resources: { limits, reservations } }
  return {
    // Compose expands $NAME, and makes $ of $$
    services: {
      [name]: {
        image,
        ...(command.length > 0 && { command: command.map((word) => word.replaceAll('$', '$$$$')) }),
        ...(pidsLimit !== undefined && { pids_limit: pidsLimit }),
        deploy,
      },
    },
  }
}

function docker({ resources, command, image }: OutputInput): string {
  const { memoryLimit, memoryRequest, milliLimit, pidsLimit } = resources
  const flags = [
    // the same value for both: the container has no swap
    ...(memoryLimit === undefined
      ? []
      : [`--memory=${dockerSize(memoryLimit)}`, `--memory-swap=${dockerSize(memoryLimit)}`]),
    ...(memoryRequest === undefined || memoryRequest >= (memoryLimit ?? 0)
      ? []
      : [`--memory-reservation=${dockerSize(memoryRequest)}`]),
    ...(milliLimit === undefined ? [] : [`--cpus=${milliLimit / 1000}`]),
    ...(pidsLimit === undefined ? [] : [`--pids-limit=${pidsLimit}`]),
  ]
  return `docker run ${[...flags, image, ...command.map(shellWord)].join(' ')}\n`
}

function systemd({ resources, name }: OutputInput): string {
  const { memoryLimit, milliLimit, pidsLimit } = resources
  const lines = [
    `# /etc/systemd/system/${name}.service.d/limits.conf`,
    '[Service]',
    ...(memoryLimit === undefined ? [] : [`MemoryMax=${roundSize(memoryLimit) / 1024}K`, 'MemorySwapMax=0']),
    ...(milliLimit === undefined ? [] : [`CPUQuota=${milliLimit / 10}%`]),
    ...(pidsLimit === undefined ? [] : [`TasksMax=${pidsLimit}`]),
  ]
  return `${lines.join('\n')}\n`
}

function slurm({ resources, command, name }: OutputInput): string {
  const { memoryLimit, milliLimit, milliRequest = 1000 } = resources
  const lines = [
    '#!/bin/sh',
    `#SBATCH --job-name=${name}`,
    '#SBATCH --ntasks=1',
    `#SBATCH --cpus-per-task=${Math.ceil((milliLimit ?? milliRequest) / 1000)}`,
    ...(memoryLimit === undefined ? [] : [`#SBATCH --mem=${Math.ceil(memoryLimit / 1024)}K`]),
    `srun ${shellCommand(command).join(' ')}`,
  ]
  return `${lines.join('\n')}\n`
}

function hutchRun({ resources, command }: OutputInput): string {
  const { memoryLimit, milliLimit, pidsLimit } = resources
  const flags = [
    ...(memoryLimit === undefined ? [] : [`--memory ${roundSize(memoryLimit) / 1024}K`, '--swap 0']),
    ...(milliLimit === undefined ? [] : [`--cpus ${milliLimit / 1000}`]),
    ...(pidsLimit === undefined ? [] : [`--pids ${pidsLimit}`]),
  ]
  return `hutch run ${[...flags, '--', ...shellCommand(command)].join(' ')}\n`
}

/** The outputs by the word for --output. */
export const outputs: { readonly [word: string]: (input: OutputInput) => string } = {
  kubernetes: (input) => formatYaml(deployment(input)),
  'kubernetes-patch': (input) => formatYaml(patch(input)),
  'kubernetes-resources': ({ resources }) => formatYaml({ resources: kubernetesResources(resources) }),
  compose: (input) => formatYaml(compose(input)),
  docker,
  systemd,
  slurm,
  hutch: hutchRun,
}
