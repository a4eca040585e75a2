// SPDX-License-Identifier: Apache-2.0
// Exports why(): finds the target, reads its state and returns what stopped it. Changes nothing.

import { findContainerGroups, withParents } from '../cgroup/engine-groups.ts'
import { allPaths, findGroupPaths, type GroupPaths, pathOfDirectory } from '../cgroup/group-paths.ts'
import { fail, HutchError } from '../errors/errors.ts'
import { type Host, readHost } from '../host/host.ts'
import { refuseUnknown } from '../options/unknown-option.ts'
import { existsSync, readFileSync } from '../system/files.ts'
import { encodePath } from '../text/non-utf8.ts'
import { isBelow } from '../text/paths.ts'
import { quote } from '../text/quote.ts'
import { restRows } from '../verdict/decide.ts'
import type { EvidenceLine } from '../verdict/limit-words.ts'
import { endCauses, goneProcess } from './ended.ts'
import { explainReport, isFile, readReport } from './explain-report.ts'
import type { Explanation, ExplanationDraft, WhyCause } from './explanation.ts'
import { groupCauses } from './group.ts'
import { killsIn, type LogFacts, readLog } from './kernel-log.ts'
import { formatTime, memoryCauses } from './memory.ts'
import { type ProcessFacts, readGroupPaths, readProcessFacts } from './process.ts'
import { checkReport, parseReport, type Report } from './report.ts'
import { toCause } from './to-cause.ts'

/** What `why` can explain: a process id, a name or path, or a result of `run`. */
export type WhyTarget = number | string | Report

/**
 * Explains what stopped or slowed a process, a group or a run: the limit, its level, the count and time, the victims,
 * and a remedy. `target` is a process id, or a group's path, name or directory; the process or group may have ended
 * already. It can also be the file of `hutch run --report` or a result of `run`. It need not be a job of hutch.
 *
 * @throws WHY_TARGET_UNKNOWN, REPORT_INVALID, FILE_REFUSED, CGROUP_AMBIGUOUS, CGROUP_PATH_INVALID
 * @throws OPTION_INVALID, OPTION_UNKNOWN for an object that is not a result
 * @example
 * const result = await run('sh', ['-c', 'exit 3'])
 * console.log(why(result).cause.kind) // exited
 */
export function why(target: WhyTarget): Explanation
export function why(target: WhyTarget, options?: unknown): Explanation {
  if (typeof options === 'object' && options !== null) refuseUnknown('why', options)
  checkTarget(target)
  return complete(explain(target))
}

function complete({ target, cause, causes, unknown }: ExplanationDraft): Explanation {
  return { target, cause: cause ?? toCause({ target, causes, unknown }), causes, unknown }
}

/** Explains a group whose directories are known, such as that of a container. */
export function whyGroup(paths: GroupPaths, name: string): Explanation {
  return complete(explainGroup(readHost(), paths, name))
}

/**
 * Explains a removed group from the kernel's log. Ignores events before `since`, in milliseconds since 1970: an earlier
 * group may have had the same path. Returns undefined if the log does not mention the group.
 */
export function whyRemoved({ path, title }: GroupPaths, name: string, since: number): Explanation | undefined {
  const all = readLog()
  const isLater = ({ at }: { at: number }) => at >= since
  const log = { ...all, kills: all.kills.filter(isLater), forkRefusals: all.forkRefusals.filter(isLater) }
  if (killsIn(log, path, true).length === 0 && !log.forkRefusals.some(({ group }) => isBelow(group, path)))
    return undefined
  return complete(explainLogged(log, path, name, title ?? quote(path)))
}

/** @throws OPTION_UNKNOWN, OPTION_INVALID */
function checkTarget(target: WhyTarget): void {
  if (typeof target === 'number' || typeof target === 'string') return
  if (typeof target !== 'object' || target === null || Array.isArray(target))
    throw fail('OPTION_INVALID', {
      name: 'the target of why',
      value: target,
      accepted: 'a process id, the path or name of a group, or a result of run',
    })
  // a result of `run` has a command and a reason; refuse any other object, because it probably contains options, and `why` has none
  if (!('command' in target) && !('reason' in target)) refuseUnknown('why', target)
}

