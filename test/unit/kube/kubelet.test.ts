// SPDX-License-Identifier: Apache-2.0
// Settings of the kubelet: the fields of KubeletConfiguration, their defaults by version, and what is refused. The page has all rules.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { flattenConfiguration, makeKubelet } from '../../../src/kube/kubelet.ts'
import { parseNode } from '../../../src/kube/node.ts'
import { featureGates, versionRules } from '../../../src/kube/version.ts'

const make = (version: string, ...settings: string[]) =>
  makeKubelet({
    version,
    settings: settings.map((word) => {
      const [path = '', value = ''] = word.split(/=(.*)/s)
      return { path, value, origin: '--kubelet' }
    }),
  })

test('defaults follow the version', () => {
  expect(make('1.27')).toMatchObject({ weight: 'linear', memoryThrottlingFactor: 0.9, swapBehavior: 'LimitedSwap' })
  expect(make('1.29')).toMatchObject({ swapBehavior: 'UnlimitedSwap' })
  expect(make('v1.33.4')).toMatchObject({ minor: 33, weight: 'linear', swapBehavior: 'NoSwap' })
  expect(make('1.33').gates).toMatchObject({ MemoryQoS: false, SidecarContainers: true, PodLevelResources: false })
  expect(make('1.37')).toMatchObject({
    weight: 'quadratic',
    memoryThrottlingFactor: undefined,
    tieredReservation: false,
  })
  expect(make('1.37').gates).toMatchObject({ MemoryQoS: true, PodLevelResources: true })
})

test('a KubeletConfiguration is read; fields without effect here are left out', () => {
  const settings = flattenConfiguration(
    {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      clusterDNS: ['10.0.0.10'],
      cgroupDriver: 'cgroupfs',
      podPidsLimit: 4096,
      featureGates: { MemoryQoS: true, SomethingElse: true },
      evictionHard: { 'memory.available': '5%', 'nodefs.available': '10%' },
      memorySwap: { swapBehavior: 'LimitedSwap' },
      enforceNodeAllocatable: ['none'],
    },
    '--kubelet-config',
  )
  expect(makeKubelet({ version: '1.33', settings })).toMatchObject({
    cgroupDriver: 'cgroupfs',
    podPidsLimit: 4096,
    gates: { MemoryQoS: true },
    evictionHard: '5%',
    swapBehavior: 'LimitedSwap',
    enforcesPods: false,
  })
})

test.for<[settings: string[], code: string, words: RegExp, version?: string]>([
  [['podPidsLimt=1'], 'OPTION_UNKNOWN', /podPidsLimit/],
  [['podPidsLimit=many'], 'OPTION_INVALID', /number of tasks/],
  [['memoryThrottlingFactor=2'], 'OPTION_INVALID', /at most 1/],
  [['featureGates.MemoryQos=true'], 'OPTION_UNKNOWN', /featureGates.MemoryQoS/],
  [['featureGates.MemoryQoS=yes'], 'OPTION_INVALID', /true or false/],
  [['featureGates.PodLevelResources=true'], 'OPTION_INVALID', /exists since 1.32/, '1.31'],
  [['featureGates.SidecarContainers=false'], 'OPTION_INVALID', /cannot be turned off since Kubernetes 1.33/],
  [['singleProcessOOMKill=true'], 'OPTION_INVALID', /does not have this field/, '1.31'],
  [['memoryReservationPolicy=TieredReservation'], 'OPTION_INVALID', /does not have this field/, '1.35'],
  [['memorySwap.swapBehavior=UnlimitedSwap'], 'OPTION_INVALID', /no longer/],
  [['kubeReserved.memory=-1'], 'OPTION_INVALID', /quantity/],
  [[], 'OPTION_INVALID', /from 1.27 to 1.37/, '1.26'],
  [[], 'OPTION_INVALID', /from 1.27 to 1.37/, 'latest'],
])('%j is refused with %s', ([settings, code, words, version = '1.33']) => {
  let thrown: unknown
  try {
    make(version, ...settings)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toMatchObject({ code, message: expect.stringMatching(words) })
})

test('runtimes by their version', () => {
  const weight = (runtime: string, version = '1.33') => makeKubelet({ version, runtime, settings: [] }).weight
  expect(
    ['runc-1.3.1', 'runc-1.3.2', 'runc-1.4.0', 'crun-1.22', 'crun-1.23', 'containerd,runc-1.2'].map((one) =>
      weight(one),
    ),
  ).toEqual(['linear', 'quadratic', 'quadratic', 'linear', 'quadratic', 'linear'])
  expect([weight('crio', '1.34'), weight('crio', '1.35')]).toEqual(['linear', 'quadratic'])
  expect(() => weight('docker')).toThrow('containerd or crio')
})

test('nodes', () => {
  expect(parseNode('cpu=500m,memory=1G,swap=1Gi')).toMatchObject({ milliCpus: 500, memory: 1e9, swap: 2 ** 30 })
  for (const text of ['', 'cpu=4', 'memory=1Gi', 'cpu=x,memory=1Gi', 'cpu=4,memory=16Gi,disk=1Ti', 'cpu=0,memory=1Gi'])
    expect(() => parseNode(text)).toThrow('--node')
})

test('docs/kubernetes.md has each rule with its version and source', () => {
  const page = readFileSync('docs/kubernetes.md', 'utf8')
  for (const { since, meaning, source } of Object.values(versionRules))
    expect(page).toContain(`| 1.${since} | ${meaning} | ${source} |`)
  for (const [name, gate] of Object.entries(featureGates)) {
    const { since, on, source } = gate
    const locked = 'locked' in gate ? `1.${gate.locked}` : ''
    expect(page).toContain(`| \`${name}\` | 1.${since} | 1.${on} | ${locked} | ${source} |`.replace('|  |', '| |'))
  }
})
