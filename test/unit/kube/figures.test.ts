// SPDX-License-Identifier: Apache-2.0
// The figures of pods and containers by the published rules of the kubelet, for several versions: test/unit/kube/figures.txt.
// Each case has a line `VERSION | CONTAINERS | SETTINGS`, with `NAME cpu memory hugepages` as REQUEST/LIMIT for each container, and below it the
// figures that differ from the kernel's defaults.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { explainPod } from '../../../src/kube/explain.ts'
import { isDefault } from '../../../src/kube/group-files.ts'
import { makeKubelet } from '../../../src/kube/kubelet.ts'
import { readManifest } from '../../../src/kube/manifest.ts'
import type { NodeSize } from '../../../src/kube/node.ts'

const short: { [file: string]: string } = {
  'cpu.weight': 'weight',
  'cpu.max': 'cpu',
  'memory.min': 'min',
  'memory.low': 'low',
  'memory.high': 'high',
  'memory.max': 'max',
  'memory.swap.max': 'swap',
  'memory.oom.group': 'oom',
  'pids.max': 'pids',
  'hugetlb.2MB.max': 'huge',
}

interface Case {
  line: string
  expected: string[]
}

const cases: Case[] = []
for (const line of readFileSync('test/unit/kube/figures.txt', 'utf8').split('\n'))
  if (line.startsWith('  ')) cases.at(-1)!.expected.push(line)
  else if (line !== '') cases.push({ line, expected: [] })

/** Returns a resources block of REQUEST/LIMIT for cpu, memory and huge pages. */
function resources(words: string[]) {
  const block = { requests: {} as { [name: string]: string }, limits: {} as { [name: string]: string } }
  for (const [i, word] of words.entries()) {
    const name = ['cpu', 'memory', 'hugepages-2Mi'][i]!
    const [request = '-', limit = '-'] = word.split('/')
    if (request !== '-') block.requests[name] = request
    if (limit !== '-') block.limits[name] = limit
  }
  return block
}

function readCase(line: string) {
  const [version = '', containers = '', settings = ''] = line.split(' | ')
  const spec: { [key: string]: unknown } & { containers: object[]; initContainers: object[] } = {
    containers: [],
    initContainers: [],
  }
  for (const text of containers.split(';')) {
    const [first = '', ...words] = text.split(' ')
    if (first === 'pod') spec.resources = resources(words)
    else if (first === 'init' || first === 'sidecar')
      spec.initContainers.push({
        name: words[0],
        image: 'i',
        resources: resources(words.slice(1)),
        ...(first === 'sidecar' && { restartPolicy: 'Always' }),
      })
    else spec.containers.push({ name: first, image: 'i', resources: resources(words) })
  }
  const node: NodeSize = { milliCpus: 4000, memory: 2 ** 34, swap: 0, pageSize: 4096, hugepageSizes: ['2MB'] }
  const chosen: { path: string; value: string; origin: string }[] = []
  let runtime: string | undefined
  for (const word of settings.split(' ').filter(Boolean)) {
    const [path = '', value = ''] = word.split(/=(.*)/s)
    if (path === 'node')
      [node.milliCpus, node.memory, node.swap] = value.split(',').map((one) => Number.parseInt(one, 10)) as [
        number,
        number,
        number,
      ]
    else if (path === 'runtime') runtime = value
    else if (path === 'priority') {
      spec.priority = Number(value)
      spec.priorityClassName = value === '2000001000' ? 'system-node-critical' : 'system-cluster-critical'
    } else if (path.startsWith('overhead.')) {
      spec.runtimeClassName = 'vm'
      spec.overhead = { ...(spec.overhead as object), [path.slice(9)]: value }
    } else chosen.push({ path, value, origin: '--kubelet' })
  }
  return { kubelet: makeKubelet({ version, runtime, settings: chosen }), node, spec }
}

test.for(cases)('$line', ({ line, expected }) => {
  const { kubelet, node, spec } = readCase(line)
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec })
  const { pods, problems } = readManifest(text, kubelet)
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  const pod = explainPod(pods[0]!, kubelet, node)
  const shown = (files: { readonly [file: string]: string }) =>
    Object.entries(files)
      .filter(([file, value]) => !isDefault(file, value) && !(file.startsWith('hugetlb') && value === '0'))
      .map(([file, value]) => `${short[file]}=${value.replace(' ', '/')}`)
  expect([
    `  pod: ${[pod.qosClass, ...shown(pod.files)].join(' ')}`,
    ...pod.containers.map(
      ({ name, files, oomScoreAdj }) => `  ${name}: ${[...shown(files), `adj=${oomScoreAdj}`].join(' ')}`,
    ),
  ]).toEqual(expected)
})

test('the table has at least 150 pods, and 150 containers', () => {
  expect(cases.length).toBeGreaterThanOrEqual(150)
  expect(cases.flatMap(({ expected }) => expected).length - cases.length).toBeGreaterThanOrEqual(150)
})
