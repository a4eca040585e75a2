// SPDX-License-Identifier: Apache-2.0
// Computes what the limits of today and the advised ones cost, and the machines for replicas. Pure.
import { type Resources, reservedSize } from './advice.ts'
import type { MachineType } from './machines.ts'
import { type Packing, type PodGroup, packPods, podsOn } from './packing.ts'
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
  /** Other pods on the machines. */
  beside: readonly PodGroup[]
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
    /** Pods without room. */
    left: number
    /** Machines with the same content: how many of them, and how many replicas and other pods each has. */
    packed: { name: string; count: number; pods: number; others: number; share: { cpu: number; memory: number } }[]
    /** How many replicas each type holds. */
    types: { name: string; holds: number }[]
  }
}

/** Returns the costs and machines. */
export function makeCost({ resources, today, prices, replicas, machines, beside }: CostInput): CostReport {
  const size = reservedSize(resources)
  const isKnown = today && (today.milliRequest !== undefined || today.memoryRequest !== undefined)
  return {
    replicas,
    ...(prices && isKnown && { today: costOf(reservedSize(today), prices, replicas) }),
    ...(prices && { advised: costOf(size, prices, replicas) }),
    ...(machines && {
      machines: pack([{ name: 'replica', count: replicas, ...size }, ...beside], machines, prices?.currency),
    }),
  }
}

function pack(
  groups: readonly PodGroup[],
  machines: readonly MachineType[],
  currency?: string,
): NonNullable<CostReport['machines']> {
  const { method, machines: packed, price, bound, left } = packPods(groups, machines)
  const same = new Map<string, NonNullable<CostReport['machines']>['packed'][number]>()
  for (const { machine, pods } of packed) {
    const key = `${machine.name} ${pods.join('+')}`
    const known = same.get(key)
    if (known) {
      known.count++
      continue
    }
    const sum = (of: (group: PodGroup) => number) =>
      pods.reduce((total, count, group) => total + count * of(groups[group]!), 0)
    same.set(key, {
      name: machine.name,
      count: 1,
      pods: pods[0]!,
      others: sum(() => 1) - pods[0]!,
      share: {
        cpu: sum(({ milliCpus }) => milliCpus) / machine.free.milliCpus,
        memory: sum(({ memory }) => memory) / machine.free.memory,
      },
    })
  }
  return {
    method,
    cost: costOfMachines(price, currency),
    bound: costOfMachines(bound, currency),
    left,
    packed: [...same.values()],
    types: machines.map((machine) => ({ name: machine.name, holds: podsOn(machine, groups[0]!) })),
  }
}

/** Returns what one of equal machines has, in words. */
export function contentOf({ count, pods, others }: NonNullable<CostReport['machines']>['packed'][number]): string {
  const each = count === 1 ? '' : ' each'
  const parts = [
    ...(pods === 0 ? [] : [`${pods} ${pods === 1 ? 'replica' : 'replicas'}`]),
    ...(others === 0 ? [] : [`${others} other ${others === 1 ? 'pod' : 'pods'}`]),
  ]
  return `${parts.join(' and ')}${each}`
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
    ...types.map(
      ({ name, holds }): AdviceLine => ['holds', `${name}: ${holds} ${holds === 1 ? 'replica' : 'replicas'}`],
    ),
    ...packed.map(
      (entry): AdviceLine => [
        'machines',
        `${entry.count} × ${entry.name} with ${contentOf(entry)}: ${Math.round(entry.share.cpu * 100)} % of CPU, ${Math.round(entry.share.memory * 100)} % of memory`,
      ],
    ),
    ['price', `${money(cost)}: ${how}`],
    ...(left > 0 ? [['no room', `${left} ${left === 1 ? 'pod fits' : 'pods fit'} on no machine`] as AdviceLine] : []),
  ]
}
