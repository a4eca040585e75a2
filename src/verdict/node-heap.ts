// SPDX-License-Identifier: Apache-2.0
// Compares the maximum heap of V8 in a Node program with the memory limit of its group. Called by remedies.ts and why/;
// pure.

import { formatSize } from '../text/units.ts'
import type { Cause, Remedy } from './cause.ts'
import type { EvidenceLine } from './limit-words.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30

/** Returns true if a command line starts the program node. */
export function isNode(argv: readonly string[]): boolean {
  return /^node(js)?(\d+)?$/.test(argv[0]?.slice(argv[0].lastIndexOf('/') + 1) ?? '')
}

/** Options of Node whose value is the next argument. */
const valued = new Set(
  '-r --require --import --loader --experimental-loader -C --conditions -e --eval -p --print -pe --env-file --input-type'.split(
    ' ',
  ),
)

/**
 * Returns the value of --max-old-space-size in bytes. The command line has priority over NODE_OPTIONS. Returns
 * undefined if neither contains the option.
 */
export function parseHeapFlag(argv: readonly string[], nodeOptions = ''): number | undefined {
  const script = argv.findIndex((word, i) => i > 0 && !word.startsWith('-') && !valued.has(argv[i - 1]!))
  const flags = [...splitOptions(nodeOptions), ...argv.slice(1, script < 0 ? undefined : script)]
  const sizes = flags.flatMap((word) => /^--max[-_]old[-_]space[-_]size=(\d{1,9})$/.exec(word)?.[1] ?? [])
  const size = Number(sizes.at(-1) ?? 0)
  return size > 0 ? size * MiB : undefined
}

/** Splits NODE_OPTIONS as Node does: at spaces outside of double quotes. Inside quotes, a backslash escapes the next character. */
function splitOptions(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/gs) ?? []
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/gs, (_, inner: string) => inner.replace(/\\(.)/gs, '$1')),
  )
}

/**
 * Returns V8's default maximum heap in bytes, on 64-bit machines. It is half of the visible memory, at least 256 MiB
 * and at most 2 GiB. With 15 GiB of memory or more, it is 4 GiB.
 */
export function defaultHeap(memory: number): number {
  return Math.max(256 * MiB, Math.min(memory / 2, memory >= 15 * GiB ? 4 * GiB : 2 * GiB))
}

/** Evidence about the maximum heap and the memory limit, and a remedy. */
interface HeapAdvice {
  evidence: EvidenceLine[]
  remedy: string
}

/**
 * Bytes that Node 20 needs in addition to a full heap. Its program file and libraries take 37 MiB, stacks and V8's
 * tables about 10 MiB.
 */
const beside = 48 * MiB
/** Share of a memory limit that the heap may have. The rest is for buffers and V8's young generation, which grow with the heap. */
const share = 0.75
/** Smallest maximum heap in bytes with which npm or a bundler starts. */
const minHeap = 24 * MiB

/**
 * Returns the largest maximum heap in bytes that fits below a memory limit. Returns undefined if the limit is too small
 * for Node.
 */
export function fittingHeap(limit: number): number | undefined {
  const heap = Math.floor(Math.min(limit * share, limit - beside) / MiB) * MiB
  return heap >= minHeap ? heap : undefined
}

/** Returns the lowest memory limit in bytes below which a maximum heap fits. */
export function limitForHeap(heap: number): number {
  return Math.ceil(Math.max(heap / share, heap + beside) / MiB) * MiB
}

const tooSmall = `a limit below ${formatSize(limitForHeap(minHeap))} is too small for Node, which needs ${formatSize(beside)} beside its heap`

/**
 * Returns true if Node was the last process that the OOM killer killed. Newer versions of Node name their first thread
 * MainThread.
 */
export function isNodeVictim({
  victims,
  command,
  counts,
  end,
}: Pick<Cause, 'victims' | 'command' | 'counts' | 'end'>): boolean {
  const last = victims?.at(-1)
  if (last) return isNodeName(last.name)
  // without the kernel's log: true if the command itself was Node and the only killed process
  return isNode([command]) && counts?.oomKills === 1 && end.signal === 'SIGKILL'
}

/** Returns true if a process's name is that of Node's first thread. */
export function isNodeName(name: string): boolean {
  return name === 'node' || name === 'MainThread'
}

/**
 * Returns remedies for a Node program that needed too much memory. With a maximum heap that fits, V8 collects garbage
 * in time. If the program keeps more memory in use, it needs a higher limit.
 */
export function nodeRemedies(limit: number, argv: readonly string[], env: readonly string[]): Remedy[] {
  const heap = fittingHeap(limit)
  if (heap === undefined) return [{ reason: tooSmall }]
  const options = env.findLast((pair) => pair.startsWith('NODE_OPTIONS='))?.slice('NODE_OPTIONS='.length) ?? ''
  const flag = `--max-old-space-size=${heap / MiB}`
  // the command line has priority over NODE_OPTIONS
  const fixed = isNode(argv) ? parseHeapFlag(argv) : undefined
  if ((fixed ?? parseHeapFlag([], options) ?? Number.POSITIVE_INFINITY) <= heap) return []
  const reason = 'give Node a heap that fits below the limit'
  if (fixed !== undefined) return [{ reason: `${reason}: change --max-old-space-size=${fixed / MiB} to ${flag}` }]
  return [{ option: { name: 'env', value: `NODE_OPTIONS=${`${options} ${flag}`.trim()}` }, reason: `${reason},` }]
}

/**
 * Compares the maximum heap with the memory limit. `flag` is the program's --max-old-space-size; `hostMemory` is the
 * host's memory. All are in bytes.
 */
export function adviseHeap(limit: number, flag: number | undefined, hostMemory: number): HeapAdvice {
  const fit = fittingHeap(limit)
  const advice = `--max-old-space-size=${(fit ?? 0) / MiB}`
  if (flag !== undefined && flag <= (fit ?? 0))
    return {
      evidence: [
        [
          'node heap',
          `--max-old-space-size=${flag / MiB} stays below memory.max ${formatSize(limit)}: the rest went to Buffers, add-ons, child processes, or workers, of which each has a heap of its own`,
        ],
      ],
      remedy:
        'raise memory.max, or check the memory outside the heap: process.memoryUsage() has external and arrayBuffers; resourceLimits.maxOldGenerationSizeMb limits the heap of a worker',
    }
  const room = fit === undefined ? tooSmall : `the heap can have ${formatSize(fit)} of it`
  if (flag !== undefined)
    return {
      evidence: [
        [
          'node heap',
          `--max-old-space-size=${flag / MiB} lets V8 grow to ${formatSize(flag)}; memory.max is ${formatSize(limit)}, and ${room}`,
        ],
      ],
      remedy: `${fit === undefined ? '' : `start it with ${advice}, so that it collects garbage in time, or `}raise memory.max to ${formatSize(limitForHeap(flag))}`,
    }
  const [seen, unseen] = [defaultHeap(Math.min(limit, hostMemory)), defaultHeap(hostMemory)]
  return {
    evidence: [
      [
        'node heap',
        `no --max-old-space-size: V8 chose ${formatSize(unseen)} by the host's ${formatSize(hostMemory)}, or ${formatSize(seen)} if it saw memory.max ${formatSize(limit)} (inside a cgroup namespace it does not)`,
      ],
    ],
    remedy:
      fit === undefined
        ? `raise memory.max: ${tooSmall}`
        : `start it with ${advice} (memory.max minus Node's memory outside the heap), or NODE_OPTIONS=${advice}; if its heap then runs out, raise memory.max`,
  }
}