function explain(target: WhyTarget): ExplanationDraft {
  if (typeof target === 'object') return ofReport(checkReport(target, 'the report'), 'the report')
  const name = String(target)
  const host = readHost()
  if (/^\d+$/.test(name)) {
    const pid = Number(name)
    const process = readProcessFacts(pid)
    const group = process || host.layout === 'none' ? undefined : findGroup(host, name)
    if (group) return explainGroup(host, group, name)
    if (!process && !(pid >= 1 && pid <= largestPid)) throw noNumber(name)
    return explainProcess(host, pid, process)
  }
  const file = isFile(name)
  // a name that looks like the path of a report is not explained as a misspelt group
  if (!file && (/^\.\.?\/.*\.json$/.test(name) || (name.endsWith('.json') && existsSync(encodePath(name)))))
    readReport(name)
  if (file && /^\.\.?\/|\.json$/.test(name)) return ofReport(parseReport(readReport(name), name), name)
  const group = host.layout === 'none' ? undefined : findGroup(host, name)
  if (group) return explainGroup(host, group, name)
  if (file) return ofReport(parseReport(readReport(name), name), name)
  return explainGone(host, name)
}

/** The highest process id on 64-bit Linux (PID_MAX_LIMIT). */
const largestPid = 4_194_304

function noNumber(name: string): HutchError {
  return fail('WHY_TARGET_UNKNOWN', { name, evidence: [`process ids range from 1 to ${largestPid}`] })
}

function ofReport(report: Report, name: string): ExplanationDraft {
  const { path } = report.cgroup
  return explainReport(report, name, path === undefined ? undefined : pathOfDirectory(readHost(), path))
}

/**
 * Finds a group by its name, path or directory, by the name of a systemd unit, or by the id of a container. Returns
 * undefined if no group matches.
 *
 * @throws CGROUP_AMBIGUOUS
 */
function findGroup(host: Host, name: string): GroupPaths | undefined {
  try {
    return findGroupPaths(host, pathOfDirectory(host, name))
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
    const path = onlyOne(name, findContainerGroups(name.startsWith('/') ? [] : allPaths(host), name))
    return path === undefined ? undefined : findGroupPaths(host, path)
  }
}

function onlyOne(name: string, found: string[]): string | undefined {
  if (found.length > 1) throw fail('CGROUP_AMBIGUOUS', { name, found })
  return found[0]
}

/** Finds a removed group in the kernel's log, by its path or name. @throws CGROUP_AMBIGUOUS */
function findLogged(log: LogFacts, path: string, name: string): string | undefined {
  const has = (wanted: string) =>
    killsIn(log, wanted, true).length > 0 || log.forkRefusals.some(({ group }) => group === wanted)
  const exact = [path, `/hutch${path}`].find(has)
  if (exact !== undefined || name.startsWith('/')) return exact
  const groups = [...log.kills, ...log.forkRefusals].flatMap(({ group }) => group ?? [])
  return onlyOne(name, findContainerGroups(withParents(groups), name))
}

function explainGroup(host: Host, paths: GroupPaths, name: string): ExplanationDraft {
  const log = readLog()
  const { causes, unread } = groupCauses(host, paths, log)
  return {
    target: { kind: 'group', name, there: true, path: paths.path },
    causes,
    unknown: [...unread, ...unknownOf(log, causes)],
  }
}

/** Returns what remains unknown because the kernel's log does not contain everything. */
function unknownOf(log: LogFacts, causes: readonly WhyCause[]): string[] {
  return [
    ...(!log.sameGroups && causes.some(({ cause, whose, victims }) => cause === 'oom' && whose === 'host' && !victims)
      ? ['whether it was a group above this cgroup namespace rather than the host: it is not visible from here']
      : []),
    ...(causes.some(({ cause, count = 0, victims = [] }) => cause === 'oom' && count > victims.length)
      ? log.limits
      : []),
  ]
}

