// SPDX-License-Identifier: Apache-2.0
// Samples what the groups of a running job use: memory that cannot be reclaimed, CPU time, waiting for a CPU. Reads cgroup files.
import { openReader } from '../cgroup/files.ts'
import { type FileTexts, findFlat, parseNumber, parsePressure } from '../cgroup/stats.ts'

/** What a job uses at one moment. Times are cumulative. */
export interface UseSample {
  /** Milliseconds since the start. */
  at: number
  /** Memory in bytes, with page cache. */
  memory: number
  /** Memory in bytes that the kernel cannot reclaim without swap: anonymous, shared, unevictable and kernel memory. */
  kept: number
  /** Memory in bytes that a limit should spare, too: `kept`, and page cache that programs have mapped. */
  working: number
  /** CPU time in microseconds. */
  cpuUsec: number
  /** Microseconds in which some task, and all tasks that could run, waited for a CPU; 0 if the kernel does not count this. */
  someWaitUsec: number
  fullWaitUsec: number
  /** Microseconds in which some task waited for memory or for I/O; 0 if the kernel does not count this. */
  stalledUsec: number
}

/** The sample of a job that has not begun. */
export const noUse: UseSample = {
  at: 0,
  memory: 0,
  kept: 0,
  working: 0,
  cpuUsec: 0,
  someWaitUsec: 0,
  fullWaitUsec: 0,
  stalledUsec: 0,
}

/** Reads samples of one job. */
interface UseReader {
  /** Returns undefined if the groups are gone. */
  read(at: number): UseSample | undefined
  close(): void
}

const stalls = ['memory.pressure', 'io.pressure']
const files = [
  'memory.current',
  'memory.usage_in_bytes',
  'memory.stat',
  'cpu.stat',
  'cpuacct.usage',
  'cpu.pressure',
  ...stalls,
]

/** Opens a reader for the directories of a job's groups, in all hierarchies. */
export function openUseReader(directories: readonly string[]): UseReader {
  const reader = openReader(directories, files)
  return {
    read(at) {
      const texts = reader.read()
      const memory = readMemory(texts)
      const cpuUsec = readCpu(texts)
      if (memory === undefined && cpuUsec === undefined) return undefined
      return {
        at,
        memory: memory?.memory ?? 0,
        kept: memory?.kept ?? 0,
        working: memory?.working ?? 0,
        cpuUsec: cpuUsec ?? 0,
        ...readWaits(texts),
        stalledUsec: stalls.reduce((sum, file) => sum + (readPressure(texts, file).someUsec ?? 0), 0),
      }
    },
    close: () => reader.close(),
  }
}

/** v1 counts reclaimable kernel memory only together with the rest; v2 separately. */
const memoryForms = [
  {
    current: 'memory.current',
    reclaimable: ['active_file', 'inactive_file', 'slab_reclaimable'],
    mapped: 'file_mapped',
  },
  {
    current: 'memory.usage_in_bytes',
    reclaimable: ['total_active_file', 'total_inactive_file'],
    mapped: 'total_mapped_file',
  },
]

function readMemory(groups: readonly FileTexts[]): Pick<UseSample, 'memory' | 'kept' | 'working'> | undefined {
  for (const texts of groups)
    for (const { current, reclaimable, mapped } of memoryForms) {
      const memory = parseNumber(texts(current))
      if (memory === undefined) continue
      const stat = texts('memory.stat')
      const rest = reclaimable.reduce((sum, key) => sum + (findFlat(stat, key) ?? 0), 0)
      const kept = Math.max(0, memory - rest)
      return { memory, kept, working: kept + Math.min(memory - kept, findFlat(stat, mapped) ?? 0) }
    }
  return undefined
}

function readCpu(groups: readonly FileTexts[]): number | undefined {
  for (const texts of groups) {
    const usec = findFlat(texts('cpu.stat'), 'usage_usec')
    if (usec !== undefined) return usec
    const ns = parseNumber(texts('cpuacct.usage'))
    if (ns !== undefined) return ns / 1000
  }
  return undefined
}

function readWaits(groups: readonly FileTexts[]): Pick<UseSample, 'someWaitUsec' | 'fullWaitUsec'> {
  const { someUsec = 0, fullUsec = 0 } = readPressure(groups, 'cpu.pressure')
  return { someWaitUsec: someUsec, fullWaitUsec: fullUsec }
}

function readPressure(groups: readonly FileTexts[], file: string): Partial<ReturnType<typeof parsePressure>> {
  const text = groups.map((texts) => texts(file)).find((text) => text !== undefined && text !== '')
  return text === undefined ? {} : parsePressure(text)
}
