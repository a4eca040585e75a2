// SPDX-License-Identifier: Apache-2.0
// Encodes a compiled file: an executable followed by a program. native/compiled/compiled.h decodes and describes it. Pure.
import type { Program } from '../ops/ops.ts'
import { encodeFields, encodeProgram } from '../ops/wire.ts'

/** "hutC", little-endian. */
export const compiledMagic = 0x43747568
export const compiledVersion = 3
/** Name of the group in a compiled program. Each start of the file replaces it by a new name. */
export const groupPlaceholder = 'hutch-0-0-0-0'

/**
 * Placeholder in a compiled program. In a path it stands for the caller's group: followed by a v1 controller, or by nothing for the v2
 * tree. As a value, it stands for the content of that group's file.
 */
export const ownPlaceholder = 'hutch-own-'

/** Flags of a compiled file, which apply to each of its starts. */
export const compiledFlags = { passArguments: 1, quiet: 2, passEnvironment: 4, dieWithParent: 8 } as const

/**
 * Texts of a compiled file's verdict, in this order. STOPPED and KILLED are headlines. A HELD text is inserted into a headline, and a LATE
 * text follows it. ULIMIT_CPU_HARD is the CPU time in seconds at which RLIMIT_CPU sends SIGKILL. NAME is the program's name, ROOT the
 * directory that is / inside. SPACES are file systems with a size, one per line; CPUS is the number of CPUs in cpuset.cpus. `slots` in the
 * texts stand for values that are known only at the end.
 */
export const compiledWords = [
  'NAME',
  'STOPPED',
  'KILLED',
  'HELD_MEMORY_HIGH',
  'HELD_MEMORY_MAX',
  'HELD_CPU_MAX',
  'HELD_CPUSET_CPUS',
  'HELD_IO_MAX',
  'HELD_MEMORY_PRESSURE',
  'HELD_IO_PRESSURE',
  'HELD_FROZEN',
  'HELD_STOPPED',
  'HELD_OOM_NONE',
  'LATE',
  'LATE_MEMORY_HIGH',
  'LATE_MEMORY_MAX',
  'LATE_CPU_MAX',
  'LATE_CPUSET_CPUS',
  'LATE_IO_MAX',
  'LATE_MEMORY_PRESSURE',
  'LATE_IO_PRESSURE',
  'LATE_OOM_UNKNOWN',
  'LATE_OOM_OWN',
  'LATE_OOM_BELOW',
  'LATE_OOM_ABOVE',
  'LATE_OOM_HOST',
  'LATE_OOM_NONE',
  'LATE_FROZEN',
  'LATE_STOPPED',
  'LATE_PIDS',
  'LATE_PIDS_ABOVE',
  'LATE_PIDS_UNKNOWN',
  'LATE_SPACE',
  'LATE_TABLES',
  'OOM_UNKNOWN',
  'OOM_OWN',
  'OOM_BELOW',
  'OOM_ABOVE',
  'OOM_HOST',
  'OOM_ALL',
  'OOM_NONE',
  'PIDS',
  'PIDS_ABOVE',
  'PIDS_UNKNOWN',
  'SPACE',
  'SPACES',
  'ULIMIT_FSIZE',
  'ULIMIT_CPU',
  'ULIMIT_CPU_KILL',
  'ULIMIT_CPU_HARD',
  'FILTER',
  'INTERRUPTED',
  'SIGNAL_INSIDE',
  'SIGNAL_OUTSIDE',
  'SIGNAL_UNKNOWN',
  'KILLED_OUTSIDE',
  'KILLED_UNKNOWN',
  'NOT_FOUND',
  'NOT_INSIDE',
  'NOT_EXECUTABLE',
  'INTERPRETER',
  'DENIED',
  'UNKILLABLE',
  'CPUS',
  'ROOT',
] as const
export type CompiledWords = { [W in (typeof compiledWords)[number]]: string }

/** Characters in the texts of a verdict that stand for values known only at the job's end. Quoted names never contain these characters. */
export const slots = ['\x01', '\x02', '\x03', '\x04', '\x05'] as const

/** The message for a refused operation, by part and errno. The message with part 0 and errno 0 is used for all others. */
export interface CompiledRefusal {
  section: 'outer' | 'inner'
  step: number
  part: number
  errno: number
  text: string
}

/** The content of a compiled file. */
export interface Compiled {
  /**
   * The program, in which the group is named `groupPlaceholder`. With passEnvironment, its exec contains only the changes to the
   * environment.
   */
  program: Program
  flags: { [F in keyof typeof compiledFlags]: boolean }
  refusals: CompiledRefusal[]
  words: CompiledWords
  /** Two decision lists from verdict/decide.ts: for the job's end, and for what delayed a job that reached its timeout. */
  rows: [end: number[], held: number[]]
  /**
   * Properties that the machine must have at a start, each as kind and expected value. Kinds are user, group, kernel (at least),
   * capabilities (at least, hexadecimal), cgroup2 or cgroup (directory). `ownPlaceholder` with a controller has the mount of its hierarchy.
   * enable and account are v2 controllers: those that limits need, and those that only count. cpu.max is a quota and period, which a start
   * on v1 compares with those of ancestors. A sandbox has `share` instead, which a start may lower to an ancestor's.
   */
  facts: [kind: string, expected: string][]
  /** The text that the file prints for --hutch-explain. */
  explained: string
}

/** Returns the bytes of a compiled file. `runner` is the content of build/hutch-compiled. */
export function encodeCompiled(runner: Buffer, compiled: Compiled): Buffer {
  const { refusals, words, rows, facts, explained, flags } = compiled
  const program = Buffer.from(encodeProgram(compiled.program))
  const texts = [...new Set(refusals.map(({ text }) => text))]
  const notes = encodeFields([
    [
      'numbers',
      refusals.flatMap(({ section, step, part, errno, text }) => [
        step * 2 + Number(section === 'inner'),
        part,
        errno,
        texts.indexOf(text),
      ]),
    ],
    ['strings', texts],
    ['strings', compiledWords.map((word) => words[word])],
    ['numbers', rows[0]],
    ['numbers', rows[1]],
    ['strings', facts.flat()],
    ['string', explained],
  ])
  const start = (runner.length + 7) & ~7
  const length = start + program.length + notes.length + 32
  const file = Buffer.alloc(length)
  runner.copy(file)
  program.copy(file, start)
  notes.copy(file, start + program.length)
  const bits = Object.entries(compiledFlags).reduce(
    (sum, [name, bit]) => sum + (flags[name as keyof typeof flags] ? bit : 0),
    0,
  )
  let at = length - 32
  for (const value of [compiledMagic, compiledVersion, bits, program.length, notes.length, length])
    at = file.writeUInt32LE(value, at)
  at = file.writeUInt32LE(checksum(file.subarray(0, length - 8)), at)
  file.writeUInt32LE(compiledMagic, at)
  return file
}

/** Returns a checksum of 32-bit words (FNV-1a). Each change of a single word changes the checksum. */
function checksum(bytes: Buffer): number {
  let sum = 2166136261
  for (let i = 0; i < bytes.length; i += 4) sum = Math.imul(sum ^ bytes.readInt32LE(i), 16777619)
  return sum >>> 0
}
