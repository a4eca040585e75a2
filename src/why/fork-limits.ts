// SPDX-License-Identifier: Apache-2.0
// Decides which limit refused a fork: pids.max of a group or ancestor, RLIMIT_NPROC, threads-max or pid_max. Pure.
import type { PidsLevel } from '../cgroup/ancestors.ts'
import { quote } from '../text/quote.ts'
import { choosePidsLevel, levelWouldTell, type PidsCount } from '../verdict/attribute.ts'
import { count, describeForks, type EvidenceLine, pidsLine } from '../verdict/limit-words.ts'
import type { WhyCause } from './explanation.ts'
import { formatTime } from './memory.ts'
import { raise } from './raise-command.ts'

/** The facts about a group, its processes and the host that the decision needs. */
export interface TaskFacts {
  name: string
  levels: readonly PidsLevel[]
  below: readonly PidsLevel[]
  /** When the kernel's log first mentions a refused fork in the group. Milliseconds since 1970. */
  firstRefused?: number
  /** When the kernel's log last mentions a refused fork in a group below, even a removed group. */
  lastRefusedBelow?: number
  /** True if the kernel's log reaches back to the boot. An event that is missing in it then did not happen. */
  logComplete?: boolean
  /** RLIMIT_NPROC of one process that it applies to: the soft limit, and the number of tasks of the process's user. */
  user?: { pid: number; uid: number; limit: number; tasks: number }
  /** The number of tasks on the whole machine, and the machine's limits. */
  host?: { tasks: number; threadsMax: number; pidMax: number }
}

/** Returns the causes about limits that refused forks, or that refuse them now. */
export function taskCauses(facts: TaskFacts): WhyCause[] {
  return [...groupCauses(facts), ...fullCauses(facts)]
}

/** Returns the causes about exhausted limits that do not belong to a group. */
export function fullCauses(facts: TaskFacts): WhyCause[] {
  return [...userCause(facts), ...hostCauses(facts)]
}

/** Returns the number of refused forks in the group and below it. Returns 1 if only the kernel's log mentions one. */
export function countRefused(facts: TaskFacts): number {
  return groupCauses(facts).reduce((sum, { count = 1 }) => sum + count, 0)
}

function groupCauses(facts: TaskFacts): WhyCause[] {
  const { levels, below } = facts
  const [own, ...above] = levels
  if (!own) return []
  if (own.deniedHere !== undefined) {
    // since Linux 6.11, each group counts what its own limit refuses, so use the groups that have such a count
    const inside = below.filter((level) => (level.deniedHere ?? 0) > 0)
    const refusing = [own, ...inside, ...(isLogged(facts) ? above : [])].filter(({ deniedHere = 0 }) => deniedHere > 0)
    return refusing.map((level) => makeCause(facts, level, level.deniedHere!, sure))
  }
  // the kernel increases the counter of the forking task's group, whichever level refused the fork
  const refusing = (own.denied ?? 0) > 0 ? own : below[0]
  if (!refusing) return refusedBelow(facts)
  const denied = [own, ...below].reduce((sum, level) => sum + (level.denied ?? 0), 0)
  const path = refusing === own ? levels : [...below.filter(({ path }) => refusing.path.startsWith(path)), ...levels]
  const { level, group, ...found } = choosePidsLevel(path.map(countOf))
  const only = level === 'own' ? path[0] : path.find(({ path }) => path === group)
  if (only) return [makeCause(facts, only, denied, found)]
  const limited = path.filter(({ max }) => max !== undefined)
  return [makeUnsure(facts, limited, denied, found)]
}

type Sure = Pick<WhyCause, 'confidence' | 'wouldTell'>
const sure: Sure = { confidence: 'certain' }

/** Returns true if the kernel's log mentions a refused fork in the group or below it. */
function isLogged({ firstRefused, lastRefusedBelow }: TaskFacts): boolean {
  return firstRefused !== undefined || lastRefusedBelow !== undefined
}

function countOf({ path, max, peak, current }: PidsLevel): PidsCount {
  const limit = max === undefined ? undefined : Number(max)
  const isFull = limit !== undefined && (current ?? 0) >= limit
  return { group: path, max: limit, peak: isFull ? current : peak }
}

/**
 * Explains forks that a group above refused. Since Linux 6.11, a group counts the forks that its limit refuses to any
 * task below it. Unless the whole log is available, it is unknown whether the task was in this group.
 */
export function refusedAbove(facts: TaskFacts): WhyCause[] {
  const [own, ...above] = facts.levels
  if (own?.deniedHere === undefined || isLogged(facts) || facts.logComplete) return []
  return above
    .filter(({ deniedHere = 0 }) => deniedHere > 0)
    .map(({ path, deniedHere = 0, ...level }) => ({
      kind: 'fork-refused',
      confidence: 'unknown',
      wouldTell: "the kernel's log names each group that was refused a fork",
      cause: 'pids',
      limit: 'pids.max',
      whose: 'ancestor',
      group: path,
      count: deniedHere,
      headline: `${count(deniedHere, 'fork was', 'forks were')} refused below ${quote(path)} by its pids.max; it is unknown which group wanted to fork`,
      evidence: [pidsLine(level.max ?? 'max', { ...level, denied: deniedHere })],
    }))
}

