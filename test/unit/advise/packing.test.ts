// SPDX-License-Identifier: Apache-2.0
// Machines for pods: hand-made cases with known answers, random ones beside brute force, and the time for many.
import { expect, test } from 'vitest'
import { type MachineType, parseMachines } from '../../../src/advise/machines.ts'
import { type Packing, type PodGroup, packPods, podsOn } from '../../../src/advise/packing.ts'

const mib = 2 ** 20
const machine = (name: string, milliCpus: number, memory: number, price: number, more = {}): MachineType => ({
  name,
  size: { milliCpus, memory: memory * mib },
  free: { milliCpus, memory: memory * mib },
  pods: 110,
  price: BigInt(price),
  count: Number.POSITIVE_INFINITY,
  ...more,
})
const pods = (count: number, milliCpus: number, memory: number): PodGroup => ({
  name: `${milliCpus}m`,
  count,
  milliCpus,
  memory: memory * mib,
})
const shape = ({ machines, price, left, method }: Packing) => ({
  method,
  machines: machines.map(({ machine, pods }) => `${machine.name} ${pods.join('+')}`),
  price: Number(price),
  left,
})

test.for<[string, PodGroup[], MachineType[], object]>([
  [
    'one machine is enough',
    [pods(4, 500, 100)],
    [machine('a', 2000, 1000, 10)],
    { machines: ['a 4'], price: 10, left: 0 },
  ],
  [
    'memory decides',
    [pods(4, 100, 600)],
    [machine('a', 8000, 1000, 10)],
    { machines: ['a 1', 'a 1', 'a 1', 'a 1'], price: 40, left: 0 },
  ],
  [
    'a large and a small machine are cheaper than two large ones',
    [pods(5, 1000, 10)],
    [machine('large', 4000, 1000, 10), machine('small', 1000, 1000, 4)],
    { machines: ['large 4', 'small 1'], price: 14, left: 0 },
  ],
  [
    'the cheapest for a CPU is not the cheapest for all',
    [pods(3, 1000, 10)],
    [machine('large', 10_000, 1000, 20), machine('small', 1000, 1000, 5)],
    { machines: ['small 1', 'small 1', 'small 1'], price: 15, left: 0 },
  ],
  [
    'the number of machines is limited',
    [pods(5, 1000, 10)],
    [machine('a', 2000, 1000, 1, { count: 2 })],
    { machines: ['a 2', 'a 2'], price: 2, left: 1 },
  ],
  [
    'the number of pods is limited',
    [pods(3, 1, 1)],
    [machine('a', 1000, 1000, 7, { pods: 2 })],
    { machines: ['a 2', 'a 1'], price: 14, left: 0 },
  ],
  ['nothing fits', [pods(2, 3000, 10)], [machine('a', 2000, 1000, 1)], { machines: [], price: 0, left: 2 }],
  [
    'unequal pods that share machines',
    [pods(2, 1500, 10), pods(2, 500, 10)],
    [machine('a', 2000, 1000, 3)],
    { machines: ['a 1+1', 'a 1+1'], price: 6, left: 0 },
  ],
])('%s', ([, groups, types, expected]) => {
  expect(shape(packPods(groups, types))).toEqual({ method: 'exact', ...expected })
})

/** The least price of all ways to put the pods into machines: every assignment of each pod is tried. */
function bruteForce(groups: readonly PodGroup[], types: readonly MachineType[]): number {
  const items = groups.flatMap((group) => Array.from({ length: group.count }, () => group))
  let best = Number.POSITIVE_INFINITY
  const price = (set: PodGroup[]) => {
    const sum = (of: (pod: PodGroup) => number) => set.reduce((total, pod) => total + of(pod), 0)
    const fitting = types.filter(
      ({ free, pods }) =>
        sum((pod) => pod.milliCpus) <= free.milliCpus && sum((pod) => pod.memory) <= free.memory && set.length <= pods,
    )
    return Math.min(...fitting.map((type) => Number(type.price)))
  }
  const assign = (at: number, sets: PodGroup[][]): void => {
    if (at === items.length) {
      best = Math.min(
        best,
        sets.reduce((total, set) => total + price(set), 0),
      )
      return
    }
    for (const set of sets) {
      set.push(items[at]!)
      assign(at + 1, sets)
      set.pop()
    }
    assign(at + 1, [...sets, [items[at]!]])
  }
  assign(0, [])
  return best
}

