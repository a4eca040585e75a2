// SPDX-License-Identifier: Apache-2.0
// Finds the cheapest machines for pods: exactly if all pods are equal or there are few, by first-fit-decreasing otherwise. Pure.
import type { MachineType } from './machines.ts'
import type { Size } from './prices.ts'

/** Pods of the same size. */
export interface PodGroup extends Size {
  name: string
  count: number
}

/** One machine and how many pods of each group are on it. */
interface PackedMachine {
  machine: MachineType
  /** Number of pods of each group, in the order of the groups. */
  pods: number[]
}

/** Machines for all pods. */
export interface Packing {
  /** `exact`: no other choice is cheaper. `first-fit-decreasing`: see `bound`. */
  method: 'exact' | 'first-fit-decreasing'
  machines: PackedMachine[]
  /** Price of an hour, in billionths. */
  price: bigint
  /** No choice can cost less than this, in billionths an hour. */
  bound: bigint
  /** Number of pods that no machine has room for. */
  left: number
}

/** Largest number of unequal pods for which every choice is examined. */
const maxExact = 10

/** Returns how many pods of a size fit on an empty machine. */
export function podsOn({ free, pods }: MachineType, { milliCpus, memory }: Size): number {
  const byCpu = milliCpus === 0 ? Number.POSITIVE_INFINITY : Math.floor(free.milliCpus / milliCpus)
  const byMemory = memory === 0 ? Number.POSITIVE_INFINITY : Math.floor(free.memory / memory)
  return Math.min(byCpu, byMemory, pods)
}

/** Returns the cheapest machines for the pods. */
export function packPods(groups: readonly PodGroup[], types: readonly MachineType[]): Packing {
  const sizes = new Set(groups.map(({ milliCpus, memory }) => `${milliCpus} ${memory}`))
  const total = groups.reduce((sum, { count }) => sum + count, 0)
  if (sizes.size === 1) return packEqual(groups, types)
  const found = total <= maxExact ? packFew(groups, types) : undefined
  return found ?? packMany(groups, types)
}

/** All pods are equal: the cheapest sum of machines whose places suffice, by dynamic programming over the number of places. */
function packEqual(groups: readonly PodGroup[], types: readonly MachineType[]): Packing {
  const total = groups.reduce((sum, { count }) => sum + count, 0)
  const useful = types
    .map((machine) => ({ machine, places: podsOn(machine, groups[0]!) }))
    .filter(({ places }) => places > 0)
  const room = useful.reduce((sum, { machine, places }) => sum + places * machine.count, 0)
  const wanted = Math.min(total, room)
  const best = new Float64Array(wanted + 1).fill(Number.POSITIVE_INFINITY)
  best[0] = 0
  /** For each bundle of machines, whether it is part of the cheapest choice for a number of places. */
  const bundles: { type: number; machines: number; taken: Uint8Array }[] = []
  for (const [type, { machine, places }] of useful.entries()) {
    const most = Math.min(machine.count, Math.ceil(wanted / places))
    // bundles of 1, 2, 4, … machines make every number up to `most`
    for (let rest = most, size = 1; rest > 0; rest -= size, size = Math.min(size * 2, rest)) {
      // one bit for each number of places
      const taken = new Uint8Array((wanted >> 3) + 1)
      const [gain, price] = [places * size, Number(machine.price) * size]
      for (let at = wanted; at > 0; at--) {
        const cost = best[Math.max(0, at - gain)]! + price
        if (cost >= best[at]!) continue
        best[at] = cost
        taken[at >> 3]! |= 1 << (at & 7)
      }
      bundles.push({ type, machines: size, taken })
    }
  }
  const numbers = useful.map(() => 0)
  let at = wanted
  for (const { type, machines, taken } of bundles.reverse()) {
    if (at <= 0 || (taken[at >> 3]! & (1 << (at & 7))) === 0) continue
    numbers[type]! += machines
    at = Math.max(0, at - machines * useful[type]!.places)
  }
  const machines = fill(
    groups,
    useful.flatMap(({ machine, places }, type) => Array.from({ length: numbers[type]! }, () => ({ machine, places }))),
  )
  const price = priceOf(machines)
  return { method: 'exact', machines, price, bound: price, left: total - wanted }
}

