// SPDX-License-Identifier: Apache-2.0
// The order of eviction: known cases, and random ones against the comparison of each pair.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type EvictionRank, evictionOrder } from '../../../src/kube/eviction.ts'
import { containerFigures } from '../../../src/kube/figures.ts'
import { makeKubelet } from '../../../src/kube/kubelet.ts'
import { readManifest } from '../../../src/kube/manifest.ts'
import { parseNode } from '../../../src/kube/node.ts'
import { systemPriorities } from '../../../src/kube/pod.ts'

const kubelet = makeKubelet({ version: '1.33', settings: [] })
const node = parseNode('cpu=4,memory=16Gi')

const systemClasses = new Map([...systemPriorities].map(([name, value]) => [value, name]))

interface Wanted {
  name: string
  request?: number
  limit?: number
  priority?: number
  usage?: number
}

/** Returns the order of pods with these amounts in MiB. */
function order(wanted: readonly Wanted[]): EvictionRank[] {
  const priorities = [...new Set(wanted.map(({ priority = 0 }) => priority))].filter((value) => value < 2e9)
  const classes = priorities.map((value) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: `p${value}`.replace('-', 'm') },
    value,
  }))
  const pods = wanted.map(({ name, request, limit, priority = 0 }) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      priorityClassName: systemClasses.get(priority) ?? `p${priority}`.replace('-', 'm'),
      containers: [
        {
          name: 'a',
          image: 'i',
          resources: {
            ...(request !== undefined && { requests: { memory: `${request}Mi` } }),
            ...(limit !== undefined && { limits: { memory: `${limit}Mi` } }),
          },
        },
      ],
    },
  }))
  const manifest = readManifest(
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...classes, ...pods] }),
    kubelet,
  )
  expect(manifest.problems).toEqual([])
  const usages = wanted.flatMap(({ name, usage }) => (usage === undefined ? [] : [[name, usage * 2 ** 20] as const]))
  return evictionOrder(manifest.pods, kubelet, node, new Map(usages))
}

const names = (wanted: readonly Wanted[]) => order(wanted).map(({ pod }) => pod.name)

test('pods above their request go first, whatever their class and priority', () => {
  expect(
    names([
      { name: 'within', request: 100, limit: 200, usage: 90, priority: -5 },
      { name: 'above', request: 100, limit: 200, usage: 101, priority: 1000 },
      { name: 'none', usage: 1 },
    ]),
  ).toEqual(['none', 'above', 'within'])
})

test('then the lowest priority, then the largest excess', () => {
  expect(
    names([
      { name: 'a', request: 100, usage: 150 },
      { name: 'b', request: 100, usage: 400 },
      { name: 'c', request: 10, usage: 90, priority: -1 },
      { name: 'd', request: 100, usage: 900, priority: 5 },
    ]),
  ).toEqual(['c', 'b', 'a', 'd'])
})

test('pods within their request: the one that uses most of it first', () => {
  expect(
    names([
      { name: 'a', request: 500, limit: 500, usage: 100 },
      { name: 'b', request: 200, limit: 200, usage: 190 },
    ]),
  ).toEqual(['b', 'a'])
})

test('without a usage, the limit is assumed; without a limit, all memory of the node', () => {
  const ranks = order([
    { name: 'limited', request: 100, limit: 300 },
    { name: 'free', request: 100 },
    { name: 'given', request: 100, limit: 300, usage: 50 },
  ])
  expect(ranks.map(({ pod, from, usage }) => [pod.name, from, usage / 2 ** 20])).toEqual([
    ['free', 'node', 16 * 1024 - 100],
    ['limited', 'limit', 300],
    ['given', 'given', 50],
  ])
})

test('critical pods are never evicted', () => {
  const [first, last] = order([
    { name: 'critical', usage: 900, priority: 2_000_000_000 },
    { name: 'other', request: 100, usage: 1 },
  ])
  expect([first!.pod.name, last!.pod.name, first!.evicted, last!.evicted]).toEqual(['other', 'critical', true, false])
})

test('the mirror of a static pod is critical whatever its priority', () => {
  const pod = (name: string, annotations: object) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, annotations },
    spec: { containers: [{ name: 'a', image: 'i', resources: { requests: { memory: '1Gi' } } }] },
  })
  const items = [pod('static', { 'kubernetes.io/config.mirror': 'c0ffee' }), pod('other', {})]
  const swapping = makeKubelet({
    version: '1.34',
    settings: [{ path: 'memorySwap.swapBehavior', value: 'LimitedSwap', origin: '--kubelet' }],
  })
  const { pods } = readManifest(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), swapping)
  expect(evictionOrder(pods, swapping, node, new Map()).map(({ evicted }) => evicted)).toEqual([true, false])
  const swapped = { ...node, swap: 2 ** 32 }
  expect(pods.map((one) => containerFigures(one, one.containers[0]!, swapping, swapped).swapMax)).toEqual([0, 2 ** 28])
})

test('random pods: no pair is in the wrong order', () => {
  const one = fc.record({
    request: fc.integer({ min: 1, max: 5 }),
    usage: fc.integer({ min: 0, max: 8 }),
    priority: fc.constantFrom(-1, 0, 7, 2_000_001_000),
  })
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 7 }), (list) => {
      const ranks = order(list.map((entry, i) => ({ name: `p${i}`, ...entry })))
      expect(ranks).toHaveLength(list.length)
      const key = ({ evicted, usage, request, pod }: EvictionRank) => [
        evicted ? 0 : 1,
        usage > request ? 0 : 1,
        pod.priority,
        request - usage,
      ]
      for (let i = 1; i < ranks.length; i++) {
        const [before, after] = [key(ranks[i - 1]!), key(ranks[i]!)]
        const at = before.findIndex((part, j) => part !== after[j])
        expect(at < 0 || before[at]! < after[at]!).toBe(true)
      }
    }),
    { numRuns: 200 },
  )
})
