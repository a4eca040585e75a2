// SPDX-License-Identifier: Apache-2.0
// Reports exhausted resources that the kernel does not count by group: full file systems and descriptor tables. Also
// reports stopped processes. Pure.
import type { Program } from '../ops/ops.ts'
import { formatSize, parseSize } from '../text/units.ts'

/** The fields of `struct run` in native/caller/caller.h that tell which resources were exhausted. */
export interface Used {
  /** Bit n is set if file system n was full, counted among those with a size limit: native/init/tmpfs-usage.c. */
  fullSpaces: number
  /** Number of processes that had used up their descriptors when hutch stopped the job, and the limit for each process. */
  fullTables: number
  tableLimit: number
  /** Number of processes that a signal had stopped when hutch stopped the job, and whether its v2 group was frozen then. */
  stoppedProcesses?: number
  frozen?: boolean
}

/** A file system with a size limit, such as a tmpfs. */
export interface Space {
  target: string
  /** Mount options of the file system, such as `size=4m`. */
  options: readonly string[]
}

/** Returns the job's file systems with a size limit, in the order in which hutch-init numbers them. */
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

/** Returns the file systems that were full at the job's end. */
export function fullSpaces(program: Program, { fullSpaces: mask }: Pick<Used, 'fullSpaces'>): Space[] {
  return mask === 0 ? [] : sizedSpaces(program).filter((_, i) => mask & (1 << i))
}

/** Returns the size of a tmpfs in words, from its mount options. */
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
