// SPDX-License-Identifier: Apache-2.0
// Holds the size of a node, and what a kubelet leaves of it for pods. Pure.
import { fail } from '../errors/errors.ts'
import { milliOf, parseQuantity, wholeOf } from '../text/quantity.ts'
import type { Kubelet } from './kubelet.ts'

/** The size of a node. */
export interface NodeSize {
  milliCpus: number
  /** Bytes. */
  memory: number
  /** Bytes. */
  swap: number
  /** Bytes of a page of memory. */
  pageSize: number
  /** Sizes of huge pages, as kernel files name them: 2MB, 1GB. */
  hugepageSizes: readonly string[]
}

const accepted = 'cpu=N,memory=SIZE, and swap=SIZE if the node has swap: cpu=4,memory=16Gi'

/** Parses a size of a node. Swap is 0 by default; sizes of huge pages are those of x86-64. @throws OPTION_INVALID */
export function parseNode(text: string): NodeSize {
  const parts = new Map(text.split(',').map((part) => [part.split('=')[0]!, part.split('=')[1] ?? ''] as const))
  const invalid = (why?: string) => fail('OPTION_INVALID', { name: '--node', value: text, why, accepted })
  for (const name of parts.keys())
    if (!['cpu', 'memory', 'swap'].includes(name)) throw invalid(`unknown resource ${name}`)
  const read = (name: string) => {
    const amount = parseQuantity(parts.get(name) ?? '0')
    if (amount === undefined || amount < 0n) throw invalid(`${name} is not a quantity`)
    return amount
  }
  const [cpu, memory, swap] = [read('cpu'), read('memory'), read('swap')]
  if (cpu === 0n || memory === 0n) throw invalid(`${cpu === 0n ? 'cpu' : 'memory'} is missing or 0`)
  return {
    milliCpus: milliOf(cpu),
    memory: wholeOf(memory),
    swap: wholeOf(swap),
    pageSize: 4096,
    hugepageSizes: ['2MB', '1GB'],
  }
}

/** Returns what pods may use: all but what is reserved. `forScheduler` also leaves out the threshold of eviction. */
export function allocatable(
  node: NodeSize,
  { reserved, evictionHard }: Kubelet,
  forScheduler: boolean,
): { milliCpus: number; memory: number } {
  const threshold = evictionHard.endsWith('%')
    ? Math.ceil((node.memory * Number(evictionHard.slice(0, -1))) / 100)
    : wholeOf(parseQuantity(evictionHard)!)
  return {
    milliCpus: Math.max(0, node.milliCpus - reserved.milliCpus),
    memory: Math.max(0, node.memory - reserved.memory - (forScheduler ? threshold : 0)),
  }
}
