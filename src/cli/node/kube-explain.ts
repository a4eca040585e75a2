// SPDX-License-Identifier: Apache-2.0
// hutch kube explain: shows the control groups that a kubelet makes of a manifest, and what is wrong with the manifest.
import { fail } from '../../errors/errors.ts'
import { readDocuments } from '../../kube/documents.ts'
import { explainManifest } from '../../kube/explain.ts'
import { flattenConfiguration, type Kubelet, makeKubelet } from '../../kube/kubelet.ts'
import { type NodeSize, parseNode } from '../../kube/node.ts'
import { knownVersions } from '../../kube/version.ts'
import { formatManifest, formatProblems } from '../../kube/words.ts'
import { readPageSizes } from '../../oci/resources/host-groups.ts'
import { existsSync, readFileSync } from '../../system/files.ts'
import { availableParallelism, totalmem } from '../../system/machine.ts'
import { writeStderr } from '../../system/stderr.ts'
import { print } from '../../system/stdout.ts'
import { readTextFile } from '../../system/text-file.ts'
import { encodePath } from '../../text/non-utf8.ts'
import { parseQuantity, wholeOf } from '../../text/quantity.ts'
import { formatJson } from '../../text/quote.ts'
import { wantsColor } from '../../verdict/format-result.ts'
import type { Command } from '../command.ts'
import { type FlagTable, type Parsed, parseFlags } from '../flags.ts'

const flags: FlagTable = {
  kubernetes: {
    value: 'VERSION',
    help: `Version of Kubernetes whose rules apply, from 1.${knownVersions.first} on.`,
    default: `1.${knownVersions.last}`,
  },
  node: {
    value: 'cpu=N,memory=SIZE',
    help: 'Size of the node, with swap=SIZE if it has swap.',
    default: 'the size of this host',
  },
  cgroup: { value: 'v1|v2', help: 'Version of the control groups of the node.', default: 'v2' },
  runtime: {
    value: 'NAME',
    help: 'Container runtime: containerd or crio, with the version of runc or crun if it is known: containerd,runc-1.3.2.',
    default: 'containerd, with a runtime of the same age as Kubernetes',
  },
  'kubelet-config': { value: 'FILE', help: 'Settings of the kubelet: a KubeletConfiguration.' },
  kubelet: {
    value: 'FIELD=VALUE',
    repeat: true,
    help: 'One setting of the kubelet, such as podPidsLimit=1024 or featureGates.MemoryQoS=true. Comes after the file.',
  },
  usage: {
    value: 'NAME=SIZE',
    repeat: true,
    help: 'Memory that a pod of this object uses, for the order of eviction.',
    default: 'its memory limit',
  },
  json: { help: 'Print the explanation as JSON, with all files of all groups.' },
}

export const command: Command = {
  words: 'FILE',
  details: [
    'FILE: Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs and Lists of them, in one or several documents; - for standard input. RuntimeClasses and PriorityClasses in the file are used.',
    'Each fault has its line, its field and a remedy. Objects with an error are not explained.',
  ].join('\n'),
  flags,
  minWords: 1,
  maxWords: 1,
  examples: [
    ['hutch kube explain deployment.yaml', 'show what the kernel gets'],
    ['kubectl get deploy,job -o yaml | hutch kube explain -', 'explain what runs in a cluster'],
    [
      'hutch kube explain --kubernetes 1.33 --node cpu=4,memory=16Gi --kubelet featureGates.MemoryQoS=true pod.yaml',
      'with another kubelet and node',
    ],
  ],
  statuses: [
    ['0', 'the API server would accept all objects'],
    ['1', 'an object has an error'],
    ['125', 'hutch could not read the file, or an option is invalid'],
  ],
  parse: (args) => parseFlags(args, flags, true),
  main,
}

/** Maximum size of a manifest in bytes. */
const maxManifestBytes = 8 << 20

/** Reads a manifest or a KubeletConfiguration. @throws FILE_REFUSED */
function readInput(path: string, what: string): string {
  try {
    return readTextFile(path === '-' ? 0 : encodePath(path), maxManifestBytes)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fail('FILE_REFUSED', {
      what: `read ${what}`,
      path,
      errno: code,
      remedy: 'name a file that can be read, or -',
    })
  }
}

function main({ values, rest: [path = ''] }: Parsed): number {
  const kubelet = readKubelet(values)
  const node = values.node ? parseNode(values.node.at(-1)!) : hostNode()
  const usages = readUsages(values.usage ?? [])
  const { explanation } = explainManifest(readInput(path, 'the manifest'), kubelet, node, usages)
  const name = path === '-' ? 'standard input' : path
  if (values.json) print(`${formatJson(explanation, 2)}\n`)
  else {
    writeStderr(
      formatProblems(explanation.problems, name, wantsColor(process.stderr))
        .map((line) => `${line}\n`)
        .join(''),
    )
    if (explanation.pods.length > 0)
      print(`${formatManifest(explanation, kubelet, wantsColor(process.stdout)).join('\n')}\n`)
  }
  return explanation.problems.some(({ severity }) => severity === 'error') ? 1 : 0
}

/** Builds the kubelet of the options: the settings of the file, then those of the command line. */
function readKubelet(values: Parsed['values']): Kubelet {
  const file = values['kubelet-config']?.at(-1)
  const documents = file === undefined ? [] : readDocuments(readInput(file, 'the KubeletConfiguration')).documents
  const fromFile = documents.flatMap(({ value }) => flattenConfiguration(value, '--kubelet-config'))
  const fromLine = (values.kubelet ?? []).map((word) => {
    const at = word.indexOf('=')
    if (at > 0) return { path: word.slice(0, at), value: word.slice(at + 1), origin: '--kubelet' }
    throw fail('OPTION_INVALID', { name: '--kubelet', value: word, accepted: 'FIELD=VALUE, such as podPidsLimit=1024' })
  })
  return makeKubelet({
    version: values.kubernetes?.at(-1),
    cgroup: values.cgroup?.at(-1),
    runtime: values.runtime?.at(-1),
    settings: [...fromFile, ...fromLine],
  })
}

/** Returns this host as a node. */
function hostNode(): NodeSize {
  const meminfo = existsSync('/proc/meminfo') ? readFileSync('/proc/meminfo', 'utf8') : ''
  return {
    milliCpus: availableParallelism() * 1000,
    memory: totalmem(),
    swap: Number(/^SwapTotal: +(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024,
    pageSize: 4096,
    hugepageSizes: readPageSizes(),
  }
}

function readUsages(words: readonly string[]): Map<string, number> {
  return new Map(
    words.map((word) => {
      const at = word.lastIndexOf('=')
      const amount = parseQuantity(word.slice(at + 1))
      if (at > 0 && amount !== undefined && amount >= 0n) return [word.slice(0, at), wholeOf(amount)]
      throw fail('OPTION_INVALID', { name: '--usage', value: word, accepted: 'NAME=SIZE, such as web=300Mi' })
    }),
  )
}
