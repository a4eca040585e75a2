// SPDX-License-Identifier: Apache-2.0
// Reads and writes the files of one group by v2 names in every layout, and by raw v1 names. Makes the checks that the kernel does not make.
import { fail } from '../errors/errors.ts'
import { parseSize } from '../text/units.ts'
import { describeFile } from './controllers/catalog.ts'
import { checkMayEnable, isPopulated } from './create.ts'
import { evacuate } from './evacuate.ts'
import { readGroupFile, readWords, tryRead } from './files.ts'
import { formatFile } from './format-file.ts'
import { planFreeze } from './freeze-writes.ts'
import type { GroupPaths } from './group-paths.ts'
import { parseFileName } from './path.ts'
import { type Journal, makeWrites, orNone } from './restore.ts'
import { orderQuota } from './v1/cpu-quota.ts'
import { readLegacy } from './v1/read.ts'
import {
  controllerOf,
  type LimitWrite,
  proportionalShares,
  proportionalWeight,
  translateLimits,
} from './v1/translate.ts'
import { formatRaw } from './value-read.ts'
import { explainRead } from './write-errors.ts'

/** A pending write. */
export interface FileWrite {
  directory: string
  file: string
  value: string
  /** Returns true when the kernel has done what the write requests. Absent if it does so at once. */
  isDone?: () => boolean
}

/**
 * Returns the directory in which a file exists under this name. A v2 name is in the v2 tree, a v1 name in the hierarchy of its controller.
 * Returns undefined if the file does not exist or its name must be translated.
 */
export function directoryOf(paths: GroupPaths, file: string): string | undefined {
  const unified = paths.directories['']
  const controller = controllerOf(file)
  if (controller === 'cgroup' || !file.includes('.'))
    return unified !== undefined && describeFile(file, 'v2')
      ? unified
      : (Object.entries(paths.directories).find(([key]) => key !== '')?.[1] ?? unified)
  return paths.directories[controller] ?? (!hasLegacy(paths) || isOnUnified(paths, controller) ? unified : undefined)
}

/** Returns true if the controller is in the v2 tree. On a hybrid host, some controllers are there and others on v1. */
function isOnUnified({ directories: { '': unified } }: GroupPaths, controller: string): boolean {
  return unified !== undefined && readWords(unified, 'cgroup.controllers').includes(controller)
}

function hasLegacy(paths: GroupPaths): boolean {
  return Object.keys(paths.directories).some((key) => key !== '')
}

/** Returns true if the name must be translated: it is a v2 name, but this host has its controller on v1. */
function isTranslated(paths: GroupPaths, file: string): boolean {
  const controller = controllerOf(file)
  if (!file.includes('.')) return false
  if (controller === 'cgroup') return paths.directories[''] === undefined
  if (isOnUnified(paths, controller)) return false
  return hasLegacy(paths) && describeFile(file, 'v2') !== undefined && !isPlain(paths, file)
}

/** Returns true if v1 and v2 use the same name for the file, such as pids.max. */
function isPlain(paths: GroupPaths, file: string): boolean {
  const directory = paths.directories[controllerOf(file)]
  return directory !== undefined && describeFile(file, 'v1') !== undefined && describeFile(file, 'v2')?.v1 === undefined
}

/**
 * Returns a file's text. For a v2 name whose controller is on v1, converts the text of v1's file to v2's format. @throws
 * CGROUP_FILE_MISSING, CGROUP_REFUSED
 */
export function readFile(paths: GroupPaths, file: string): string {
  if (isTranslated(paths, file)) {
    const text = readLegacy(file, (controller, name) => {
      const directory = paths.directories[controller]
      return directory === undefined ? undefined : readGroupFile(directory, name)
    })
    if (text !== undefined) return text
    throw missing(paths, file)
  }
  const directory = directoryOf(paths, file)
  if (directory === undefined) throw missing(paths, file)
  const { text, errno } = tryRead(directory, file)
  if (errno !== undefined) throw explainRead(directory, file, errno)
  // on a hybrid host, the group may be frozen in the v2 tree or in v1's freezer hierarchy
  const { freezer } = paths.directories
  if (file === 'cgroup.freeze' && text === '0' && freezer !== undefined)
    return readLegacy(file, (_, name) => readGroupFile(freezer, name)) ?? text
  return text
}

