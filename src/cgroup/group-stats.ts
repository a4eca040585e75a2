// SPDX-License-Identifier: Apache-2.0
// Reads statistics of groups, in the same form for v2 and v1. A figure that the host does not report is absent, never 0.

import { type CpuStats, parseCpu } from './cpu.ts'
import { openReader, readMany } from './files.ts'
import type { GroupPaths } from './group-paths.ts'
import { parseMemory } from './memory.ts'
import { parsePids } from './pids.ts'
import { type FileTexts, findFlat, parseNumber, parsePressure } from './stats.ts'

/** Statistics of a group and its descendants, in bytes, microseconds and counts. */
export interface GroupStats {
  /** True if the group or a descendant contains processes; known only with a v2 tree. */
  populated?: boolean
  /** True if the tasks of the group are frozen. */
  frozen?: boolean
  /** Memory in bytes, and counts of its limit. */
  memory?: {
    current: number
    /** Peak memory use in bytes; on v2 only since Linux 5.19. */
    peak?: number
    /**
     * `current` minus the page cache that the kernel can drop at once (inactive_file), in bytes. Docker and Kubernetes compute it the same
     * way.
     */
    workingSet?: number
    anon?: number
    file?: number
    swap?: number
    /** Number of processes that the OOM killer killed. */
    oomKills?: number
    /** Number of times memory use reached memory.max. */
    limitHits?: number
  }
  /** CPU time in microseconds, and quota periods. */
  cpu?: CpuStats
  /** Bytes and operations of all block devices. */
  io?: { readBytes: number; writtenBytes: number; reads: number; writes: number }
  /** Number of tasks (processes and threads): now, at the peak, and forks refused because of pids.max. */
  pids?: { current: number; peak?: number; denied?: number }
}

/** Time that tasks waited, in microseconds. some: at least one task waited; full: all tasks waited (accounting/psi.rst). */
export type GroupPressure = { [resource in 'cpu' | 'memory' | 'io' | 'irq']?: { someUsec?: number; fullUsec?: number } }

const memoryFiles = {
  v2: ['memory.current', 'memory.peak', 'memory.swap.current', 'memory.stat', 'memory.events'],
  v1: [
    'memory.usage_in_bytes',
    'memory.max_usage_in_bytes',
    'memory.memsw.usage_in_bytes',
    'memory.stat',
    'memory.failcnt',
    'memory.oom_control',
  ],
}
const pidsFiles = ['pids.current', 'pids.peak', 'pids.events']

/** Files to read for statistics: in the v2 tree, and in the v1 hierarchy of each controller. */
const unifiedFiles = ['cgroup.events', 'cpu.stat', ...memoryFiles.v2, 'io.stat', ...pidsFiles]
const legacyFiles: { [controller: string]: string[] } = {
  memory: memoryFiles.v1,
  cpu: ['cpu.stat'],
  cpuacct: ['cpuacct.usage', 'cpuacct.usage_user', 'cpuacct.usage_sys'],
  pids: pidsFiles,
  blkio: ['blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_serviced_recursive'],
  freezer: ['freezer.state'],
}

/** A reader of the statistics of the same groups, for repeated use. */
export interface StatsReader {
  /** Returns the statistics in the groups' order; a removed group has no figures. */
  read(): GroupStats[]
  /** Closes the files. `read` must not be called afterwards. */
  close(): void
}

/** Opens a reader of statistics. Keeps the files open unless the limit of open files is too low. */
export function openStatsReader(groups: readonly GroupPaths[]): StatsReader {
  const parts = figureFiles(groups, statsFiles).map(({ key, members, directories, files }) => ({
    key,
    members,
    reader: openReader(directories, files),
  }))
  return {
    read: () =>
      merge(
        groups,
        parts.map(({ key, members, reader }) => ({ key, members, figures: reader.read() })),
      ).map(parseGroupStats),
    close: () => {
      for (const { reader } of parts) reader.close()
    },
  }
}

/** Returns the statistics of many groups, with one native call per hierarchy. */
export function readStats(groups: readonly GroupPaths[]): GroupStats[] {
  return readFigures(groups, statsFiles).map(parseGroupStats)
}

/** Returns how long tasks of many groups waited (PSI); an empty object for a group for which the kernel does not count this. */
export function readPressures(groups: readonly GroupPaths[]): GroupPressure[] {
  const resources = ['cpu', 'memory', 'io', 'irq'] as const
  const files = resources.map((name) => `${name}.pressure`)
  return readFigures(groups, (key) => (key === '' ? files : [])).map((figures) =>
    Object.fromEntries(
      resources.flatMap((name) => {
        const text = figures(`${name}.pressure`)
        return text === undefined ? [] : [[name, parsePressure(text)]]
      }),
    ),
  )
}

/** Function that returns the files to read in the hierarchy `key`. `keys` are all hierarchies of the groups. */
type FilesOf = (key: string, keys: ReadonlySet<string>) => readonly string[]

function statsFiles(key: string, keys: ReadonlySet<string>): readonly string[] {
  if (key === '') return keys.size === 1 ? unifiedFiles : ['cgroup.events', 'cpu.stat']
  // if there is a v2 tree, CPU time is read there, which is faster than reading v1's cpuacct
  if (key === 'cpuacct' && keys.has('')) return []
  return legacyFiles[key] ?? []
}

/** Returns the groups of each hierarchy, and the files to read there. */
function figureFiles(groups: readonly GroupPaths[], filesOf: FilesOf) {
  const keys = new Set(groups.flatMap((paths) => Object.keys(paths.directories)))
  return [...keys].flatMap((key) => {
    const files = filesOf(key, keys)
    if (files.length === 0) return []
    const members = groups.flatMap((paths, i) => (paths.directories[key] === undefined ? [] : [i]))
    return [{ key, members, files, directories: members.map((i) => groups[i]!.directories[key]!) }]
  })
}

