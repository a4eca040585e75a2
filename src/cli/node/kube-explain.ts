// SPDX-License-Identifier: Apache-2.0
// hutch kube explain: shows the control groups that a kubelet makes of a manifest, and what is wrong with the manifest.
import { type Prices, parsePriceFile, parsePrices } from '../../advise/prices.ts'
import { fail } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { readPageSizes } from '../../host/huge-pages.ts'
import { readDocuments } from '../../kube/documents.ts'
import { explainManifest } from '../../kube/explain.ts'
import { flattenConfiguration, type Kubelet, makeKubelet } from '../../kube/kubelet.ts'
import { type NodeSize, parseNode } from '../../kube/node.ts'
import type { ManifestPod } from '../../kube/pod.ts'
import { knownVersions } from '../../kube/version.ts'
import { formatManifest, formatProblems } from '../../kube/words.ts'
import { commandNames } from '../../options/names.ts'
import { existsSync, readFileSync } from '../../system/files.ts'
import { availableParallelism, totalmem } from '../../system/machine.ts'
import { writeStderr } from '../../system/stderr.ts'
import { print } from '../../system/stdout.ts'
import { readTextFile } from '../../system/text-file.ts'
import { encodePath } from '../../text/non-utf8.ts'
import { parseQuantity, wholeOf } from '../../text/quantity.ts'
import { escapeUnsafe, formatJson } from '../../text/quote.ts'
import { formatSize } from '../../text/units.ts'
import { formatLines, formatVerdict, wantsColor } from '../../verdict/format-result.ts'
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
  cost: {
    value: 'vcpu=PRICE,gib=PRICE/h',
    help: 'Print what the requests cost, by the price of a CPU and of a GiB. Also a file, as for `hutch advise`.',
  },
  run: {
    value: 'CONTAINER',
    help: 'Run COMMAND on this host as this container, or POD/CONTAINER, of the manifest: in groups with the explained figures.',
  },
  evacuate: {
    help: 'With --run in a delegated group, move the processes of that group to a leaf group below it.',
  },
  json: { help: 'Print the explanation as JSON, with all files of all groups.' },
}

export const command: Command = {
  words: 'FILE',
  otherUsages: ['--run CONTAINER [OPTIONS] FILE -- COMMAND [ARG…]'],
  details: [
    'FILE: Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs and Lists of them, in one or several documents; - for standard input. RuntimeClasses and PriorityClasses in the file are used.',
    'Each fault has its line, its field and a remedy. Objects with an error are not explained.',
    'With --run, the exit status is that of `hutch run`. The version of the control groups is that of this host.',
  ].join('\n'),
  flags,
  minWords: 1,
  examples: [
    ['hutch kube explain deployment.yaml', 'show what the kernel gets'],
    ['kubectl get deploy,job -o yaml | hutch kube explain -', 'explain what runs in a cluster'],
    [
      'hutch kube explain --kubernetes 1.33 --node cpu=4,memory=16Gi --kubelet featureGates.MemoryQoS=true pod.yaml',
      'with another kubelet and node',
    ],
    ['hutch kube explain --run app deployment.yaml -- ./server --check', 'run a command as the container app'],
  ],
  statuses: [
    ['0', 'the API server would accept all objects'],
    ['1', 'an object has an error'],
    ['125', 'hutch could not read the file, or an option is invalid'],
  ],
  parse: parseWords,
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
      remedy:
        code === 'EFBIG'
          ? `split the file: ${formatSize(maxManifestBytes)} is the maximum`
          : 'name a file that can be read, or -',
    })
  }
}

/** Splits the words at `--`: what follows is the command to run, with its own options. */
function parseWords(args: string[]): Parsed {
  const at = args.indexOf('--')
  if (at < 0) return parseFlags(args, flags, true)
  const parsed = parseFlags(args.slice(0, at), flags, true)
  return { ...parsed, rest: [...parsed.rest, ...args.slice(at)] }
}

