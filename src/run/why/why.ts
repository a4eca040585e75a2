// SPDX-License-Identifier: Apache-2.0
// why: finds what is meant, looks at it, says what stopped it. It reads and changes nothing.
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { readChain } from '../../cgroup/chain.ts'
import { findPlace, hierarchies, type Place, placeOf, present } from '../../cgroup/place.ts'
import { fail, HutchError } from '../../errors.ts'
import { type Host, readHost } from '../../host/host.ts'
import { quote } from '../../quote.ts'
import type { Cause, Explanation } from './explanation.ts'
import { addAdvice, groupCauses, senderLines } from './group.ts'
import { killsIn, type LogFacts, readLog } from './log.ts'
import { formatTime, memoryCauses } from './memory.ts'
import { isNode, parseHeapFlag } from './node-heap.ts'
import { type ProcessFacts, readPlace, readProcess } from './process.ts'
import { checkReport, parseReport, type Report, reportCauses } from './report.ts'

/** What a target of `why` may be beside a number and a text. */
export type WhyTarget = number | string | Report

/**
 * What stopped or slowed a process, a group or a run: which limit, at which level, how often and when, the victims, and what to
 * do. `target` is a process id, also of one that is gone; a group's path or name, or its directory, also of one that is
 * gone; the file that `hutch run --report` wrote; or what `run` gave. Nothing in it needs to have been started by hutch.
 * @throws WHY_TARGET_UNKNOWN, REPORT_INVALID, FILE_REFUSED, CGROUP_AMBIGUOUS, CGROUP_PATH_INVALID
 */
export function why(target: WhyTarget): Explanation {
  if (typeof target === 'object') return explainReport(checkReport(target, 'the report'), 'the report')
  const name = String(target)
  const host = readHost()
  if (/^\d{1,10}$/.test(name)) {
    const pid = Number(name)
    const process = readProcess(pid)
    const group = process || host.layout === 'none' ? undefined : findGroup(host, name)
    return group ? explainGroup(host, group, name) : explainProcess(host, pid, process)
  }
  const file = isFile(name)
  if (file && /^\.\.?\/|\.json$/.test(name)) return explainReport(parseReport(readReport(name), name), name)
  const group = host.layout === 'none' ? undefined : findGroup(host, name)
  if (group) return explainGroup(host, group, name)
  if (file) return explainReport(parseReport(readReport(name), name), name)
  return explainGone(host, name)
}

/** A group by name, path or directory; undefined when there is none. */
function findGroup(host: Host, name: string): Place | undefined {
  try {
    return findPlace(host, pathOf(host, name))
  } catch (error) {
    if (HutchError.is(error) && error.code === 'CGROUP_NOT_FOUND') return undefined
    throw error
  }
}

/** A directory below a mount, as shells and reports have it, is meant as the group there. */
function pathOf(host: Host, name: string): string {
  const mounts = hierarchies(host)
    .map(([, { mount }]) => mount)
    .sort((a, b) => b.length - a.length)
  const mount = mounts.find((one) => name === one || name.startsWith(`${one}/`))
  return mount === undefined ? name : name.slice(mount.length) || '/'
}

function explainGroup(host: Host, place: Place, name: string): Explanation {
  const log = readLog()
  const causes = groupCauses(host, place, log)
  return {
    target: { kind: 'group', name, there: true, path: place.path },
    causes,
    unknown: unknownOf(host, place, log, causes),
  }
}

/** The log matters where it should have had more. */
function unknownOf(host: Host, place: Place, log: LogFacts, causes: readonly Cause[]): string[] {
  const { memory } = readChain(host, place)
  return [
    ...(memory.some(({ kills }) => kills !== undefined)
      ? []
      : ['whether something was killed for memory: no memory controller counts in this group']),
    ...(!log.sameGroups && causes.some(({ cause, whose, victims }) => cause === 'oom' && whose === 'host' && !victims)
      ? ['whether it was a group above this cgroup namespace rather than the host: it cannot be seen from here']
      : []),
    ...(causes.some(({ cause, count = 0, victims = [] }) => cause === 'oom' && count > victims.length)
      ? log.limits
      : []),
  ]
}

/** A process that runs, or one whose number the kernel's log may still have. */
function explainProcess(host: Host, pid: number, process: ProcessFacts | undefined): Explanation {
  const log = readLog()
  const place = process && readPlace(pid, host)
  const own = endings(host, pid, log, process !== undefined && !process.zombie)
  const target = { kind: 'process' as const, name: String(pid), there: process !== undefined && !process.zombie }
  if (process && place) {
    const found = groupCauses(host, place, log, process)
    return {
      target: { ...target, path: place.path },
      causes:
        own.length > 0 ? [...own, ...found.filter(({ cause }) => cause !== 'none' && cause !== 'not-kernel')] : found,
      unknown: unknownOf(host, place, log, found),
    }
  }
  return own.length > 0
    ? { target, causes: own, unknown: [] }
    : { target, causes: [goneProcess(pid, log)], unknown: log.limits }
}