/** Distributes equal pods over chosen machines, the largest first. */
function fill(groups: readonly PodGroup[], chosen: { machine: MachineType; places: number }[]): PackedMachine[] {
  const rest = groups.map(({ count }) => count)
  return chosen
    .sort((a, b) => b.places - a.places)
    .map(({ machine, places }) => {
      let room = places
      const pods = rest.map((count, i) => {
        const put = Math.min(count, room)
        rest[i] = count - put
        room -= put
        return put
      })
      return { machine, pods }
    })
}

function priceOf(machines: readonly PackedMachine[]): bigint {
  return machines.reduce((sum, { machine }) => sum + machine.price, 0n)
}

/** A machine that is being filled. */
interface Bin {
  type: number
  free: { milliCpus: number; memory: number; pods: number }
  pods: number[]
}

const emptyBin = (type: number, { free, pods }: MachineType, groups: number): Bin => ({
  type,
  free: { ...free, pods },
  pods: Array.from({ length: groups }, () => 0),
})

function holds({ free }: Bin, { milliCpus, memory }: Size): boolean {
  return free.pods >= 1 && free.milliCpus >= milliCpus && free.memory >= memory
}

function put(bin: Bin, { milliCpus, memory }: Size, group: number, sign: 1 | -1): void {
  bin.free.milliCpus -= sign * milliCpus
  bin.free.memory -= sign * memory
  bin.free.pods -= sign
  bin.pods[group]! += sign
}

/** Returns the indexes of the groups, one for each pod, the largest pods first. */
function podsInOrder(groups: readonly PodGroup[], types: readonly MachineType[]): number[] {
  const most = (of: (size: Size) => number) => Math.max(1, ...types.map(({ free }) => of(free)))
  const [cpus, memory] = [most((size) => size.milliCpus), most((size) => size.memory)]
  const weight = (group: PodGroup) => Math.max(group.milliCpus / cpus, group.memory / memory)
  return groups
    .map((_, index) => index)
    .sort((a, b) => weight(groups[b]!) - weight(groups[a]!))
    .flatMap((index) => Array.from({ length: groups[index]!.count }, () => index))
}

/** Few pods: examines every choice that can still be cheaper than the best one found. Returns undefined if not all pods have room. */
function packFew(groups: readonly PodGroup[], types: readonly MachineType[]): Packing | undefined {
  const pods = podsInOrder(groups, types)
  let best: { price: bigint; bins: { type: number; pods: number[] }[] } | undefined
  const bins: Bin[] = []
  const used = types.map(() => 0)
  const place = (at: number, price: bigint): void => {
    if (best && price >= best.price) return
    if (at === pods.length) {
      best = { price, bins: bins.map(({ type, pods }) => ({ type, pods: [...pods] })) }
      return
    }
    const group = pods[at]!
    const seen = new Set<string>()
    for (const bin of bins) {
      const state = `${bin.type} ${bin.free.milliCpus} ${bin.free.memory} ${bin.free.pods}`
      if (seen.has(state) || !holds(bin, groups[group]!)) continue
      seen.add(state)
      put(bin, groups[group]!, group, 1)
      place(at + 1, price)
      put(bin, groups[group]!, group, -1)
    }
    for (const [type, machine] of types.entries()) {
      const bin = emptyBin(type, machine, groups.length)
      if (used[type]! >= machine.count || !holds(bin, groups[group]!)) continue
      used[type]!++
      put(bin, groups[group]!, group, 1)
      bins.push(bin)
      place(at + 1, price + machine.price)
      bins.pop()
      used[type]!--
    }
  }
  place(0, 0n)
  if (!best) return undefined
  const machines = best.bins.map(({ type, pods }) => ({ machine: types[type]!, pods }))
  return { method: 'exact', machines, price: best.price, bound: best.price, left: 0 }
}

/** Number of types that are tried as the first choice. */
const maxFirst = 20