function readFigures(groups: readonly GroupPaths[], filesOf: FilesOf): FileTexts[] {
  const parts = figureFiles(groups, filesOf)
  return merge(
    groups,
    parts.map(({ key, members, directories, files }) => ({ key, members, figures: readMany(directories, files) })),
  )
}

/**
 * Merges the figures of all hierarchies. Only the file cpu.stat exists both in the v2 tree and on v1; v1's is renamed to
 * `limited:cpu.stat`.
 */
function merge(
  groups: readonly GroupPaths[],
  parts: { key: string; members: number[]; figures: FileTexts[] }[],
): FileTexts[] {
  const found: FileTexts[][] = groups.map(() => [])
  for (const { key, members, figures } of parts)
    for (const [n, i] of members.entries()) found[i]!.push(key === 'cpu' ? limited(figures[n]!) : figures[n]!)
  return found.map((all) => (all.length === 1 ? all[0]! : (file) => firstOf(all, file)))
}

function limited(figures: FileTexts): FileTexts {
  return (file) => (file.startsWith('limited:') ? figures(file.slice(8)) : undefined)
}

function firstOf(all: FileTexts[], file: string): string | undefined {
  for (const figures of all) {
    const text = figures(file)
    if (text !== undefined) return text
  }
  return undefined
}

function parseGroupStats(figures: FileTexts): GroupStats {
  const stats: GroupStats = {}
  const events = figures('cgroup.events')
  const populated = findFlat(events, 'populated')
  // on a hybrid host, the group may be frozen in the v2 tree or in v1's freezer hierarchy
  const legacy = legacyFrozen(figures('freezer.state'))
  const frozen = legacy === 1 ? 1 : (findFlat(events, 'frozen') ?? legacy)
  if (populated !== undefined) stats.populated = populated === 1
  if (frozen !== undefined) stats.frozen = frozen === 1
  const memory = parseGroupMemory(figures)
  if (memory) stats.memory = memory
  const cpu = parseGroupCpu(figures)
  if (Object.keys(cpu).length > 0) stats.cpu = cpu
  const io = parseIo(figures)
  if (io) stats.io = io
  const pids = parseNumber(figures('pids.current'))
  if (pids !== undefined) stats.pids = { current: pids, ...parsePids(figures) }
  return stats
}

function legacyFrozen(state: string | undefined): number | undefined {
  return state === undefined ? undefined : Number(state.trim() === 'FROZEN')
}

function parseGroupMemory(figures: FileTexts): GroupStats['memory'] {
  const legacy = parseNumber(figures('memory.usage_in_bytes'))
  const current = parseNumber(figures('memory.current')) ?? legacy
  if (current === undefined) return undefined
  const stat = figures('memory.stat')
  const both = parseNumber(figures('memory.memsw.usage_in_bytes'))
  const inactive = findFlat(stat, legacy === undefined ? 'inactive_file' : 'total_inactive_file')
  const { peak, oomKills, limitHits } = parseMemory(figures)
  const memory: { [key: string]: number | undefined } = {
    current,
    peak,
    workingSet: inactive === undefined ? undefined : Math.max(0, current - inactive),
    anon: findFlat(stat, legacy === undefined ? 'anon' : 'total_rss'),
    file: findFlat(stat, legacy === undefined ? 'file' : 'total_cache'),
    swap: parseNumber(figures('memory.swap.current')) ?? (both === undefined ? undefined : Math.max(0, both - current)),
    oomKills,
    limitHits,
  }
  for (const key of Object.keys(memory)) if (memory[key] === undefined) delete memory[key]
  return memory as GroupStats['memory']
}

/** Parses CPU time. Every v2 tree counts it, also beside v1. Without a v2 tree, v1's cpuacct counts it in nanoseconds. */
function parseGroupCpu(figures: FileTexts): CpuStats {
  const cpu = parseCpu(figures, (file) => figures(`limited:${file}`) ?? figures(file))
  const legacy = { cpuUsec: 'cpuacct.usage', userUsec: 'cpuacct.usage_user', systemUsec: 'cpuacct.usage_sys' } as const
  for (const key of ['cpuUsec', 'userUsec', 'systemUsec'] as const) {
    const ns = cpu[key] === undefined ? parseNumber(figures(legacy[key])) : undefined
    if (ns !== undefined) cpu[key] = Math.round(ns / 1000)
  }
  return cpu
}

/**
 * Sums I/O over all devices. io.stat of v2 has lines such as `8:0 rbytes=1 wbytes=2 …`, blkio files of v1 have lines such as `8:0 Read 1`.
 */
function parseIo(figures: FileTexts): GroupStats['io'] {
  const io = { readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 }
  const unified = figures('io.stat')
  const names = { rbytes: 'readBytes', wbytes: 'writtenBytes', rios: 'reads', wios: 'writes' } as const
  const bytes = figures('blkio.throttle.io_service_bytes_recursive')
  if (unified === undefined && bytes === undefined) return undefined
  if (unified)
    for (const [, key, value] of unified.matchAll(/ ([rw](?:bytes|ios))=(\d+)/g))
      io[names[key as keyof typeof names]] += Number(value)
  if (bytes !== undefined) {
    for (const [, kind, value] of bytes.matchAll(/^\S+ (Read|Write) (\d+)$/gm))
      io[kind === 'Read' ? 'readBytes' : 'writtenBytes'] += Number(value)
    for (const [, kind, value] of (figures('blkio.throttle.io_serviced_recursive') ?? '').matchAll(
      /^\S+ (Read|Write) (\d+)$/gm,
    ))
      io[kind === 'Read' ? 'reads' : 'writes'] += Number(value)
  }
  return io
}
