// SPDX-License-Identifier: Apache-2.0
// Reads the limits and counts of a group, of its ancestors, and of its descendants that reached a limit. Called by why/.
import type { Host } from '../host/host.ts'
import { parseCpuCount } from '../text/units.ts'
import { readMany, walkGroups } from './files.ts'
import { type GroupPaths, hierarchies } from './group-paths.ts'
import { readStats } from './group-stats.ts'
import { isFull, parseMemory } from './memory.ts'
import { parseRefusedHere, pidsLevelFile } from './pids.ts'
import { type FileTexts, parseFlat, parseNumber } from './stats.ts'

/** One group in one hierarchy. `path` starts at the hierarchy's mount. Sizes are in bytes. */
interface Level {
  path: string
  directory: string
}

/** Figures of memory.max, or of v1's memory.limit_in_bytes, at one level. */
export interface MemoryLevel extends Level {
  /** Text of the file; absent without a limit. */
  max?: string
  high?: string
  current?: number
  peak?: number
  hits?: number
  /** Number of times memory.high throttled the group. */
  slowed?: number
  /** Killed processes: on v2 in the group and below, on v1 only in the group. */
  kills?: number
  /** v2: number of times memory ran out at this level's own limit, and at limits below. */
  ooms?: number
  oomsBelow?: number
  /** v1, which does not count out-of-memory situations: true if usage has reached the limit. */
  full?: boolean
}

/** Figures of pids.max at one level. */
export interface PidsLevel extends Level {
  max?: string
  current?: number
  peak?: number
  /** Refused forks. On v1 and before Linux 6.11: of this group's tasks. Later: at the limit of this group or of a group below. */
  denied?: number
  /** Linux 6.11 and later, v2: forks refused by this level's own limit. */
  deniedHere?: number
}

/** Figures of cpu.max, or of v1's quota, at one level. Times are in microseconds. */
export interface CpuLevel extends Level {
  quota?: number
  period?: number
  periods: number
  throttledPeriods: number
  throttledUsec?: number
  cpuUsec?: number
}

/** The set of CPUs of the nearest level that has one. v1 groups always have one. */
interface CpusetLevel extends Level {
  cpus: string
  count: number
  own: boolean
}

/** Levels by controller, from the group itself upwards; empty if the controller is not in use. */
export interface Ancestors {
  memory: MemoryLevel[]
  pids: PidsLevel[]
  cpu: CpuLevel[]
  /** Absent if no level has one. */
  cpuset?: CpusetLevel
  /** Descendants that reached a limit of their own. */
  memoryBelow: MemoryLevel[]
  pidsBelow: PidsLevel[]
  /** Texts of memory.pressure, cpu.pressure and io.pressure, by resource. */
  pressure: { [resource: string]: string }
}

const files = {
  memory: {
    v2: ['memory.max', 'memory.high', 'memory.current', 'memory.peak', 'memory.events', 'memory.events.local'],
    v1: [
      'memory.limit_in_bytes',
      'memory.usage_in_bytes',
      'memory.max_usage_in_bytes',
      'memory.failcnt',
      'memory.oom_control',
      'memory.memsw.limit_in_bytes',
      'memory.memsw.max_usage_in_bytes',
      'memory.memsw.failcnt',
    ],
  },
  pids: ['pids.max', 'pids.current', 'pids.peak', 'pids.events', pidsLevelFile],
  cpu: ['cpu.max', 'cpu.stat', 'cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpuacct.usage'],
}
/** Files that show which descendants are relevant; only for those are all files read. */
const counts = { v2: ['memory.events', 'memory.events.local'], v1: ['memory.oom_control'], pids: ['pids.events'] }
const resources = ['memory', 'cpu', 'io']
/** Maximum number of descendants to read. */
const maxBelow = 5000

/** Reads all levels once. A group removed in the meantime has no figures. */
export function readAncestors(host: Host, paths: GroupPaths): Ancestors {
  const at = (controller: string) => findLevels(host, paths, controller)
  const read = <L>(levels: Level[], names: readonly string[], parse: (level: Level, figures: FileTexts) => L): L[] => {
    const figures = readMany(
      levels.map(({ directory }) => directory),
      names,
    )
    return levels.map((level, i) => parse(level, figures[i]!))
  }
  const below = (levels: Level[]): Level[] => {
    const [own] = levels
    if (!own) return []
    const found = walkGroups(own.directory).slice(1, maxBelow)
    return found.map((directory) => ({
      directory,
      path: `${own.path === '/' ? '' : own.path}${directory.slice(own.directory.length)}`,
    }))
  }
  const [memory, pids] = [at('memory'), at('pids')]
  const memoryFiles = host.v1.memory ? files.memory.v1 : files.memory.v2
  const unified = paths.directories['']
  const stalls =
    unified === undefined
      ? undefined
      : readMany(
          [unified],
          resources.map((name) => `${name}.pressure`),
        )[0]
  const cpu = read(at('cpu'), files.cpu, parseCpuLevel)
  // v1 counts used time and throttled time in different hierarchies
  const used = readStats([paths])[0]?.cpu?.cpuUsec
  if (cpu[0] && used !== undefined) cpu[0].cpuUsec ??= used
  return {
    memory: read(memory, memoryFiles, parseMemoryLevel),
    pids: read(pids, files.pids, parsePidsLevel),
    cpu,
    ...known<Pick<Ancestors, 'cpuset'>>({ cpuset: nearestCpuset(at('cpuset')) }),
    memoryBelow: read(
      read(below(memory), host.v1.memory ? counts.v1 : counts.v2, parseMemoryLevel).filter(
        ({ ooms = 0, kills = 0 }) => ooms > 0 || kills > 0,
      ),
      memoryFiles,
      parseMemoryLevel,
    ),
    pidsBelow: read(
      read(below(pids), counts.pids, parsePidsLevel).filter(({ denied = 0 }) => denied > 0),
      files.pids,
      parsePidsLevel,
    ).filter((level) => (level.deniedHere ?? level.denied ?? 0) > 0),
    pressure: Object.fromEntries(
      resources.flatMap((name) => {
        const text = stalls?.(`${name}.pressure`)
        return text === undefined ? [] : [[name, text]]
      }),
    ),
  }
}

