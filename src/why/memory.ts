// SPDX-License-Identifier: Apache-2.0
// Finds OOM kills, and the limit that caused each, from the groups' counts and the kernel's log. Pure.

import type { MemoryLevel } from '../cgroup/ancestors.ts'
import type { KernelKill } from '../host/kernel-record.ts'
import { isBelow } from '../text/paths.ts'
import { quote, shellWord } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import { chooseMemoryLevel } from '../verdict/attribute.ts'
import { describeKills, describeLevel, type EvidenceLine, memoryLine, type OomLevel } from '../verdict/limit-words.ts'
import { measuringLimit, sizeText, spareMemory } from '../verdict/memory-need.ts'
import type { Victim, WhyCause } from './explanation.ts'
import { measure, raise } from './raise-command.ts'

/** The facts about a group that explain its OOM kills. */
export interface MemoryFacts {
  /** The name of the group in headlines. */
  name: string
  /** The path of the group in the hierarchy of the memory controller. */
  path: string
  /** The group and its ancestors, nearest first. Empty if the group was removed. */
  levels: readonly MemoryLevel[]
  below: readonly MemoryLevel[]
  /** The kills in the group and in the groups below it, oldest first. */
  kills: readonly KernelKill[]
}

/** Returns one cause for each limit that led to kills. */
export function memoryCauses(facts: MemoryFacts): WhyCause[] {
  const { levels, below } = facts
  const [own] = levels
  // on v1, a group's count does not include the groups below it
  const inner = own?.ooms === undefined ? below.reduce((sum, level) => sum + (level.kills ?? 0), 0) : 0
  let counted = own?.kills === undefined ? 0 : own.kills + inner
  const all = believe(facts, counted)
  // with memory.oom.group, the log mentions the first victim twice: alone, and again with its group
  const kills = all.filter((kill, i) => !kill.together || !all.slice(0, i).some((one) => isAgain(kill, one)))
  counted -= all.length - kills.length
  if (counted === 0 && kills.length === 0) return withoutKill(facts)
  const byGroup = new Map<string, KernelKill[]>()
  for (const kill of kills) byGroup.set(keyOf(kill), [...(byGroup.get(keyOf(kill)) ?? []), kill])
  if (byGroup.size === 0) {
    const { level, ...sure } = guessLevel(facts)
    return [makeCause(facts, level, counted, [], sure)]
  }
  const causes = [...byGroup.values()].map((some) =>
    makeCause(
      facts,
      toldLevel(facts, some.at(-1)!),
      byGroup.size === 1 ? Math.max(counted, some.length) : some.length,
      some,
      sureOf(facts, some.at(-1)!),
    ),
  )
  return causes.reverse()
}

/** v2: explains that memory ran out at the limit of the group or of one below it, but that no process could be killed. */
function withoutKill(facts: MemoryFacts): WhyCause[] {
  if (!ranOutAlone(facts)) return []
  const { level, ...sure } = guessLevel(facts)
  return [makeCause(facts, level, 0, [], sure)]
}

/** Returns the number of OOM kills in the group and below it, from the counts and the kernel's log. */
export function countKills(facts: MemoryFacts): number {
  return memoryCauses(facts).reduce((sum, { count = 0 }) => sum + count, 0)
}

/** Returns true if the kernel counted that memory ran out in the group or below it, but counted no kill. */
export function ranOutAlone({ levels: [own], below }: MemoryFacts): boolean {
  return own?.kills === 0 && ((own.ooms ?? 0) > 0 || below.some(({ ooms }) => (ooms ?? 0) > 0))
}

function isAgain(kill: KernelKill, earlier: KernelKill): boolean {
  return kill.pid === earlier.pid && kill.at - earlier.at < 1000
}

/**
 * Returns the kills in the log that belong to this group: at most as many as the kernel counted. Older ones belong to
 * an earlier group with the same path. On v1, the count of a removed group is lost.
 */
function believe({ path, levels, kills }: MemoryFacts, counted: number): readonly KernelKill[] {
  const [own] = levels
  if (own?.kills === undefined) return kills
  if (own.ooms !== undefined) return counted === 0 ? [] : kills.slice(-counted)
  let left = kills.filter(({ group }) => group === path).length - own.kills
  return kills.filter(({ group }) => group !== path || left-- <= 0)
}

function keyOf({ for: whose, limitGroup = '', nodesAlone }: KernelKill): string {
  return `${whose} ${limitGroup} ${nodesAlone ?? ''}`
}

/**
 * Returns whose limit caused a kill. Returns undefined if it was a group's limit, but neither the log nor the counts
 * tell which group's.
 */
function toldLevel(facts: MemoryFacts, kill: KernelKill): OomLevel | undefined {
  if (kill.for === 'host') return { whose: 'host' }
  if (kill.limitGroup === undefined) {
    const { level } = guessLevel(facts)
    return level.whose === 'host' ? undefined : level
  }
  if (kill.limitGroup === facts.path) return { whose: 'own' }
  return { whose: isBelow(kill.limitGroup, facts.path) ? 'below' : 'ancestor', directory: kill.limitGroup }
}

type Sure = Pick<WhyCause, 'confidence' | 'wouldTell'>

/** Returns whose limit it probably was, from counts and peaks. */
function guessLevel({ levels, below }: MemoryFacts): { level: OomLevel } & Sure {
  const [own, ...above] = levels
  const counts = (levels: readonly MemoryLevel[]) => levels.map(({ path, ooms, full }) => ({ group: path, ooms, full }))
  const { level, group, ...sure } = chooseMemoryLevel(own, counts(below), counts(above))
  return { level: { whose: level, ...(group !== undefined && { directory: group }) }, ...sure }
}

