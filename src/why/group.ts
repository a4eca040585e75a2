// SPDX-License-Identifier: Apache-2.0
// Explains a group or one of its processes. For each kind of cause that verdict/decide.ts chooses, adds the limit,
// counts and words.

import type { Ancestors } from '../cgroup/ancestors.ts'
import type { GroupPaths } from '../cgroup/group-paths.ts'
import type { Host } from '../host/host.ts'
import { availableParallelism, totalmem } from '../system/machine.ts'
import { quote } from '../text/quote.ts'
import type { CauseKind } from '../verdict/cause.ts'
import { decide, decideAll, type FactName, foundRows, restRows } from '../verdict/decide.ts'
import { type EvidenceLine, memoryLine, pidsLine } from '../verdict/limit-words.ts'
import { adviseHeap, isNode, isNodeName, parseHeapFlag } from '../verdict/node-heap.ts'
import { blockedCauses } from './blocked.ts'
import { cpuStallCauses } from './cpu-stall.ts'
import type { WhyCause } from './explanation.ts'
import { refusedAbove, taskCauses } from './fork-limits.ts'
import { diskCauses } from './full-filesystems.ts'
import { computeFound, type GroupReadings, nameOf, reachedLimits, readGroupFigures } from './group-facts.ts'
import type { LogFacts } from './kernel-log.ts'
import { formatTime, memoryCauses } from './memory.ts'
import { daemonCauses } from './oomd.ts'
import { pressureLines, slowedCauses, stallCauses } from './pressure.ts'
import { findKillers, type ProcessFacts } from './process.ts'
import { throttleCauses } from './throttle.ts'

/** The causes found in a group, and the limits that may have been reached but cannot be read. */
interface FoundInGroup {
  causes: WhyCause[]
  unread: readonly string[]
}

/**
 * Returns the causes found in a group. `one` is the process that the user asks about. Without it, all processes of the
 * group are examined.
 */
export function groupCauses(host: Host, paths: GroupPaths, log: LogFacts, one?: ProcessFacts): FoundInGroup {
  return explainReadings(readGroupFigures(host, paths, log, one))
}

/**
 * Returns the causes that follow from the facts about a group. Pure, except that it reads the host's memory, its CPUs
 * and the names of daemons that kill processes.
 */
export function explainReadings(readings: GroupReadings): FoundInGroup {
  const facts = computeFound(readings)
  const found = [...decideAll(foundRows, facts)].flatMap(([kind, by]) => makers[kind]?.(readings, by) ?? [])
  const rest = decide(restRows, facts)
  const causes = found.length > 0 ? found : [nothingFound(readings, rest.kind, rest.likely === true)]
  return {
    causes: [...causes, ...refusedAbove(readings.tasks)].map((cause) => withPressure(cause, readings)),
    unread: readings.unread,
  }
}

/** Functions that make the causes of each kind. `by` are the names of the figures that the matching rows test. */
const makers: { [K in CauseKind]?: (readings: GroupReadings, by: ReadonlySet<FactName>) => WhyCause[] } = {
  frozen: (readings) => blockedCausesOf(readings, 'frozen'),
  stopped: (readings) => blockedCausesOf(readings, 'stopped'),
  blocked: (readings) => blockedCausesOf(readings, 'blocked'),
  oom: ({ memory, one, processes }) =>
    memoryCauses(memory).map((cause) => (one ? withOne(cause, memory.name, one) : withHeap(cause, processes))),
  oomd: ({ daemon }) => daemonCauses(daemon),
  'fork-refused': ({ tasks }) => taskCauses(tasks),
  space: ({ full, one, paths }) =>
    full.flatMap(({ pid, mounts }) => diskCauses(one ? `process ${one.pid}` : nameOf([], paths), pid, mounts)),
  throttled: ({ ancestors, paths, taskCount }) =>
    throttleCauses(nameOf(ancestors.cpu, paths), ancestors.cpu, availableParallelism(), taskCount),
  slowed: ({ memory, ancestors, paths }, by) => {
    const limited = slowedCauses(memory, ancestors.pressure.memory)
    const waiting = by.has('stallPercent') && limited.length === 0 ? stallCauses(memory.name, ancestors.pressure) : []
    const crowded = by.has('cpusetDemandPercent') || by.has('cpuStallPercent')
    return [...limited, ...waiting, ...(crowded ? cpuStallCauses(nameOf(ancestors.cpu, paths), ancestors) : [])]
  },
}

function nameProcess({ pid, name }: ProcessFacts): string {
  return `process ${pid} (${quote(name)})`
}

function blockedCausesOf({ one, paths, frozen, processes, waiting }: GroupReadings, wanted: CauseKind): WhyCause[] {
  const causes = blockedCauses(one ? nameProcess(one) : nameOf([], paths), frozen, processes, waiting)
  return causes.filter(({ kind }) => kind === wanted)
}

/**
 * Adds a line for a single process: the counts belong to its whole group. Only the kernel's log or a wait status tells
 * about the process itself.
 */
function withOne(cause: WhyCause, name: string, one: ProcessFacts): WhyCause {
  const entry: EvidenceLine = ['who', `processes in ${name}, the group of process ${one.pid}; it was not killed itself`]
  return { ...withHeap(cause, [one]), evidence: one.zombie ? cause.evidence : [entry, ...cause.evidence] }
}

