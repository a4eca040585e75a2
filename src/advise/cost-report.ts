// SPDX-License-Identifier: Apache-2.0
// Computes what the limits of today and the advised ones cost, and the machines for replicas. Pure.
import { type Resources, reservedSize } from './advice.ts'
import type { MachineType } from './machines.ts'
import { type Packing, packPods, podsOn } from './packing.ts'
import { type Cost, costOf, costOfMachines, type Prices } from './prices.ts'
import type { AdviceLine } from './words.ts'

/** What to compute the cost of. */
interface CostInput {
  resources: Resources
  /** The limits of today; absent if they are unknown. */
  today?: Resources | undefined
  prices?: Prices | undefined
  replicas: number
  machines?: readonly MachineType[] | undefined
}

/** Costs and machines as data. */
export interface CostReport {
  replicas: number
  today?: Cost
  advised?: Cost
  machines?: {
    method: Packing['method']
    cost: Cost
    /** The least that any choice can cost. */
    bound: Cost
    /** Replicas without room. */
    left: number
    /** Machines with the same content: how many of them, and how many replicas each has. */
    packed: { name: string; count: number; pods: number; share: { cpu: number; memory: number } }[]
    /** How many replicas each type holds. */
    types: { name: string; holds: number }[]
  }
}

/** Returns the costs and machines. */
export function makeCost({ resources, today, prices, replicas, machines }: CostInput): CostReport {
  const size = reservedSize(resources)
  const isKnown = today && (today.milliRequest !== undefined || today.memoryRequest !== undefined)
  return {
    replicas,
    ...(prices && isKnown && { today: costOf(reservedSize(today), prices, replicas) }),
    ...(prices && { advised: costOf(size, prices, replicas) }),
    ...(machines && { machines: pack(resources, replicas, machines, prices?.currency) }),
  }
}

function pack(
  resources: Resources,
  replicas: number,
  machines: readonly MachineType[],
  currency?: string,
): NonNullable<CostReport['machines']> {
  const size = reservedSize(resources)
  const {
    method,
    machines: packed,
    price,
    bound,
    left,
  } = packPods([{ name: 'replica', count: replicas, ...size }], machines)
  const same = new Map<string, NonNullable<CostReport['machines']>['packed'][number]>()
  for (const { machine, pods } of packed) {
    const count = pods.reduce((sum, number) => sum + number, 0)
    const key = `${machine.name} ${count}`
    const known = same.get(key)
    if (known) known.count++
    else
      same.set(key, {
        name: machine.name,
        count: 1,
        pods: count,
        share: {
          cpu: (count * size.milliCpus) / machine.free.milliCpus,
          memory: (count * size.memory) / machine.free.memory,
        },
      })
  }
  return {
    method,
    cost: costOfMachines(price, currency),
    bound: costOfMachines(bound, currency),
    left,
    packed: [...same.values()],
    types: machines.map((machine) => ({ name: machine.name, holds: podsOn(machine, size) })),
  }
}

/** Returns the lines of the report about costs. */
export function costLines({ replicas, today, advised, machines }: CostReport): AdviceLine[] {
  const times = replicas === 1 ? '' : ` for ${replicas} replicas`
  const money = ({ hour, month }: Cost) => `${hour} an hour, ${month} a month`
  return [
    ...(today ? [['cost today', `${money(today)}${times}`] as AdviceLine] : []),
    ...(advised ? [['cost', `${money(advised)}${times}, by requests`] as AdviceLine] : []),
    ...(machines ? machineLines(machines, money) : []),
  ]
}

function machineLines(
  { method, cost, bound, left, packed, types }: NonNullable<CostReport['machines']>,
  money: (cost: Cost) => string,
): AdviceLine[] {
  const how =
    method === 'exact'
      ? 'no choice is cheaper'
      : `by first-fit-decreasing; no choice costs less than ${bound.hour} an hour`
  return [
    ...types.map(({ name, holds }): AdviceLine => ['holds', `${name}: ${holds}`]),
    ...packed.map(
      ({ name, count, pods, share }): AdviceLine => [
        'machines',
        `${count} × ${name} with ${pods} each: ${Math.round(share.cpu * 100)} % of CPU, ${Math.round(share.memory * 100)} % of memory`,
      ],
    ),
    ['machine cost', `${money(cost)}: ${how}`],
    ...(left > 0 ? [['no room', `${left} replicas fit on no machine`] as AdviceLine] : []),
  ]
}
