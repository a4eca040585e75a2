// SPDX-License-Identifier: Apache-2.0
// How far V8 lets the heap of a Node program grow, beside the limit of its group. Pure.

import { formatSize } from '../../units.ts'
import type { Line } from '../../verdict/limit-words.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30

/** Whether a command line is Node's. */
export function isNode(argv: readonly string[]): boolean {
  return /^node(js)?(\d+)?$/.test(argv[0]?.slice(argv[0].lastIndexOf('/') + 1) ?? '')
}

/** Of Node's options before the script those whose value is the next word. */
const valued = new Set(
  '-r --require --import --loader --experimental-loader -C --conditions -e --eval -p --print -pe --env-file --input-type'.split(
    ' ',
  ),
)

/** Bytes from --max-old-space-size, the last of the command line before that of NODE_OPTIONS; undefined without one. */
export function parseHeapFlag(argv: readonly string[], nodeOptions = ''): number | undefined {
  const script = argv.findIndex((word, i) => i > 0 && !word.startsWith('-') && !valued.has(argv[i - 1]!))
  const flags = [...splitOptions(nodeOptions), ...argv.slice(1, script < 0 ? undefined : script)]
  const sizes = flags.flatMap((word) => /^--max[-_]old[-_]space[-_]size=(\d{1,9})$/.exec(word)?.[1] ?? [])
  const size = Number(sizes.at(-1) ?? 0)
  return size > 0 ? size * MiB : undefined
}

/** As Node splits NODE_OPTIONS: at blanks outside of double quotes, in which a backslash takes the next character as it is. */
function splitOptions(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/gs) ?? []
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/gs, (_, inner: string) => inner.replace(/\\(.)/gs, '$1')),
  )
}

/** What V8 chooses for itself on 64 bits: half of the memory that it sees, 256 MiB at least, 2 GiB or, from 15 GiB on, 4 at most. */
export function defaultHeap(memory: number): number {
  return Math.max(256 * MiB, Math.min(memory / 2, memory >= 15 * GiB ? 4 * GiB : 2 * GiB))
}

/** How the heap stands to the limit: evidence, and what to do. */
export interface HeapAdvice {
  evidence: Line[]
  remedy: string
}

/** Buffers, code, stacks and V8's young generation want the rest. */
const share = 0.75

/** `flag` is what the program was started with, `hostMemory` what the host has; bytes. */
export function adviseHeap(limit: number, flag: number | undefined, hostMemory: number): HeapAdvice {
  const fit = Math.max(16, Math.floor((limit * share) / MiB))
  const advice = `--max-old-space-size=${fit}`
  if (flag !== undefined && flag <= limit * share)
    return {
      evidence: [
        [
          'node heap',
          `--max-old-space-size=${flag / MiB} stays below memory.max ${formatSize(limit)}: the rest went to Buffers, add-ons, child processes, or workers, of which each has a heap of its own`,
        ],
      ],
      remedy:
        'raise memory.max, or see what is outside of the heap: process.memoryUsage() has external and arrayBuffers; a worker is held by resourceLimits.maxOldGenerationSizeMb',
    }
  if (flag !== undefined)
    return {
      evidence: [
        [
          'node heap',
          `--max-old-space-size=${flag / MiB} lets V8 grow to ${formatSize(flag)}; memory.max is ${formatSize(limit)}, and ${formatSize(limit * share)} of it is what a heap can have`,
        ],
      ],
      remedy: `start it with ${advice}, so that it collects garbage in time, or raise memory.max to ${formatSize(flag / share)}`,
    }
  const [seen, unseen] = [defaultHeap(Math.min(limit, hostMemory)), defaultHeap(hostMemory)]
  return {
    evidence: [
      [
        'node heap',
        `no --max-old-space-size: V8 chose ${formatSize(unseen)} by the host's ${formatSize(hostMemory)}, or ${formatSize(seen)} if it saw memory.max ${formatSize(limit)} (inside a cgroup namespace it does not)`,
      ],
    ],
    remedy: `start it with ${advice} (three quarters of memory.max), or NODE_OPTIONS=${advice}; if it then ends for want of heap, raise memory.max`,
  }
}