/** Explains a process that exists, or a process id that the kernel's log may mention. */
function explainProcess(host: Host, pid: number, process: ProcessFacts | undefined): ExplanationDraft {
  const log = readLog()
  const paths = process && readGroupPaths(pid, host)
  const own = endCauses(host, pid, log, process)
  const target = { kind: 'process' as const, name: String(pid), there: process !== undefined && !process.zombie }
  if (process && paths) {
    if (own.length === 0 && mountsAbove(readFileSync('/proc/self/mountinfo', 'utf8'))) return hiddenGroup(target)
    const { causes: found, unread } = groupCauses(host, paths, log, process)
    return {
      target: { ...target, path: paths.path },
      causes: own.length > 0 ? [...own, ...found.filter(({ kind }) => !ofRest.has(kind))] : found,
      unknown: [...earlierOnes(pid, log, process), ...unread, ...unknownOf(log, found)],
    }
  }
  return own.length > 0
    ? { target, causes: own, unknown: [] }
    : { target, causes: [goneProcess(pid, log)], unknown: log.limits }
}

const ofRest = new Set(restRows.map(({ kind }) => kind))

/**
 * Returns true if a hierarchy's mount begins above the root of this cgroup namespace. Its paths then differ from those
 * in /proc/PID/cgroup.
 */
export function mountsAbove(mountinfo: string): boolean {
  return /^(\S+ ){3}\/\.\.\S* .* - cgroup2? /m.test(mountinfo)
}

function hiddenGroup(target: ExplanationDraft['target']): ExplanationDraft {
  const headline = `the group of process ${target.name} is not visible from here, so its limits are unknown`
  const why = 'this is a cgroup namespace, and the hierarchy that is mounted here begins above it'
  const remedy = 'ask from outside the container, where the process has another id'
  const evidence: EvidenceLine[] = [['because', why]]
  return {
    target,
    causes: [{ kind: 'unknown', confidence: 'unknown', cause: 'unknown', headline, evidence, remedy }],
    unknown: [],
  }
}

/** Returns a note that the id belonged to an earlier process, if the kernel's log mentions one. The kernel reuses process ids. */
function earlierOnes(pid: number, log: LogFacts, { name, zombie }: ProcessFacts): string[] {
  const kill = log.samePids && !zombie ? log.kills.findLast((one) => one.pid === pid) : undefined
  if (!kill) return []
  return [
    `whether you mean an earlier process ${pid}, ${quote(kill.name)}, which was killed for memory at ${formatTime(kill.at)}; the current process is ${quote(name)}`,
  ]
}

/** Explains a removed group from the kernel's log. @throws WHY_TARGET_UNKNOWN */
function explainGone(host: Host, name: string): ExplanationDraft {
  const log = readLog()
  const path = `/${pathOfDirectory(host, name).split('/').filter(Boolean).join('/')}`
  const found = findLogged(log, path, name)
  if (found === undefined) throw unknownTarget(host, name, log)
  return explainLogged(log, found, name, quote(found))
}

/** Explains a removed group that the kernel's log mentions. */
function explainLogged(log: LogFacts, found: string, name: string, title: string): ExplanationDraft {
  const refused = log.forkRefusals.find(({ group }) => isBelow(group, found))
  const causes = memoryCauses({
    name: title,
    path: found,
    levels: [],
    below: [],
    kills: killsIn(log, found, true),
  })
  if (refused)
    causes.push({
      kind: 'fork-refused',
      confidence: 'unknown',
      wouldTell: 'pids.max of the group, which was removed, and of the groups above it',
      cause: 'pids',
      limit: 'pids.max',
      group: found,
      last: new Date(refused.at).toISOString(),
      headline: `forks were refused in ${title}, by its pids.max or that of a group above it`,
      evidence: [['first', formatTime(refused.at)]],
      remedy: 'create the group with a higher pids.max: processes and threads count',
    })
  return {
    target: { kind: 'group', name, there: false, path: found },
    causes,
    unknown: ['everything except the log: the group was removed with its counters', ...log.limits],
  }
}

function unknownTarget(host: Host, name: string, log: LogFacts): HutchError {
  let nearest: string | undefined
  try {
    if (host.layout !== 'none') findGroupPaths(host, pathOfDirectory(host, name))
  } catch (error) {
    nearest = HutchError.is(error) ? error.nearest : undefined
  }
  const said = log.readable ? ["the kernel's log does not mention such a group"] : []
  return fail('WHY_TARGET_UNKNOWN', {
    name,
    evidence: [...said, ...log.limits.map((text) => `not known: ${text}`)],
    nearest,
  })
}
