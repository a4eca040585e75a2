// SPDX-License-Identifier: Apache-2.0
// Tells the descriptors that this process inherited from those that Node opened.
import { readdirSync, readFileSync, readlinkSync } from '../system/files.ts'

/** One of this process's descriptors as /proc shows it. */
interface Descriptor {
  number: number
  target: string
  /** The flags with which the descriptor was opened, see open(2). */
  flags: number
}

const accessMode = 0o3
const closeOnExec = 0o2000000

/**
 * Returns the descriptors above 2 that this process inherited. Node sets close-on-exec on all descriptors at its start. So the flag does
 * not show which ones Node opened: see `isNodes`.
 */
export function readInherited(): number[] {
  const all: Descriptor[] = []
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`)
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0'
      all.push({ number: Number(name), target, flags: Number.parseInt(flags, 8) })
    } catch {
      // skip the descriptor that this listing itself uses
    }
  }
  return chooseInherited(all)
}

/** Returns the descriptors that Node did not open. Pure. */
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

/** Node's own descriptors are event queues, counters, and pipes with both ends in this process. */
function isNodes({ number, target, flags }: Descriptor, all: readonly Descriptor[]): boolean {
  if (!(flags & closeOnExec)) return false
  if (target.startsWith('anon_inode:') || target.startsWith('/memfd:hutch')) return true
  return target.startsWith('pipe:') && all.some((other) => other.number !== number && other.target === target)
}