function missing(paths: GroupPaths, file: string) {
  return fail('CGROUP_FILE_MISSING', {
    file,
    group: paths.path,
    evidence: [
      `the group is in the hierarchies ${Object.keys(paths.directories)
        .map((key) => key || 'v2')
        .join(', ')}`,
    ],
    remedy:
      describeFile(file, 'v1') || isOnLegacy(file)
        ? `create it there too: hutch cgroup create --exist-ok --controllers ${controllerOf(file)} ${paths.path}`
        : 'cgroup v1 has no equivalent: leave it out',
  })
}

/** Returns true if v1 has a file with the same meaning under another name. */
function isOnLegacy(file: string): boolean {
  return describeFile(file, 'v2')?.v1 !== undefined
}

/**
 * Returns the writes that set a file, in an order that the kernel accepts. @throws CGROUP_LIMIT_UNSUPPORTED, CGROUP_FILE_MISSING
 */
export function planWrites(paths: GroupPaths, file: string, value: string): FileWrite[] {
  if (file === 'cgroup.freeze' && paths.directories.freezer !== undefined) return planFreeze(paths, value === '1')
  if (!isTranslated(paths, file)) {
    const directory = directoryOf(paths, file)
    if (directory === undefined) throw missing(paths, file)
    return [{ directory, file, value }]
  }
  const memory = paths.directories.memory
  // v1 needs the sum of two limits, so a size such as 10M must be converted to bytes first
  const swap = file === 'memory.swap.max' ? parseSize(value) : undefined
  const limits: LimitWrite[] = [{ file, value: swap === undefined ? value : String(swap), origin: file }]
  const limit = memory && readGroupFile(memory, 'memory.limit_in_bytes')
  // v1 has no limit of swap alone: the present memory.max is needed to compute that of memory and swap, but is not written
  const kept = 'memory.max as it is'
  if (file === 'memory.swap.max' && limit !== undefined) limits.push({ file: 'memory.max', value: limit, origin: kept })
  const writes = translateLimits(limits).filter(({ origin }) => origin !== kept)
  const planned = writes.map((write): FileWrite => {
    const directory = paths.directories[write.controller]
    if (directory === undefined) throw missing(paths, file)
    return { directory, file: write.file, value: write.value }
  })
  if (file === 'cpu.max') return orderShare(planned)
  return file === 'memory.max' && memory !== undefined ? keepSwap(memory, planned, value) : planned
}

/** Sorts writes of a v1 quota and its period, because the kernel checks the resulting share after each write. */
function orderShare(writes: FileWrite[]): FileWrite[] {
  const [period, quota] = writes
  if (!period || !quota) return writes
  const { directory } = quota
  return orderQuota(directory, quota.value, period.value).map(([file, value]) => ({ directory, file, value }))
}

/**
 * Returns the writes for a text that a drop-in command passes unchanged. For a keyed file, each line is a separate write. @throws
 * CGROUP_FILE_MISSING, CGROUP_LIMIT_UNSUPPORTED, OPTION_INVALID for a number that the kernel would truncate at its suffix
 */
export function planRaw(paths: GroupPaths, file: string, text: string): FileWrite[] {
  const words = describeFile(file, 'v2') ?? describeFile(file, 'v1')
  return text
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => formatRaw(words, line))
    .flatMap((line) =>
      file === 'cpu.weight' && /^\d+$/.test(line) && isTranslated(paths, file)
        ? planWrites(paths, 'cpu.shares', String(proportionalShares(Number(line))))
        : planWrites(paths, file, line),
    )
}

/**
 * Returns a file's text in the form that a drop-in command prints. cpu.weight is converted by libcgroup's formula. @throws the same errors
 * as `readFile`
 */
export function readRawFile(paths: GroupPaths, file: string): string {
  if (file !== 'cpu.weight' || !isTranslated(paths, file)) return readFile(paths, file)
  return String(proportionalWeight(Number(readFile(paths, 'cpu.shares'))))
}

/** Smallest number that means "no limit" on v1, which shows the largest number of whole pages. */
const unlimited = 2 ** 62

