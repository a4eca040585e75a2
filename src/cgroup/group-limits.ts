// SPDX-License-Identifier: Apache-2.0
// Reads the limits of many groups at once, in v2's terms. Called by `hutch cgroup tree`.
import { readMany } from './files.ts'
import type { GroupPaths } from './group-paths.ts'
import { type FileTexts, parseNumber } from './stats.ts'
import { readLegacy } from './v1/read.ts'

/** The limits of a group, in bytes and tasks. A limit is absent if the group lacks the controller. */
export interface GroupLimits {
  memory?: number | 'max'
  memoryHigh?: number | 'max'
  swap?: number | 'max'
  pids?: number | 'max'
  /** Limit of CPU time in CPUs: quota divided by period. */
  cpus?: number | 'max'
}

const unifiedFiles = ['memory.max', 'memory.high', 'memory.swap.max', 'pids.max', 'cpu.max']
const legacyFiles: { [controller: string]: string[] } = {
  memory: ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'],
  pids: ['pids.max'],
  cpu: ['cpu.cfs_quota_us', 'cpu.cfs_period_us'],
}

/** Returns the limits, in the order of `groups`. */
export function readLimits(groups: readonly GroupPaths[]): GroupLimits[] {
  const figures = new Map<string, FileTexts>()
  for (const key of new Set(groups.flatMap((paths) => Object.keys(paths.directories)))) {
    const files = key === '' ? unifiedFiles : legacyFiles[key]
    const directories = files ? groups.flatMap((paths) => paths.directories[key] ?? []) : []
    for (const [i, figure] of readMany(directories, files ?? []).entries())
      figures.set(`${key}\0${directories[i]}`, figure)
  }
  return groups.map((paths) => {
    const at = (key: string, file: string) => {
      const directory = paths.directories[key]
      return directory === undefined ? undefined : figures.get(`${key}\0${directory}`)?.(file)?.trimEnd()
    }
    return parseLimits((file) => at('', file) ?? readLegacy(file, at))
  })
}

function parseLimits(read: FileTexts): GroupLimits {
  const limit = (file: string): number | 'max' | undefined => {
    const text = read(file)?.trim()
    return text === 'max' ? 'max' : parseNumber(text)
  }
  const [quota, period] = read('cpu.max')?.trim().split(' ') ?? []
  const cpus = quota === undefined ? undefined : quota === 'max' ? 'max' : Number(quota) / Number(period)
  const limits: { [key: string]: number | 'max' | undefined } = {
    memory: limit('memory.max'),
    memoryHigh: limit('memory.high'),
    swap: limit('memory.swap.max'),
    pids: limit('pids.max'),
    cpus,
  }
  for (const key of Object.keys(limits)) if (limits[key] === undefined) delete limits[key]
  return limits as GroupLimits
}
