// SPDX-License-Identifier: Apache-2.0
// Reads the limits and counts of a group, of its ancestors, and of its descendants that reached a limit. Called by why/.
import type { Host } from '../host/host.ts'
import { parseCpuCount } from '../text/units.ts'
import { levelFiles } from './controllers/figures.ts'
import { readMany, walkGroups } from './files.ts'
import { type GroupPaths, hierarchies } from './group-paths.ts'
import { readStats } from './group-stats.ts'
import { isFull, memoryEventsFile, memorySwapFiles, parseMemory } from './memory.ts'
import { parseRefusedHere, pidsLevelFile } from './pids.ts'
import { type FileTexts, parseFlat, parseNumber } from './stats.ts'

/** A group in one hierarchy, on the way from a group to the root. `path` starts at the hierarchy's mount. Sizes are in bytes. */
interface Level {
  path: string
  directory: string
}

/** Figures of memory.max, or of v1's memory.limit_in_bytes, at one level. */
export interface MemoryLevel extends Level {
  /** Text of memory.max; absent without a limit. */
  max?: string
  high?: string
  current?: number
  peak?: number
  hits?: number
  /** Number of times memory.high throttled the group. */
  slowed?: number
  /** Number of processes that ran out of memory and were killed. v2 counts the group and its descendants, v1 only the group. */
  kills?: number
  /** Only v2: how often memory ran out at this group's own limit (`ooms`) and at limits of its descendants (`oomsBelow`). */
  ooms?: number
  oomsBelow?: number
  /** Only v1, which does not count how often memory ran out: true if usage has reached the limit. */
  full?: boolean
}

/** Figures of pids.max at one level. */
export interface PidsLevel extends Level {
  max?: string
  current?: number
  peak?: number
  /**
   * Number of refused forks. On v1, and on v2 before Linux 6.11, of tasks in this group; later those refused by the limit of this group or
   * a descendant.
   */
  denied?: number
  /** Number of forks refused by this group's own limit. Only v2 since Linux 6.11. */
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

/** The CPUs of the nearest group that has a set of its own. Every v1 group has one. */
interface CpusetLevel extends Level {
  cpus: string
  count: number
  own: boolean
}

/** Figures of a group and its ancestors by controller, the group itself first. A list is empty if its controller is not in use. */
export interface Ancestors {
  memory: MemoryLevel[]
  pids: PidsLevel[]
  cpu: CpuLevel[]
  /** CPUs of the nearest group that has a set of its own; absent if there is no such group. */
  cpuset?: CpusetLevel
  /** Descendants that reached a limit of their own, by controller. */
  memoryBelow: MemoryLevel[]
  pidsBelow: PidsLevel[]
  /** Texts of memory.pressure, cpu.pressure and io.pressure, by resource. */
  pressure: { [resource: string]: string }
}

/** Files of the levels, and those that show which descendants reached a limit. All files are read only for those descendants. */
const memoryFiles = {
  v2: { all: levelFiles('memory', 'v2'), counts: [...levelFiles('memory', 'v2', 'counts'), memoryEventsFile] },
  v1: { all: [...levelFiles('memory', 'v1'), ...memorySwapFiles], counts: levelFiles('memory', 'v1', 'counts') },
}
const pidsFiles = { all: [...levelFiles('pids', 'v2'), pidsLevelFile], counts: levelFiles('pids', 'v2', 'counts') }
const cpuFiles = [...new Set([...levelFiles('cpu', 'v2'), ...levelFiles('cpu', 'v1')])]
const resources = ['memory', 'cpu', 'io']
/** Maximum number of descendants to read. */
const maxBelow = 5000

/** Reads the figures of a group and all its ancestors. A group that is removed meanwhile has no figures. */
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
  const { all, counts } = memoryFiles[host.v1.memory ? 'v1' : 'v2']
  const unified = paths.directories['']
  const stalls =
    unified === undefined
      ? undefined
      : readMany(
          [unified],
          resources.map((name) => `${name}.pressure`),
        )[0]
  const cpu = read(at('cpu'), cpuFiles, parseCpuLevel)
  // v1 counts used CPU time and throttled CPU time in different hierarchies
  const used = readStats([paths])[0]?.cpu?.cpuUsec
  if (cpu[0] && used !== undefined) cpu[0].cpuUsec ??= used
  return {
    memory: read(memory, all, parseMemoryLevel),
    pids: read(pids, pidsFiles.all, parsePidsLevel),
    cpu,
    ...known<Pick<Ancestors, 'cpuset'>>({ cpuset: nearestCpuset(at('cpuset')) }),
    memoryBelow: read(
      read(below(memory), counts, parseMemoryLevel).filter(({ ooms = 0, kills = 0 }) => ooms > 0 || kills > 0),
      all,
      parseMemoryLevel,
    ),
    pidsBelow: read(
      read(below(pids), pidsFiles.counts, parsePidsLevel).filter(({ denied = 0 }) => denied > 0),
      pidsFiles.all,
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

/** Returns the group and its ancestors up to the mount, in the hierarchy of a controller. The controller '' stands for the v2 tree. */
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

/** Returns a copy of the object without undefined fields. */
function known<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}

/** Returns the text of a limit. Returns undefined for "no limit", which v1 writes as the largest number of whole pages. */
function limitOf(text: string | undefined): string | undefined {
  const limit = text?.trim()
  return limit === undefined || limit === '' || limit === 'max' || Number(limit) >= 2 ** 62 ? undefined : limit
}

/** Parses the memory files of v1 or v2. */
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

/** Parses the pids files, which are the same on v1 and v2, except for pids.events.local. */
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

/** Parses the files of one group that were read before. A level is absent without its files. */
export function parseFigures(figures: FileTexts): { memory?: MemoryLevel; pids?: PidsLevel } {
  const level = { path: '', directory: '' }
  const has = (...files: string[]) => files.some((file) => figures(file) !== undefined)
  return {
    ...(has('memory.max', 'memory.limit_in_bytes') && { memory: parseMemoryLevel(level, figures) }),
    ...(has('pids.max') && { pids: parsePidsLevel(level, figures) }),
  }
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