async function main({ values, rest }: Parsed): Promise<number> {
  const at = rest.indexOf('--')
  const [path = '', extra] = at < 0 ? rest : rest.slice(0, at)
  const argv = at < 0 ? [] : rest.slice(at + 1)
  if (extra !== undefined)
    throw fail('ARGUMENT_UNEXPECTED', { argument: extra, usage: 'hutch kube explain [OPTIONS] FILE' })
  const target = values.run?.at(-1)
  if (target === undefined && at >= 0)
    throw fail('OPTION_CONFLICT', { name: '--', why: 'a command needs --run', remedy: 'add --run CONTAINER' })
  if (target !== undefined && argv.length === 0)
    throw fail('COMMAND_MISSING', { usage: 'hutch kube explain --run CONTAINER FILE -- COMMAND [ARG…]' })
  const kubelet = readKubelet(values, target === undefined ? undefined : readHost().v1.memory ? 'v1' : 'v2')
  const node = values.node ? parseNode(values.node.at(-1)!) : hostNode()
  const usages = readUsages(values.usage ?? [])
  const prices = values.cost && readPrices(values.cost.at(-1)!)
  const { explanation, manifest } = explainManifest(readInput(path, 'the manifest'), kubelet, node, usages, prices)
  const name = path === '-' ? 'standard input' : path
  const hasError = explanation.problems.some(({ severity }) => severity === 'error')
  const problems = formatProblems(explanation.problems, name, wantsColor(process.stderr))
  if (!values.json) writeStderr(problems.map((line) => `${line}\n`).join(''))
  if (target !== undefined) return runAs(target, argv, manifest.pods, kubelet, node, values)
  if (values.json) print(`${formatJson(explanation, 2)}\n`)
  else {
    if (explanation.pods.length > 0 || !hasError)
      print(`${formatManifest(explanation, kubelet, wantsColor(process.stdout)).join('\n')}\n`)
  }
  return hasError ? 1 : 0
}

/** Reads prices, or a file with prices. */
function readPrices(text: string): Prices {
  return text.includes('=') ? parsePrices(text) : parsePriceFile(readInput(text, 'the prices'), text)
}

/** Runs a command as a container, and prints how it ended and whether the kernel has the explained figures. */
async function runAs(
  target: string,
  argv: string[],
  pods: readonly ManifestPod[],
  kubelet: Kubelet,
  node: NodeSize,
  { json, evacuate }: Parsed['values'],
): Promise<number> {
  const all = pods.flatMap((pod) => pod.containers.map((container) => ({ pods, pod, container })))
  const found = all.filter(({ pod, container }) => [container.name, `${pod.name}/${container.name}`].includes(target))
  if (found.length !== 1)
    throw fail('OPTION_INVALID', {
      name: '--run',
      value: target,
      why: found.length === 0 ? 'no valid pod of the file has this container' : 'several pods have this container',
      accepted: `one of: ${all.map(({ pod, container }) => `${pod.name}/${container.name}`).join(', ') || 'none is valid'}`,
    })
  const { differences, runContainer } = await import('../../kube/run-container.ts')
  const { groups, oomScoreAdj, hasScore, result } = await runContainer(found[0]!, kubelet, node, argv, {
    evacuate: evacuate !== undefined,
    names: commandNames(flags),
  })
  const different = differences(groups)
  const count = groups.reduce((sum, { files }) => sum + Object.keys(files).length, 0)
  const missing = [...new Set(groups.flatMap((group) => group.missing))]
  if (json) print(`\n${formatJson({ groups, oomScoreAdj, hasScore, differences: different, result })}\n`)
  const note =
    different.length === 0
      ? `ran with${hasScore ? '' : 'out'} oom_score_adj ${oomScoreAdj}${hasScore ? '' : ', which needs CAP_SYS_RESOURCE'}; ${count} files of ${groups.length} groups have the explained values`
      : `these files differ from the explained values: ${different.map(({ group, file, explained, kernel }) => `${group} ${file}: ${kernel}, not ${explained}`).join('; ')}`
  const lack = missing.length === 0 ? '' : `; this kernel lacks ${missing.join(', ')}`
  writeStderr(`hutch: ${escapeUnsafe(`${note}${lack}`)}\n`)
  const color = wantsColor(process.stderr)
  writeStderr(formatVerdict(result, { color, verbose: true }))
  if (result.reason === 'oom')
    writeStderr(
      formatLines(
        [['manifest', `raise resources.limits.memory of the container ${escapeUnsafe(found[0]!.container.name)}`]],
        color,
      ),
    )
  return result.status
}

/** Builds the kubelet of the options: the settings of the file, then those of the command line. */
function readKubelet(values: Parsed['values'], cgroup = values.cgroup?.at(-1)): Kubelet {
  const file = values['kubelet-config']?.at(-1)
  const { documents, problems } = readDocuments(file === undefined ? '' : readInput(file, 'the KubeletConfiguration'))
  for (const { line, what, remedy } of problems)
    throw fail('CONFIG_INVALID', {
      origin: file!,
      line,
      found: what.replace(/^not valid YAML: /, ''),
      wanted: `valid YAML: ${remedy}`,
    })
  const fromFile = documents.flatMap(({ value }) => flattenConfiguration(value, '--kubelet-config'))
  const fromLine = (values.kubelet ?? []).map((word) => {
    const at = word.indexOf('=')
    if (at > 0) return { path: word.slice(0, at), value: word.slice(at + 1), origin: '--kubelet' }
    throw fail('OPTION_INVALID', { name: '--kubelet', value: word, accepted: 'FIELD=VALUE, such as podPidsLimit=1024' })
  })
  return makeKubelet({
    version: values.kubernetes?.at(-1),
    cgroup,
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