/** What the log says of this very process. Numbers are given again: of one that runs now the log means another. */
function endings(host: Host, pid: number, log: LogFacts, runs: boolean): Cause[] {
  if (!log.samePids || runs) return []
  const kill = log.kills.findLast((one) => one.pid === pid)
  const fault = log.faults.findLast((one) => one.pid === pid)
  if (kill && (!fault || kill.at > fault.at)) {
    const path = kill.group ?? ''
    const place = path === '' || host.layout === 'none' ? undefined : present(placeOf(host, path))
    // the group's counts are of others, too
    const levels = place ? readChain(host, place).memory.map(({ kills: _, ...level }) => level) : []
    const name = `process ${pid} (${quote(kill.name)})`
    return memoryCauses({ name, path, levels, below: [], kills: [kill] })
  }
  if (!fault) return []
  return [
    {
      cause: 'fault',
      count: 1,
      last: new Date(fault.at).toISOString(),
      headline: `process ${pid} (${quote(fault.name)}) ended by a fault of its own: ${fault.what}`,
      evidence: [
        ['when', formatTime(fault.at)],
        ['log', quote(fault.text)],
      ],
      remedy:
        'this is a fault of the program: look at its core dump (ulimit -c unlimited before it starts, or coredumpctl)',
    },
  ]
}

function goneProcess(pid: number, log: LogFacts): Cause {
  const readable = log.readable && log.samePids
  return {
    cause: 'not-kernel',
    headline: readable
      ? `process ${pid} is not there, and the kernel's log has no kill and no fault of it`
      : `process ${pid} is not there, and what ended it cannot be looked up from here`,
    evidence: senderLines(),
    remedy: 'ask for its group, if that is still there; or run it with hutch run --report FILE',
  }
}

/** A group that is gone: what the log has of it. @throws WHY_TARGET_UNKNOWN */
function explainGone(host: Host, name: string): Explanation {
  const log = readLog()
  const path = `/${pathOf(host, name).split('/').filter(Boolean).join('/')}`
  const names = [path, `/hutch${path}`]
  const found = names.find(
    (one) => killsIn(log, one, true).length > 0 || log.forkRefusals.some(({ group }) => group === one),
  )
  if (found === undefined) throw unknownTarget(host, name, log)
  const refused = log.forkRefusals.find(({ group }) => group === found)
  const causes = memoryCauses({
    name: quote(found),
    path: found,
    levels: [],
    below: [],
    kills: killsIn(log, found, true),
  })
  if (refused)
    causes.push({
      cause: 'pids',
      limit: 'pids.max',
      group: found,
      last: new Date(refused.at).toISOString(),
      headline: `forks were refused in ${quote(found)}, by its pids.max or that of a group above it`,
      evidence: [['first', formatTime(refused.at)]],
      remedy: 'give it a higher pids.max next time: processes and threads count',
    })
  return {
    target: { kind: 'group', name, there: false, path: found },
    causes,
    unknown: ['all but what the log has: the group is gone, and its counts with it', ...log.limits],
  }
}

function unknownTarget(host: Host, name: string, log: LogFacts): HutchError {
  let nearest: string | undefined
  try {
    if (host.layout !== 'none') findPlace(host, pathOf(host, name))
  } catch (error) {
    nearest = HutchError.is(error) ? /did you mean (.*)\?$/.exec(error.remedy)?.[1] : undefined
  }
  const said = log.readable ? ["the kernel's log has nothing of such a group"] : []
  return fail('WHY_TARGET_UNKNOWN', {
    name,
    evidence: [...said, ...log.limits.map((text) => `not known: ${text}`)],
    nearest,
  })
}

function explainReport(report: Report, name: string): Explanation {
  const log = readLog()
  const host = readHost()
  const path = report.cgroup.path === undefined ? undefined : pathOf(host, report.cgroup.path)
  const kills = path === undefined ? [] : killsIn(log, path, true)
  const [first, ...more] = reportCauses(report, availableParallelism())
  const causes = [withLog(first!, report, path ?? '', kills), ...more]
  return {
    target: { kind: 'report', name, there: true, ...(path !== undefined && { path }) },
    causes: first!.cause === 'exit' && report.exitCode === 0 && more.length > 0 ? [...more, causes[0]!] : causes,
    unknown: first!.cause === 'oom' && kills.length === 0 ? log.limits : [],
  }
}

/** Victims and times, which the report does not have, and advice for Node. */
function withLog(cause: Cause, report: Report, path: string, kills: ReturnType<typeof killsIn>): Cause {
  if (cause.cause !== 'oom') return cause
  const told = memoryCauses({ name: '', path, levels: [], below: [], kills }).at(0)
  const more = told?.evidence.filter(([label]) => label === 'victim' || label === 'by hand' || label === 'log') ?? []
  const limit = report.limits['memory.max']
  const own = cause.whose === 'own' && typeof limit === 'number' ? limit : undefined
  const extended = {
    ...cause,
    ...(own !== undefined && { maximum: own }),
    ...(told && { last: told.last!, victims: told.victims! }),
    evidence: [...cause.evidence, ...more],
  }
  if (own === undefined || !isNode(report.command)) return extended
  return addAdvice(extended, own, parseHeapFlag(report.command), true)
}

/** A report is small; more is something else. */
const longestReport = 4 * 2 ** 20

function isFile(path: string): boolean {
  try {
    return !path.includes('\0') && statSync(path).isFile()
  } catch {
    return false
  }
}

/** @throws FILE_REFUSED, REPORT_INVALID */
function readReport(path: string): string {
  let fd: number | undefined
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    const { size } = fstatSync(fd)
    if (size > longestReport) throw fail('REPORT_INVALID', { path, why: 'it is too long' })
    return readFileSync(fd, 'utf8')
  } catch (error) {
    if (HutchError.is(error)) throw error
    const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
    throw fail('FILE_REFUSED', { what: 'read the report', path, errno, remedy: 'give a file that can be read' }, error)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