/** Many pods: first-fit-decreasing with each of the best types as the first choice; each machine is then replaced by the cheapest that suffices. */
function packMany(groups: readonly PodGroup[], types: readonly MachineType[]): Packing {
  const pods = podsInOrder(groups, types)
  let best: Packing | undefined
  const bound = lowerBound(groups, types)
  const order = byValue(types)
  for (const first of order.slice(0, maxFirst)) {
    const found = firstFit(groups, types, pods, [first, ...order.filter((type) => type !== first)])
    const price = priceOf(found.machines)
    const isBetter = !best || found.left < best.left || (found.left === best.left && price < best.price)
    if (isBetter) best = { method: 'first-fit-decreasing', ...found, price, bound: found.left > 0 ? 0n : bound }
  }
  return best!
}

/** Returns the indexes of the types, the cheapest for its memory and CPUs first. */
function byValue(types: readonly MachineType[]): number[] {
  const value = ({ free, price }: MachineType) => Number(price) / (free.milliCpus / 1000 + free.memory / 2 ** 32 || 1)
  return [...types.keys()].sort((a, b) => value(types[a]!) - value(types[b]!))
}

function firstFit(
  groups: readonly PodGroup[],
  types: readonly MachineType[],
  pods: readonly number[],
  order: readonly number[],
): Pick<Packing, 'machines' | 'left'> {
  const bins: Bin[] = []
  const used = types.map(() => 0)
  let left = 0
  // equal pods follow each other, and what is full for one is full for the next
  let from = 0
  let last = -1
  for (const group of pods) {
    if (group !== last) from = 0
    last = group
    while (from < bins.length && !holds(bins[from]!, groups[group]!)) from++
    let bin = bins[from]
    if (!bin) {
      const type = order.find(
        (index) =>
          used[index]! < types[index]!.count && holds(emptyBin(index, types[index]!, groups.length), groups[group]!),
      )
      if (type === undefined) {
        left++
        continue
      }
      used[type]!++
      bin = emptyBin(type, types[type]!, groups.length)
      bins.push(bin)
    }
    put(bin, groups[group]!, group, 1)
  }
  const cheapest = [...types.keys()].sort((a, b) => Number(types[a]!.price - types[b]!.price))
  const machines = bins.map((bin) => {
    const better = cheapest.find(
      (type) =>
        types[type]!.price < types[bin.type]!.price &&
        used[type]! < types[type]!.count &&
        fits(groups, bin, types[type]!),
    )
    if (better !== undefined) {
      used[better]!++
      used[bin.type]!--
    }
    return { machine: types[better ?? bin.type]!, pods: bin.pods }
  })
  return { machines, left }
}

function fits(groups: readonly PodGroup[], { pods }: Bin, machine: MachineType): boolean {
  const sum = (of: (group: PodGroup) => number) =>
    pods.reduce((total, count, group) => total + count * of(groups[group]!), 0)
  return (
    sum(({ milliCpus }) => milliCpus) <= machine.free.milliCpus &&
    sum(({ memory }) => memory) <= machine.free.memory &&
    sum(() => 1) <= machine.pods
  )
}

/** Returns a price that no choice can go below: all of one resource, at the price of the machine that has it cheapest. */
function lowerBound(groups: readonly PodGroup[], types: readonly MachineType[]): bigint {
  const resources: [(size: PodGroup) => number, (machine: MachineType) => number][] = [
    [({ milliCpus }) => milliCpus, ({ free }) => free.milliCpus],
    [({ memory }) => memory, ({ free }) => free.memory],
    [() => 1, ({ pods }) => pods],
  ]
  let most = 0n
  for (const [need, has] of resources) {
    const demand = BigInt(groups.reduce((sum, group) => sum + group.count * need(group), 0))
    const costs = types
      .filter((machine) => has(machine) > 0)
      .map((machine) => (demand * machine.price) / BigInt(has(machine)))
    const [least = 0n] = costs.sort((a, b) => (a < b ? -1 : 1))
    if (least > most) most = least
  }
  return most
}