/** Returns how certain the limit is: certain if the kernel's log names its group. */
function sureOf(facts: MemoryFacts, kill: KernelKill): Sure {
  if (kill.for === 'host' || kill.limitGroup !== undefined) return { confidence: 'certain' }
  const { level: _, ...sure } = guessLevel(facts)
  return sure
}

function makeCause(
  facts: MemoryFacts,
  level: OomLevel | undefined,
  counted: number,
  kills: readonly KernelKill[],
  sure: Sure,
): WhyCause {
  const group = level?.whose === 'own' ? facts.path : level?.directory
  const state = [...facts.levels, ...facts.below].find(({ path }) => path === group)
  const last = kills.at(-1)
  const max = state?.max ?? (last && last.limitGroup === group ? limitOf(last) : undefined)
  const figures = { peak: state?.peak, hits: state?.hits, kills: counted }
  const named = level && quoted(level)
  return {
    kind: level?.whose === 'host' ? 'host-oom' : 'oom',
    ...sure,
    cause: 'oom',
    ...(level?.whose !== 'host' && { limit: 'memory.max' }),
    ...(level && { whose: level.whose }),
    ...(group !== undefined && { group }),
    ...(max !== undefined && level?.whose !== 'host' && { maximum: Number(max) }),
    ...(state?.peak !== undefined && { peak: state.peak }),
    count: counted,
    ...(last && { last: new Date(last.at).toISOString(), victims: kills.map(makeVictim) }),
    headline:
      counted > 0
        ? describeKills(counted, facts.name, named)
        : `out of memory (OOM) in ${facts.name}, and no process could be killed`,
    evidence: [
      ...(state || max !== undefined ? [memoryLine(max, figures)] : []),
      ['whose limit', last?.nodesAlone ? 'none: its memory nodes (cpuset.mems) were used up' : whoseLimit(named)],
      ...(last?.byHand
        ? [['by hand', 'the kill was requested by the SysRq key f, or a write to /proc/sysrq-trigger'] as EvidenceLine]
        : []),
      ...victimLines(kills, counted),
    ],
    remedy: remedyOf(level, facts, max, state !== undefined),
  }
}

/** Matches the end of the path of a job that hutch run created: process id, start time, pid namespace and serial number. */
const ownJob = /\/hutch-\d+-\d+-\d+-\d+$/

function whoseLimit(level: OomLevel | undefined): string {
  return level ? describeLevel(level) : "a group's; the kernel's log omits its name if many reports come at once"
}

function quoted(level: OomLevel): OomLevel {
  return level.directory === undefined ? level : { ...level, directory: quote(level.directory) }
}

function limitOf({ limit }: KernelKill): string | undefined {
  return limit === undefined || limit >= 2 ** 52 ? undefined : String(limit)
}

function makeVictim({ pid, name, at, anon, file, shmem, pageTables, group }: KernelKill): Victim {
  return {
    pid,
    name,
    at: new Date(at).toISOString(),
    anon,
    file,
    shmem,
    ...(pageTables !== undefined && { pageTables }),
    ...(group !== undefined && { group }),
  }
}

const maxVictims = 5

function victimLines(kills: readonly KernelKill[], counted: number): EvidenceLine[] {
  if (kills.length === 0) return []
  const shown = kills.slice(-maxVictims)
  const lines = shown.map(
    ({ pid, name, at, anon, file, shmem }): EvidenceLine => [
      'victim',
      [
        `${formatTime(at)}  ${pid} (${quote(name)})`,
        `anon ${formatSize(anon)}`,
        `file ${formatSize(file)}`,
        shmem > 0 && `shmem ${formatSize(shmem)}`,
      ]
        .filter(Boolean)
        .join('   '),
    ],
  )
  if (counted > kills.length)
    lines.push(['log', `contains ${kills.length} of ${counted} kills: the kernel drops reports if many come at once`])
  else if (kills.length > shown.length) lines.push(['log', `contains ${kills.length - shown.length} earlier kills`])
  return lines
}

/** Formats a time as local time, to the second. */
export function formatTime(at: number): string {
  const date = new Date(at)
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** Returns the remedy for a limit that is too low. `there` is the group that has the limit. */
function remedyOf(
  level: OomLevel | undefined,
  { path, levels }: MemoryFacts,
  max: string | undefined,
  there: boolean,
): string {
  if (!level) return 'ask about its group, if it still exists, because its counters tell more'
  if (level.whose === 'host') return 'free memory on this host, or limit other groups'
  const group = level.whose === 'own' ? path : level.directory!
  const enough = max === undefined ? undefined : measuringLimit(Number(max), spareMemory())
  if (!there && levels.length > 0)
    return `raise memory.max of ${quote(group)}, which was removed or is not visible from here`
  if (!there)
    return ownJob.test(group)
      ? `measure how much it needs: run it once with hutch run${enough === undefined ? '' : ` --memory ${sizeText(enough)}`} --verbose`
      : `create the group with a higher memory.max${enough === undefined ? '' : `, to measure: memory.max=${sizeText(enough)}`}`
  const set = max === undefined ? raise(group, 'memory.max', 'SIZE') : measure(group, 'memory.max', Number(max))
  if (level.whose === 'ancestor') return `${set}; or run it in another group`
  return `${set}; or check what uses the memory: hutch cgroup show ${shellWord(group)} memory.stat`
}
