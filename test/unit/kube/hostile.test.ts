// SPDX-License-Identifier: Apache-2.0
// Hostile manifests: whatever a file contains, it is explained or reported, and never an exception.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { explainManifest } from '../../../src/kube/explain.ts'
import { makeKubelet } from '../../../src/kube/kubelet.ts'
import { parseNode } from '../../../src/kube/node.ts'
import { formatManifest, formatProblems } from '../../../src/kube/words.ts'
import { valid } from './objects.ts'

const kubelet = makeKubelet({ version: '1.37', settings: [] })
const node = parseNode('cpu=4,memory=16Gi')

function explain(text: string) {
  const { explanation } = explainManifest(text, kubelet, node)
  const lines = [...formatManifest(explanation, kubelet, false), ...formatProblems(explanation.problems, 'f', false)]
  expect(lines.every((line) => !/[\u0000-\u0008\u001b\u202e]/.test(line))).toBe(true)
  JSON.stringify(explanation)
  return explanation
}

type Place = [object: { [key: string]: unknown }, key: string]

/** Returns a valid object, and each place in it. */
function placesOf(kind: string): { object: object; places: Place[] } {
  const places: Place[] = []
  const object = structuredClone(valid[kind]!())
  const walk = (inner: unknown) => {
    if (typeof inner !== 'object' || inner === null) return
    for (const [key, one] of Object.entries(inner)) {
      places.push([inner as { [key: string]: unknown }, key])
      walk(one)
    }
  }
  walk(object)
  return { object, places }
}

/** Replaces one value somewhere in an object by another one. */
const mutated = fc
  .tuple(fc.constantFrom(...Object.keys(valid)), fc.nat(), fc.anything({ withBigInt: false }))
  .map(([kind, seed, value]) => {
    const { object, places } = placesOf(kind)
    const [target, key] = places[seed % places.length]!
    target[key] = value
    return object
  })

test.for(Object.keys(valid))('a map that is no text, in each place of a %s', (kind) => {
  const { length } = placesOf(kind).places
  for (let i = 0; i < length; i++) {
    const { object, places } = placesOf(kind)
    const [target, key] = places[i]!
    target[key] = { toString: 1, valueOf: 2 }
    explain(JSON.stringify(object))
  }
})

test('random values in each place of each kind', () => {
  fc.assert(
    fc.property(mutated, (object) => {
      explain(JSON.stringify(object) ?? '')
    }),
    { numRuns: 1500 },
  )
})

test('random texts', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void explain(text)),
    { numRuns: 500 },
  )
})

test('names of prototypes, deep nesting and very long texts', () => {
  for (const text of [
    '{"__proto__": {"kind": "Pod"}}',
    '{"apiVersion": "v1", "kind": "constructor", "metadata": {}}',
    '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"constructor": 1, "toString": 2, "containers": []}}',
    '['.repeat(20_000),
    `a: ${'['.repeat(3000)}${']'.repeat(3000)}`,
    `${'  '.repeat(5)}- `.repeat(2000),
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${'a'.repeat(100_000)}}\n`,
    '? [a, b]\n: c\n',
    '!!binary "x"\n',
    '&a [*a]\n',
    '<<: *x\n',
  ])
    expect(explain(text).problems.length).toBeGreaterThan(0)
})

test('500 workloads take less than ten seconds of CPU time', () => {
  const list = Array.from({ length: 500 }, (_, i) => ({ ...valid.Deployment!(), metadata: { name: `web-${i}` } }))
  const before = process.cpuUsage()
  const { pods, problems } = explain(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: list }))
  const { user, system } = process.cpuUsage(before)
  expect([pods.length, problems]).toEqual([500, []])
  expect(user + system).toBeLessThan(10_000_000)
})