function withHeap(cause: WhyCause, processes: readonly ProcessFacts[]): WhyCause {
  const last = cause.victims?.at(-1)
  const alive = processes.find(({ argv }) => isNode(argv))
  // if the killed process is known, check whether it was Node; another process of the group may also be Node
  const isVictim = last ? isNodeName(last.name) : alive !== undefined
  if (cause.maximum === undefined || !isVictim) return cause
  const flag = alive && parseHeapFlag(alive.argv, alive.nodeOptions)
  return addAdvice(cause, cause.maximum, flag, alive ? (alive.environment ? 'all' : 'argv') : 'nothing')
}

/** Adds advice about Node's maximum heap. `seen` is true if the command line and the environment could be read. */
export function addAdvice(
  cause: WhyCause,
  limit: number,
  flag: number | undefined,
  seen: 'all' | 'argv' | 'nothing',
): WhyCause {
  const { evidence, remedy } = adviseHeap(limit, flag, totalmem())
  const unseen: EvidenceLine[] = [
    [
      'node heap',
      seen === 'argv'
        ? 'no --max-old-space-size on its command line; NODE_OPTIONS is unknown'
        : 'the flags of Node are unknown, because it has ended',
    ],
  ]
  const heapEvidence = seen === 'all' || (seen === 'argv' && flag !== undefined) ? evidence : unseen
  return { ...cause, evidence: [...cause.evidence, ...heapEvidence], remedy }
}

const resources: { [K in CauseKind]?: string } = {
  oom: 'memory',
  'host-oom': 'memory',
  slowed: 'memory',
  throttled: 'cpu',
}

/** The resource that tasks wait for at a limit, if it is not memory. */
const byLimit: { [limit: string]: string } = { 'io.pressure': 'io', 'cpu.pressure': 'cpu', 'cpuset.cpus': 'cpu' }

function withPressure(cause: WhyCause, { ancestors: { pressure }, whole }: GroupReadings): WhyCause {
  const resource = byLimit[cause.limit ?? ''] ?? resources[cause.kind]
  const text = resource === undefined ? undefined : pressure[resource]
  if (text === undefined) return cause
  return { ...cause, evidence: [...cause.evidence, ...pressureLines({ [resource!]: text }, whole)] }
}

/** Returns the cause and words for a kind of `restRows`: nothing was found that stops the target. */
function nothingFound(readings: GroupReadings, kind: CauseKind, likely: boolean): WhyCause {
  const { ancestors, paths, one, unread } = readings
  const name = one ? nameProcess(one) : nameOf([], paths)
  const evidence = [...limitLines(ancestors), ...pressureLines(ancestors.pressure, readings.whole)]
  const hit = describeHits(readings)
  const [first] = unread
  const wouldTell = first === undefined ? {} : { wouldTell: first }
  if (kind === 'running')
    return {
      kind,
      confidence: likely ? 'unknown' : 'certain',
      ...wouldTell,
      cause: 'none',
      headline: likely
        ? `no cause was found that stops or slows ${name}: ${hit}`
        : `nothing stops or slows ${name}: ${hit}`,
      evidence,
    }
  return {
    kind,
    confidence: kind === 'not-kernel' ? 'certain' : 'unknown',
    ...wouldTell,
    cause: kind === 'not-kernel' ? 'not-kernel' : 'unknown',
    headline: `${name} ${one ? 'has ended' : 'is empty'}, and ${kind === 'not-kernel' ? 'the kernel did not end it' : 'it is unknown whether the kernel ended it'}: ${hit}`,
    evidence: [...evidence, ...senderLines()],
    remedy: 'run it with hutch run --report FILE, which records its status, signal and limits',
  }
}

function limitLines({ memory, pids }: Ancestors): EvidenceLine[] {
  return [
    ...memory.filter(({ max }) => max !== undefined).map((level) => at(memoryLine(level.max, level), level.path)),
    ...pids.filter(({ max }) => max !== undefined).map((level) => at(pidsLine(level.max!, level), level.path)),
  ]
}

/** Returns a line that no limit was reached, if all limits that matter could be read. Otherwise returns what is unknown. */
function describeHits({ ancestors, unread, tasks }: GroupReadings): string {
  const reached = reachedLimits(ancestors)
  if (reached.length > 0) return `${reached.join(' and ')} was reached, but no kill and no refused fork was counted`
  if (unread.length > 0 || refusedAbove(tasks).length > 0)
    return 'the readable evidence has no kill and no refused fork'
  return 'no limit of its groups was hit, and the kernel killed nothing in it'
}

/** Returns lines that name other programs that may have killed a process. `since` is the time at which the kernel's log starts. */
export function senderLines(since?: number): EvidenceLine[] {
  const killers = findKillers()
  return [
    [
      'who did',
      `${since === undefined ? '' : `if it was after ${formatTime(since)}, it `}ended by itself, or by a signal that a process sent: the kernel keeps no record of which`,
    ],
    ...killers.map(
      (name): EvidenceLine => [
        'could be',
        `${name} runs here and kills by SIGKILL when memory is low: journalctl -u ${name} tells`,
      ],
    ),
  ]
}

function at([label, text]: EvidenceLine, path: string): EvidenceLine {
  return [label, `${text}   ${quote(path)}`]
}
