// SPDX-License-Identifier: Apache-2.0
// Reports what the kernel does not count by group: full file systems and descriptor tables, stopped processes. Pure.
import type { Program } from '../ops/ops.ts'
import { formatSize, parseSize } from '../text/units.ts'

/** Fields of `struct run` in native/caller/caller.h that report exhausted limits. */
export interface Used {
  /** Bit n is set if the nth file system with a size was full: native/init/tmpfs-usage.c. */
  fullSpaces: number
  /** Processes without a free descriptor when the job was stopped, and the limit of descriptors per process. */
  fullTables: number
  tableLimit: number
  /** Processes stopped by a signal when hutch stopped the job, and whether its v2 group was frozen then. */
  stoppedProcesses?: number
  frozen?: boolean
}

/** A file system with a size. */
export interface Space {
  target: string
  /** Options of the file system, such as `size=4m`. */
  options: readonly string[]
}

/** Returns the file systems with a size, in the order in which hutch-init holds them. */
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

/** Returns the file systems that were full. */
export function fullSpaces(program: Program, { fullSpaces: mask }: Pick<Used, 'fullSpaces'>): Space[] {
  return mask === 0 ? [] : sizedSpaces(program).filter((_, i) => mask & (1 << i))
}

/** Returns the size of a tmpfs from its options, as words. */
export function sizeOf(options: readonly string[]): string {
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