function makeCause({ name, levels, firstRefused }: TaskFacts, level: PidsLevel, denied: number, found: Sure): WhyCause {
  const at = levels.indexOf(level)
  const whose = at === 0 ? 'own' : at > 0 ? 'ancestor' : 'below'
  const who = whose === 'below' ? quote(level.path) : name
  const { max = 'max', current, peak } = level
  const limit = Number(max)
  return {
    kind: 'fork-refused',
    ...found,
    cause: 'pids',
    limit: 'pids.max',
    whose,
    group: level.path,
    ...(Number.isFinite(limit) && { maximum: limit }),
    ...(peak !== undefined && { peak }),
    count: denied,
    headline:
      whose === 'ancestor'
        ? `${count(denied, 'fork was', 'forks were')} refused: pids.max of a group above it, ${quote(level.path)}, is used up`
        : describeForks(denied, who),
    evidence: [
      pidsLine(max, { current, peak, denied }),
      ['whose limit', whose === 'own' ? "this group's own" : `of ${quote(level.path)}`],
      ...(firstRefused === undefined ? [] : [['first', formatTime(firstRefused)] as EvidenceLine]),
    ],
    remedy: `raise it: ${raise(level.path, 'pids.max', Number.isNaN(limit) ? 'N' : String(Math.max(limit * 2, limit + 8)))}; processes and threads count`,
  }
}

/**
 * Explains a refused fork in a removed group below, on v1 or before Linux 6.11. The group's count is lost, and only the
 * kernel's log still mentions the refusal.
 */
function refusedBelow({ name, levels, lastRefusedBelow }: TaskFacts): WhyCause[] {
  const full = levels.find(
    ({ max, peak, current }) => max !== undefined && Math.max(peak ?? 0, current ?? 0) >= Number(max),
  )
  if (!full || lastRefusedBelow === undefined) return []
  const { path, max = 'max', current, peak } = full
  const whose = full === levels[0] ? 'own' : 'ancestor'
  return [
    {
      kind: 'fork-refused',
      confidence: 'likely',
      wouldTell: levelWouldTell,
      cause: 'pids',
      limit: 'pids.max',
      whose,
      group: path,
      last: new Date(lastRefusedBelow).toISOString(),
      headline: `a fork was refused below ${name}: pids.max${whose === 'own' ? '' : ` of a group above it, ${quote(path)},`} was reached`,
      evidence: [
        pidsLine(max, { current, peak }),
        [
          'last',
          `${formatTime(lastRefusedBelow)}, according to the kernel's log; the group that wanted to fork may have been removed`,
        ],
      ],
      remedy: `raise it: ${raise(path, 'pids.max', String(Math.max(Number(max) * 2, Number(max) + 8)))}; processes and threads count`,
    },
  ]
}

/**
 * Explains a refused fork if the level is unknown, on v1 or before Linux 6.11. The count then shows only that a fork
 * was refused.
 */
function makeUnsure({ name, levels }: TaskFacts, limited: readonly PidsLevel[], denied: number, found: Sure): WhyCause {
  return {
    kind: 'fork-refused',
    ...found,
    cause: 'pids',
    limit: 'pids.max',
    count: denied,
    ...(levels[0] && { group: levels[0].path }),
    headline: `${count(denied, 'fork was', 'forks were')} refused by pids.max of ${name} or of a group above it: this kernel does not count by level`,
    evidence: limited.map(({ path, max = 'max', current, peak }): EvidenceLine => {
      const [label, text] = pidsLine(max, { current, peak })
      return [label, `${text}   ${quote(path)}`]
    }),
    remedy:
      limited.length > 0
        ? `raise the limit that is closest to being reached: ${raise(limited[0]!.path, 'pids.max', 'N')}`
        : 'the limit has changed since; check what changed it',
  }
}

/** Explains limits that are exhausted now: RLIMIT_NPROC, threads-max and pid_max. The kernel does not count what they refused. */
function userCause({ user }: TaskFacts): WhyCause[] {
  if (!user || user.tasks < user.limit) return []
  const more = Math.max(user.limit, user.tasks) * 2
  return [
    {
      kind: 'fork-refused',
      ...sure,
      cause: 'pids',
      limit: 'RLIMIT_NPROC',
      whose: 'own',
      headline: `forks are refused now: user ${user.uid} has reached RLIMIT_NPROC of process ${user.pid}`,
      evidence: [
        ['nproc', `${user.limit}   now ${user.tasks}   (tasks of user ${user.uid} in all groups count)`],
        ['counted', 'from the current state: the kernel does not count such refusals'],
      ],
      remedy: `raise it, as root: prlimit --pid ${user.pid} --nproc=${more}; or at the start: hutch run --ulimit nproc=${more}; or run it as a separate user`,
    },
  ]
}

/** After ids have wrapped around, the kernel uses no process ids below this number (RESERVED_PIDS). */
const reservedPids = 300

function hostCauses({ host }: TaskFacts): WhyCause[] {
  if (!host) return []
  const { tasks, threadsMax, pidMax } = host
  const full: [limit: string, most: number, file: string][] = []
  if (tasks >= threadsMax) full.push(['threads-max', threadsMax, 'kernel.threads-max'])
  if (tasks >= pidMax - reservedPids) full.push(['pid_max', pidMax, 'kernel.pid_max'])
  return full.map(([limit, max, name]) => ({
    kind: 'fork-refused',
    ...sure,
    cause: 'pids',
    limit,
    whose: 'host',
    // for pid_max this is a guess, because the kernel does not report the number of free ids
    headline: `forks are ${limit === 'pid_max' ? 'about to be refused' : 'refused now'}: this host has as many tasks as ${limit} allows`,
    evidence: [
      [limit, `${max}   now ${tasks}   (of all users and groups)`],
      ['counted', 'from the current state: the kernel does not count such refusals'],
    ],
    remedy: `find the group with the most tasks (hutch cgroup tree), or raise it: sysctl -w ${name}=${max * 2}`,
  }))
}