/** Returns the group and its ancestors up to the mount, in a controller's hierarchy; '' is the v2 tree. */
export function findLevels(host: Host, paths: GroupPaths, controller: string): Level[] {
  const key = host.v1[controller] ? controller : ''
  const directory = paths.directories[key]
  const mount = hierarchies(host).find(([name]) => name === key)?.[1].mount
  if (directory === undefined || mount === undefined) return []
  const levels: Level[] = []
  for (let at = directory; at.length >= mount.length; at = at.slice(0, at.lastIndexOf('/')))
    levels.push({ directory: at, path: at.slice(mount.length) || '/' })
  return levels
}

function nearestCpuset(levels: readonly Level[]): CpusetLevel | undefined {
  const texts = readMany(
    levels.map(({ directory }) => directory),
    ['cpuset.cpus'],
  )
  const sets = levels.map((level, i) => ({ ...level, cpus: texts[i]!('cpuset.cpus')?.trim() ?? '', own: i === 0 }))
  const nearest = sets.find(({ cpus }) => cpus !== '')
  return nearest && { ...nearest, count: parseCpuCount(nearest.cpus) }
}

/** Returns the object without undefined fields. */
function known<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}

/** Returns the text of a limit; undefined for "no limit", which v1 writes as the largest number of whole pages. */
function limitOf(text: string | undefined): string | undefined {
  const limit = text?.trim()
  return limit === undefined || limit === '' || limit === 'max' || Number(limit) >= 2 ** 62 ? undefined : limit
}

/** Parses the memory files of either version. */
function parseMemoryLevel(level: Level, figures: FileTexts): MemoryLevel {
  const { peak, limitHits, oomKills, ownOoms } = parseMemory(figures)
  const events = parseFlat(figures('memory.events'))
  const legacy = figures('memory.limit_in_bytes')
  return known<MemoryLevel>({
    ...level,
    max: limitOf(figures('memory.max') ?? legacy),
    high: limitOf(figures('memory.high')),
    current: parseNumber(figures('memory.current') ?? figures('memory.usage_in_bytes')),
    peak,
    hits: limitHits,
    slowed: parseFlat(figures('memory.events.local')).high,
    kills: oomKills,
    ooms: ownOoms,
    oomsBelow: ownOoms === undefined || events.oom === undefined ? undefined : events.oom - ownOoms,
    full: legacy === undefined ? undefined : isFull(figures),
  })
}

/** Parses the pids files, which are the same on both versions except for pids.events.local. */
function parsePidsLevel(level: Level, figures: FileTexts): PidsLevel {
  return known<PidsLevel>({
    ...level,
    max: limitOf(figures('pids.max')),
    current: parseNumber(figures('pids.current')),
    peak: parseNumber(figures('pids.peak')),
    denied: parseFlat(figures('pids.events')).max,
    deniedHere: parseRefusedHere(figures(pidsLevelFile)),
  })
}

/** Parses the cpu files. v1 counts throttled time in nanoseconds. */
function parseCpuLevel(level: Level, figures: FileTexts): CpuLevel {
  const stat = parseFlat(figures('cpu.stat'))
  const [quota, period] = figures('cpu.max')?.trim().split(' ') ?? [
    figures('cpu.cfs_quota_us')?.trim(),
    figures('cpu.cfs_period_us')?.trim(),
  ]
  const micro = (nano: number | undefined) => (nano === undefined ? undefined : Math.round(nano / 1000))
  return known<CpuLevel>({
    ...level,
    quota: parseNumber(quota),
    period: parseNumber(period),
    periods: stat.nr_periods ?? 0,
    throttledPeriods: stat.nr_throttled ?? 0,
    throttledUsec: stat.throttled_usec ?? micro(stat.throttled_time),
    cpuUsec: stat.usage_usec ?? micro(parseNumber(figures('cpuacct.usage'))),
  })
}
