// SPDX-License-Identifier: Apache-2.0
// Limits that the kernel counts for nobody: sizes of file systems and files, descriptors. Which was used up, in words. Pure.
import type { Plan } from '../plan/plan.ts'
import type { Program } from '../program/ops.ts'
import { formatSize, parseSize } from '../units.ts'

/** As native/hutch.h has it in `struct life`. */
export interface Used {
  /** Bit n for the nth file system with a size: native/program/space.c. */
  fullSpaces: number
  /** Processes that had no free descriptor when the job was stopped, and how many each may have. */
  fullTables: number
  tableLimit: number
}

/** A file system that was full. */
export interface Space {
  target: string
  /** Its own, such as `size=4m`. */
  options: readonly string[]
}

/** File systems with a size, in the order in which hutch-init holds them. */
export function sizedSpaces({ inner }: Program): Space[] {
  let last = ''
  return inner.flatMap((op) => {
    if (op.op !== 'attachNew') return []
    if (op.target.startsWith('/')) last = op.target
    const target = op.target.startsWith('/') ? op.target : `${last}/${op.target}`
    const sized = op.type === 'tmpfs' && op.options.some((option) => /^(size|nr_inodes)=/.test(option))
    return sized ? [{ target, options: op.options }] : []
  })
}

/** Those that were full. */
export function fullSpaces(program: Program, { fullSpaces: mask }: Pick<Used, 'fullSpaces'>): Space[] {
  return mask === 0 ? [] : sizedSpaces(program).filter((_, i) => mask & (1 << i))
}

/** `full   size 256.0 MiB   65536 files`. */
export function spaceLines(full: readonly Space[]): [string, string][] {
  return full.map(({ target, options }) => [`tmpfs ${target}`, `full   ${sizeOf(options)}`])
}

export function tableLine({ fullTables, tableLimit }: Used): [string, string][] {
  if (fullTables === 0) return []
  return [
    ['nofile', `${tableLimit}   no descriptor was free in ${fullTables} ${fullTables === 1 ? 'process' : 'processes'}`],
  ]
}

/** How to have more of what was used up; undefined when nothing was. */
export function usedUpRemedy({ spec }: Plan, full: readonly Space[], used?: Used): string | undefined {
  const cli = spec.door === 'cli'
  if (full[0]) {
    const words = `${full[0].target}:size=…`
    return `make it larger with ${cli ? `--tmpfs ${words}` : `mounts: [{ tmpfs: '${words}' }]`}, or see what it writes`
  }
  if (used && used.fullTables > 0)
    return `raise ${cli ? '--ulimit nofile' : 'ulimits.nofile'}, or see what it keeps open`
  return undefined
}

/** Limits of a process that the kernel holds by a signal: the limit, and what was done. */
const signalLimits: { [signal: string]: [limit: string, did: (limit: number) => string] } = {
  SIGXFSZ: ['fsize', (limit) => `a file would have grown beyond ulimit fsize (${formatSize(limit)})`],
  SIGXCPU: ['cpu', (limit) => `it used more CPU time than ulimit cpu (${limit} s)`],
}

/** Undefined: this signal is not a limit's, or there is none. */
export function endedByLimit({ spec }: Plan, signal: string | null, who: string) {
  const [name, did] = signalLimits[signal ?? ''] ?? []
  const limit = spec.privileges.ulimits.find((one) => one.name === name)
  if (!limit || !did || limit.soft < 0) return undefined
  return {
    headline: `${who} was ended by ${signal}: ${did(limit.soft)}`,
    remedy: `raise ${spec.door === 'cli' ? '--ulimit ' : 'ulimits.'}${name}`,
  }
}

function sizeOf(options: readonly string[]): string {
  const value = (name: string) => options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1)
  const [size, inodes] = [value('size'), value('nr_inodes')]
  const bytes = size === undefined ? undefined : parseSize(size)
  return [
    size !== undefined && `size ${typeof bytes === 'number' ? formatSize(bytes) : size}`,
    inodes !== undefined && `${inodes} files`,
  ]
    .filter(Boolean)
    .join('   ')
}