/** A generator with a seed, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}

test('random pods cost as much as the cheapest of all choices', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed)
    const groups = Array.from({ length: 1 + next(3) }, () =>
      pods(1 + next(2), 100 * (1 + next(15)), 50 * (1 + next(15))),
    )
    const types = Array.from({ length: 1 + next(3) }, (_, i) =>
      machine(`t${i}`, 1000 * (1 + next(4)), 500 * (1 + next(4)), 1 + next(20)),
    )
    const least = bruteForce(groups, types)
    const method = Number.isFinite(least) ? 'exact' : expect.anything()
    const found = packPods(groups, types)
    expect([seed, found.method, found.left === 0 ? Number(found.price) : Number.POSITIVE_INFINITY]).toEqual([
      seed,
      method,
      least,
    ])
  }
})

test('many unequal pods: nothing is overfull, the price is between its bound and twice the bound', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const next = random(seed)
    const groups = Array.from({ length: 2 + next(4) }, () =>
      pods(5 + next(20), 50 * (1 + next(20)), 20 * (1 + next(20))),
    )
    const types = Array.from({ length: 1 + next(4) }, (_, i) => {
      const size = 4 + next(12)
      return machine(`t${i}`, 1000 * size, 500 * size, 10 * size + next(20))
    })
    const found = packPods(groups, types)
    expect([found.method, found.left]).toEqual(['first-fit-decreasing', 0])
    for (const { machine, pods } of found.machines) {
      const sum = (of: (group: PodGroup) => number) =>
        pods.reduce((total, count, i) => total + count * of(groups[i]!), 0)
      expect(sum((group) => group.milliCpus)).toBeLessThanOrEqual(machine.free.milliCpus)
      expect(sum((group) => group.memory)).toBeLessThanOrEqual(machine.free.memory)
    }
    for (const [i, { count }] of groups.entries())
      expect(found.machines.reduce((sum, { pods }) => sum + pods[i]!, 0)).toBe(count)
    expect(found.price).toBeGreaterThanOrEqual(found.bound)
    expect(found.price).toBeLessThan(2n * found.bound + 400n)
  }
})

test('the largest accepted list is packed exactly if the pods are equal, and by first-fit-decreasing if not', () => {
  const types = Array.from({ length: 200 }, (_, i) =>
    machine(`t${i}`, 8000 + 1000 * i, 16_384 + 2048 * i, 300 + 41 * i + (i % 7), { count: 1000 }),
  )
  const equal = packPods([pods(100_000, 250, 600)], types)
  const unequal = packPods([pods(100_000, 250, 600), pods(100_000, 200, 700)], types)
  expect([equal.method, equal.left, unequal.method, unequal.left]).toEqual(['exact', 0, 'first-fit-decreasing', 0])
})

test('10,000 pods on 500 machines take at most 5 s, equal or not', () => {
  const types = Array.from({ length: 20 }, (_, i) =>
    machine(`t${i}`, 8000 + 1000 * i, 16_384 + 2048 * i, 300 + 41 * i, { count: 25 }),
  )
  const started = performance.now()
  const equal = packPods([pods(10_000, 250, 600)], types)
  const unequal = packPods([pods(4000, 300, 500), pods(4000, 200, 700), pods(2000, 100, 300)], types)
  expect(performance.now() - started).toBeLessThan(5000)
  expect([equal.left, unequal.left]).toEqual([0, 0])
  expect(equal.machines.length).toBeLessThanOrEqual(500)
})

test('a kubelet leaves what it reserves and the threshold of eviction', () => {
  const [type] = parseMachines('[{"name":"m","cpu":4,"memory":"16Gi","price":0.2}]', 'nodes.json')
  // GKE: 6 % + 1 % + 2 × 0.5 % of a CPU; 25 % of 4, 20 % of 4 and 10 % of 8 GiB; 100 MiB for eviction
  expect(type!.free).toEqual({ milliCpus: 3920, memory: 16 * 1024 * mib - Math.ceil(2.6 * 1024 * mib) - 100 * mib })
  const text =
    '[{"name":"m","cpu":"4","memory":"16Gi","price":"0.2","reserved":{"cpu":"100m","memory":"1Gi"},"eviction":"500Mi","pods":30}]'
  const [own] = parseMachines(text, 'nodes.json')
  expect(own!.free).toEqual({ milliCpus: 3900, memory: (15 * 1024 - 500) * mib })
  expect(podsOn(own!, { milliCpus: 100, memory: 100 * mib })).toBe(30)
})

const fields = '"name":"a","cpu":2,"memory":"4Gi","price":1'

test.for([
  ['', 'not JSON: line 1, column 1'],
  ['{}', 'not a list with at least one machine type'],
  ['[]', 'not a list with at least one machine type'],
  ['[1]', 'entry 1 is not an object'],
  ['[[]]', 'entry 1 is not an object'],
  [`[{${fields}},null]`, 'entry 2 is not an object'],
  ['[{"cpu":2,"memory":"4Gi","price":1}]', 'name of entry 1 is not a text'],
  ['[{"name":5,"cpu":2,"memory":"4Gi","price":1}]', 'name of entry 1 is not a text'],
  ['[{"name":"a"}]', 'cpu of entry 1 is not a quantity'],
  ['[{"name":"a","cpu":2,"memory":"4GB","price":1}]', 'memory of entry 1 is not a quantity'],
  ['[{"name":"a","cpu":-2,"memory":"4Gi","price":1}]', 'cpu of entry 1 is not a quantity'],
  ['[{"name":"a","cpu":2,"memory":"4Gi"}]', 'price of entry 1 is not a price'],
  ['[{"name":"a","cpu":2,"memory":"4Gi","price":"$1"}]', 'price of entry 1 is not a price'],
  [`[{${fields},"count":0}]`, 'count of entry 1 is not a whole number of at least 1'],
  [`[{${fields},"pods":1.5}]`, 'pods of entry 1 is not a whole number of at least 1'],
  [`[{${fields},"podz":3}]`, 'unknown key podz in entry 1'],
  [`[{${fields},"reserved":5}]`, 'reserved of entry 1 is not an object'],
  [`[{${fields},"reserved":{"mem":"1Gi"}}]`, 'unknown key mem in reserved of entry 1'],
  [`[{${fields},"reserved":{"cpu":"x"}}]`, 'reserved.cpu of entry 1 is not a quantity'],
  [`[{${fields},"eviction":"5%"}]`, 'eviction of entry 1 is not a quantity'],
  [`[{${fields}},{${fields}}]`, 'entry 2 has the name of entry 1'],
  [`[${Array.from({ length: 201 }, () => `{${fields}}`).join(',')}]`, 'more than 200 machine types'],
] as const)('the machine types %s are refused: %s', ([text, why]) => {
  expect(() => parseMachines(text, 'nodes.json')).toThrow(`invalid value nodes.json for --nodes: ${why}`)
})
