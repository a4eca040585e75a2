// SPDX-License-Identifier: Apache-2.0
// Descriptors that this process was given by its caller, beside those that Node has opened for itself.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** One of this process's descriptors as /proc shows it. */
export interface Descriptor {
  number: number
  target: string
  /** As open(2) has them. */
  flags: number
}

const accessMode = 0o3
const closeOnExec = 0o2000000

/** The caller's above 2. Node marks even those close-on-exec at its start, so they are told apart by what they are: see `isNodes`. */
export function readInherited(): number[] {
  const all: Descriptor[] = []
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`)
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0'
      all.push({ number: Number(name), target, flags: Number.parseInt(flags, 8) })
    } catch {
      // the one of this listing
    }
  }
  return chooseInherited(all)
}

/** Pure: those that Node has not opened for itself. */
export function chooseInherited(all: readonly Descriptor[]): number[] {
  const nodesNull = all
    .filter(({ number, target, flags }) => number > 2 && target === '/dev/null' && flags & closeOnExec)
    .filter(({ flags }) => (flags & accessMode) === 0)
    .at(-1)
  return all
    .filter((one) => one.number > 2 && one !== nodesNull && !isNodes(one, all))
    .map(({ number }) => number)
    .sort((a, b) => a - b)
}

/** Node's own are event queues and counters, and pipes that both begin and end in this process. */
function isNodes({ number, target, flags }: Descriptor, all: readonly Descriptor[]): boolean {
  if (!(flags & closeOnExec)) return false
  if (target.startsWith('anon_inode:') || target.startsWith('/memfd:hutch')) return true
  return target.startsWith('pipe:') && all.some((other) => other.number !== number && other.target === target)
}