/**
 * Returns the writes that set v1's limit of memory and its limit of memory and swap. When the limits grow, the limit of both is written
 * first: it must never be below that of memory.
 */
function keepSwap(directory: string, writes: FileWrite[], value: string): FileWrite[] {
  const before = Number(readGroupFile(directory, 'memory.limit_in_bytes'))
  const both = Number(readGroupFile(directory, 'memory.memsw.limit_in_bytes'))
  const next = parseSize(value)
  if (!Number.isFinite(both) || both >= unlimited || next === undefined) return writes
  const swap = before >= unlimited ? 0 : Math.max(0, both - before)
  const sum: FileWrite = {
    directory,
    file: 'memory.memsw.limit_in_bytes',
    value: next === 'max' ? '-1' : String(next + swap),
  }
  return next === 'max' || next > before ? [sum, ...writes] : [...writes, sum]
}

/**
 * Returns the writes that set a file, after all checks that are possible without writing. Unless `force` is true, refuses two kinds of
 * writes. A memory.max below the current use makes v2 kill processes. A controller for the children of a group with processes makes the
 * group threaded.
 *
 * @throws CGROUP_FILE_INVALID, OPTION_INVALID, CGROUP_FILE_MISSING, CGROUP_LIMIT_UNSUPPORTED, CGROUP_LIMIT_BELOW_USE, CGROUP_POPULATED,
 * CGROUP_THREADED
 */
export function planFile(paths: GroupPaths, file: string, value: unknown, force = false): FileWrite[] {
  const name = parseFileName(file, 'the file')
  const writes = formatFile(name, value).flatMap((text) => planWrites(paths, name, text))
  if (!force) for (const write of writes) checkWrite(write)
  return writes
}

/** Options of setting a file. */
export interface SetOptions {
  /** True if a write is allowed although it kills processes or makes a group threaded. False by default. */
  force?: boolean
  /**
   * For cgroup.subtree_control: true if processes in the group, which prevent the write, are first moved to a child group. False by
   * default.
   */
  evacuate?: boolean
}

/** A file and its value, as `planFile` accepts them. */
export type FileSetting = readonly [file: string, value: unknown]

/**
 * Sets files in the given order, all or none.
 *
 * @throws the errors of `planFile`, and CGROUP_NOT_EVACUATED, CGROUP_WRITE_REFUSED, CGROUP_NOT_RESTORED
 */
export async function assignFiles(
  paths: GroupPaths,
  files: readonly FileSetting[],
  options: SetOptions = {},
): Promise<void> {
  await orNone(async (journal) => {
    for (const [file, value] of files) await assignFile(paths, file, value, options, journal)
  })
}

async function assignFile(
  paths: GroupPaths,
  file: string,
  value: unknown,
  options: SetOptions,
  journal: Journal,
): Promise<void> {
  const unified = paths.directories['']
  if (options.evacuate && file === 'cgroup.subtree_control' && unified !== undefined && isPopulated(unified))
    evacuate(unified)
  await makeWrites(planFile(paths, file, value, options.force), journal)
}

/**
 * Refuses a write that would kill processes or make the group threaded.
 * @throws CGROUP_LIMIT_BELOW_USE, CGROUP_POPULATED, CGROUP_THREADED
 */
function checkWrite({ directory, file, value }: FileWrite): void {
  if (file === 'memory.max') {
    const limit = parseSize(value)
    const current = Number(readGroupFile(directory, 'memory.current') ?? Number.NaN)
    const peak = readGroupFile(directory, 'memory.peak')
    if (typeof limit === 'number' && limit < current)
      throw fail('CGROUP_LIMIT_BELOW_USE', {
        file,
        value,
        limit,
        group: directory,
        current,
        ...(peak !== undefined && { peak: Number(peak) }),
      })
  }
  const enabled = file === 'cgroup.subtree_control' ? readWords(directory, file) : []
  const added = file === 'cgroup.subtree_control' ? [...value.matchAll(/\+(\w+)/g)].map((match) => match[1]!) : []
  const missing = added.filter((name) => !enabled.includes(name))
  if (missing.length > 0) checkMayEnable(directory, missing)
}
