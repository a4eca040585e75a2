// SPDX-License-Identifier: Apache-2.0
// Manifests with the features that people use have no error. The first line of each has the QoS class, and
// whether the group of the pod has a limit of memory.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { explainManifest } from '../../../src/kube/explain.ts'
import { makeKubelet } from '../../../src/kube/kubelet.ts'
import { parseNode } from '../../../src/kube/node.ts'
import { formatManifest } from '../../../src/kube/words.ts'
import { parseQuantity } from '../../../src/text/quantity.ts'

const folder = 'test/unit/kube/manifests'
const names = readdirSync(folder)
const read = (name: string) => readFileSync(`${folder}/${name}`, 'utf8')
const node = parseNode('cpu=8,memory=64Gi')

test('there are at least 20', () => expect(names.length).toBeGreaterThanOrEqual(20))

test.for(names)('%s', (name) => {
  const text = read(name)
  const [, qos, memoryLimited] = /^# (\w+)(, memory limited)? \|/.exec(text)!
  for (const version of ['1.34', '1.37']) {
    const kubelet = makeKubelet({ version, settings: [] })
    const { explanation } = explainManifest(text, kubelet, node)
    expect(explanation.problems).toEqual([])
    const pod = explanation.pods[0]!
    expect(pod.qosClass).toBe(qos)
    expect(pod.files['memory.max'] !== 'max').toBe(memoryLimited !== undefined)
    const lines = formatManifest(explanation, kubelet, false)
    for (const container of pod.containers) expect(lines.join('\n')).toContain(container.name)
    expect(lines.filter((line) => /undefined|NaN|\[object/.test(line))).toEqual([])
  }
})

const explained = (name: string, version = '1.36') =>
  explainManifest(read(name), makeKubelet({ version, settings: [] }), node).explanation

test('an init container that needs more than the rest decides the requests', () => {
  expect(explained('init-peak.yaml').pods[0]!.requests).toEqual({ cpu: '2', memory: '4Gi' })
})

test('a sidecar counts beside the container and beside later init containers', () => {
  expect(explained('sidecar-mesh.yaml').pods[0]!.requests).toEqual({ cpu: '600m', memory: '576Mi' })
})

test('the overhead of a RuntimeClass raises requests, limits and the limits of the pod', () => {
  const [pod] = explained('runtime-class.yaml').pods
  expect(pod!.requests).toEqual({ cpu: '1250m', memory: '1184Mi' })
  expect(pod!.files).toMatchObject({ 'memory.max': String(1184 * 2 ** 20), 'cpu.max': '125000 100000' })
})

test('containers share the limits of their pod', () => {
  const [pod] = explained('pod-level.yaml').pods
  expect(pod!.containers.map(({ files }) => files['memory.max'])).toEqual([String(2 ** 31), String(2 ** 28)])
  expect(pod!.outlook.map(({ kind }) => kind)).toContain('pod-killed')
})

test('objects without pods are counted, and replicas too', () => {
  const { ignored, pods } = explained('list.yaml')
  expect([ignored, pods[0]!.count]).toEqual([{ Service: 1 }, 2])
})

const kubelet = makeKubelet({ version: '1.36', settings: [] })
const podOf = (name: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  containers:\n  - {name: a, image: i}\n`

test.for<[name: string, text: string, pods: string[], ignored?: object]>([
  [
    'Windows line ends and a byte order mark',
    `\ufeff${podOf('a')}---\n${podOf('b')}`.replaceAll('\n', '\r\n'),
    ['a', 'b'],
  ],
  ['empty documents', `---\n---\n# nothing\n---\n${podOf('a')}---\n...\n`, ['a']],
  [
    'JSON objects in a row',
    ['a', 'b'].map((name) => JSON.stringify(parse(podOf(name)), null, 1)).join('\n'),
    ['a', 'b'],
  ],
  ['tabs that do not indent', podOf('a').replace('containers:', 'containers:\t# tab\t'), ['a']],
  ['a merge key', podOf('a').replace('- {name', '- {<<: {tty: true}, name'), ['a']],
  [
    'kinds of other API groups',
    ['stable.example.com/v1 CronTab', 'batch.volcano.sh/v1alpha1 Job', 'argoproj.io/v1alpha1 Rollout']
      .map((one) => `apiVersion: ${one.split(' ')[0]}\nkind: ${one.split(' ')[1]}\nspec: {any: thing}\n---\n`)
      .join(''),
    [],
    { CronTab: 1, Job: 1, Rollout: 1 },
  ],
  [
    'a template within a text',
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  f: |\n    {{ if .x }}\n    a: {{ .b }}\n---\n${podOf('a')}`,
    ['a'],
    { ConfigMap: 1 },
  ],
])('%s', ([, text, pods, ignored = {}]) => {
  const { explanation } = explainManifest(text, kubelet, node)
  expect(explanation.problems).toEqual([])
  expect(explanation.pods.map(({ name }) => name)).toEqual(pods)
  expect(explanation.ignored).toEqual(ignored)
  expect(formatManifest(explanation, kubelet, false).join('\n')).not.toMatch(/undefined|NaN/)
})

test('lines of JSON objects in a row are those of the file', () => {
  const objects = ['a', 'b'].map((name) => JSON.stringify({ ...parse(podOf(name)), spec: {} }, null, 1))
  expect(explainManifest(objects.join('\n\n'), kubelet, node).explanation.problems.map(({ line }) => line)).toEqual([
    7, 16,
  ])
})

test('numbers as kubectl reads them', () => {
  const cpus = (amount: string) =>
    explainManifest(podOf('a').replace('image: i', `image: i, resources: {requests: {cpu: ${amount}}}`), kubelet, node)
      .explanation.pods[0]!.requests.cpu
  expect(['010', '0x10', '1_0', '0b11', '1e1', '0.1', '.5', '1.', '100m', '1k'].map(cpus)).toEqual([
    '8',
    '16',
    '10',
    '3',
    '10',
    '100m',
    '500m',
    '1',
    '100m',
    '1000',
  ])
})

test('a pod that does not fit is pending', () => {
  const small = parseNode('cpu=2,memory=16Gi')
  const { explanation } = explainManifest(read('gpu.yaml'), makeKubelet({ version: '1.36', settings: [] }), small)
  expect(explanation.pods[0]!.outlook.filter(({ kind }) => kind === 'pending').map(({ resource }) => resource)).toEqual(
    ['cpu', 'memory'],
  )
})

test('what the requests cost, to the cent', () => {
  const prices = { vcpu: 40_000_000n, gib: 5_000_000n, currency: '$' }
  const kubelet = makeKubelet({ version: '1.36', settings: [] })
  const { explanation } = explainManifest(read('guaranteed.yaml'), kubelet, node, new Map(), prices)
  // three pods with 2 CPUs and 4 GiB: 3 × (2 × 0.04 + 4 × 0.005) = 0.30 an hour
  expect([explanation.pods[0]!.cost, explanation.cost]).toEqual(Array(2).fill({ hour: '$0.30', month: '$219.00' }))
})

test.for<[name: string, lines: string[]]>([
  [
    'init-peak.yaml',
    [
      'cpu: migrate 2 = 2, while the init container migrate runs',
      'memory: migrate 4Gi = 4Gi, while the init container migrate runs',
    ],
  ],
  ['sidecar-mesh.yaml', ['cpu: proxy 100m + api 500m = 600m', 'memory: proxy 64Mi + api 512Mi = 576Mi']],
  ['runtime-class.yaml', ['cpu: app 1 + overhead 250m = 1250m', 'memory: app 1Gi + overhead 160Mi = 1184Mi']],
  ['pod-level.yaml', []],
  ['best-effort.yaml', []],
])('what the requests of %s consist of', ([name, wanted]) => {
  const kubelet = makeKubelet({ version: '1.36', settings: [] })
  const { explanation } = explainManifest(read(name), kubelet, node)
  const lines = formatManifest(explanation, kubelet, false).filter((line) => line.startsWith('  requested '))
  expect(lines).toEqual(wanted.map((line) => `  requested ${line}`))
})

test('the terms of a request add up, in all manifests and versions', () => {
  for (const name of names)
    for (const version of ['1.28', '1.33', '1.37'])
      for (const { requests, terms } of explained(name, version).pods)
        for (const [resource, list] of Object.entries(terms)) {
          const sum = list.reduce((total, { amount }) => total + parseQuantity(amount)!, 0n)
          expect([name, sum]).toEqual([name, parseQuantity(requests[resource] ?? '0')])
        }
})
