// SPDX-License-Identifier: Apache-2.0
// Reads the limits of many groups at once, in v2's terms. Called by `hutch cgroup tree`.
import { figures, legacyFilesOf } from './controllers/figures.ts'
import { readMany } from './files.ts'
import type { GroupPaths } from './group-paths.ts'
import { type FileTexts, parseNumber } from './stats.ts'
import { readLegacy } from './v1/read.ts'
import { controllerOf } from './v1/translate.ts'

/** The limits of a group, in bytes and tasks. A limit is absent if the group lacks the controller. */
export interface GroupLimits {
  memory?: number | 'max'
  memoryHigh?: number | 'max'
  swap?: number | 'max'
  pids?: number | 'max'
  /** Limit of CPU time in CPUs: quota divided by period. */
  cpus?: number | 'max'
}

const limitRows = figures.filter(({ kind }) => kind === 'limit')
/** The files of all limits: those of v2, and those of v1, of which several can make one limit. */
const unifiedFiles = limitRows.flatMap(({ v2 }) => v2?.file ?? [])
const legacyFiles = [...new Set(limitRows.flatMap(legacyFilesOf))]

/** Returns the limits, in the order of `groups`. */
export function readLimits(groups: readonly GroupPaths[]): GroupLimits[] {
  const texts = new Map<string, FileTexts>()
  for (const key of new Set(groups.flatMap((paths) => Object.keys(paths.directories)))) {
    const files = key === '' ? unifiedFiles : legacyFiles.filter((file) => controllerOf(file) === key)
    const directories = files.length > 0 ? groups.flatMap((paths) => paths.directories[key] ?? []) : []
    for (const [i, text] of readMany(directories, files).entries()) texts.set(`${key}\0${directories[i]}`, text)
  }
  return groups.map((paths) => {
    const at = (key: string, file: string) => {
      const directory = paths.directories[key]
      return directory === undefined ? undefined : texts.get(`${key}\0${directory}`)?.(file)?.trimEnd()
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
