// SPDX-License-Identifier: Apache-2.0
// Explains a container from its groups, its notes and the kernel's log: what stops or slows it, or why it ended. The words
// are those of the caller's users.

import {
  type Ancestors,
  type MemoryLevel,
  type PidsLevel,
  parseFigures,
  readAncestors,
} from '../../cgroup/ancestors.ts'
import { isGroup } from '../../cgroup/files.ts'
import { type GroupPaths, hierarchies, pathOfDirectory } from '../../cgroup/group-paths.ts'
import type { ContainerStatus } from '../../container/status.ts'
import { type Host, readHost } from '../../host/host.ts'
import { signalName } from '../../system/signals.ts'
import { isBelow } from '../../text/paths.ts'
import { formatSize } from '../../text/units.ts'
import type { JobEnd } from '../../verdict/cause.ts'
import { type EvidenceLine, memoryLine, pidsLine } from '../../verdict/limit-words.ts'
import { isOwnFault } from '../../verdict/make-cause.ts'
import { measuringLimit, sizeText, spareMemory } from '../../verdict/memory-need.ts'
import type { Explanation, WhyCause } from '../../why/explanation.ts'
import { formatTime } from '../../why/memory.ts'
import { toCause } from '../../why/to-cause.ts'
import { whyGroup, whyRemoved } from '../../why/why.ts'
import type { OciState } from '../lifecycle/details.ts'
import { type Caller, callerOf, titleOf } from './callers.ts'
import { type Notes, readNotes, type SentSignal } from './life-events.ts'
import type { PlainEnd } from './plain-end.ts'

/** Explains a container that exists. */
export function explainContainer(root: string, state: OciState, status: ContainerStatus): Explanation {
  if (status === 'stopped') return explainEnd(root, state, status)
  const { id, annotations } = state
  const caller = callerOf({ id, root, annotations })
  const { causes, unknown } = whyGroup(pathsOfContainer(readHost(), root, state), id)
  const keep = (found: WhyCause): WhyCause => {
    const cause = ofContainer(found)
    const words = limitWords(caller, cause)
    return words === undefined || cause.remedy === undefined
      ? cause
      : { ...cause, remedy: `${cause.remedy}; to keep it, change ${words}` }
  }
  return complete(root, state, causes.map(keep), unknown)
}

/**
 * Explains why a container ended. `status` is its status before its processes are killed: a running one has ended by its
 * deletion. Must be called while its groups and its directory exist.
 */
export function explainEnd(root: string, state: OciState, status: ContainerStatus): Explanation {
  const { id, annotations, created } = state
  const host = readHost()
  const paths = pathsOfContainer(host, root, state)
  const caller = callerOf({ id, root, annotations })
  const notes = readNotes(`${root}/${id}`)
  const isThere = Object.values(paths.directories).some(isGroup)
  const ancestors = readAncestors(host, paths)
  const found = !isThere ? whyRemoved(paths, id, Date.parse(created)) : isRefusing(ancestors) && whyGroup(paths, id)
  const facts = [...signalLines(notes.signals), ...(isThere ? [] : [goneLine])]
  const { own, unknown } = explainFirst(paths.title!, caller, id, notes, status)
  if (!found) {
    const figures = isThere ? figureLines(ancestors.memory[0], ancestors.pids[0]) : []
    return complete(root, state, [{ ...own, evidence: [...figures, ...facts] }], unknown)
  }
  const { end } = own
  const isKnown = unknown.length === 0
  const victim = found.causes.some(({ victims = [] }) => victims.some(({ pid }) => pid === state.process?.pid))
  const first: EvidenceLine = ['first process', victim ? 'was killed' : describeFirst(end!)]
  const [cause, ...rest] = found.causes.map((one) => ({ ...ofContainer(one), ...remedyIn(caller, one, id) }))
  const causes: WhyCause[] = [
    {
      ...cause!,
      ...(victim && { end: { status: null, signal: 'SIGKILL', from: 'kernel' } as const }),
      ...(!victim && isKnown && end && { end }),
      evidence: [...cause!.evidence, first, ...facts],
    },
    ...rest,
    ...(victim || own.kind === 'not-kernel' ? [] : [own]),
  ]
  return complete(root, state, causes, victim ? found.unknown : [...found.unknown, ...unknown])
}

/** Explains an end without a kill or refusal by the kernel, from its record. */
export function explainPlainEnd(root: string, id: string, plain: PlainEnd): Explanation {
  const { annotations, status, figures } = plain
  const title = titleOf({ id, root, annotations })
  const { own, unknown } = explainFirst(title, callerOf({ id, root, annotations }), id, plain, status)
  const { memory, pids } = parseFigures((file) => figures[file])
  const evidence = [...figureLines(memory, pids), ...signalLines(plain.signals)]
  return asDeleted(complete(root, { id, ...plain }, [{ ...own, evidence }], unknown))
}

/** Returns an explanation as it is after the deletion. */
export function asDeleted(explanation: Explanation): Explanation {
  return { ...explanation, target: { ...explanation.target, there: false } }
}

/** Returns the cause for an end without a kill or refusal by the kernel, and what is unknown then. */
function explainFirst(title: string, caller: Caller, id: string, notes: Notes, status: ContainerStatus) {
  const isKnown = notes.waitStatus !== undefined || status !== 'stopped'
  const unknown = isKnown ? [] : [`the exit status: only the caller of hutch-oci saw it; ${caller.status(id)}`]
  return { own: endCause(title, endOf(notes, status), notes, status), unknown }
}

const goneLine: EvidenceLine = ['counters', "its groups were already removed, as systemd does; from the kernel's log"]

/** The part of a container's state that names its groups. */
type Placed = Pick<OciState, 'id' | 'annotations' | 'groups'>

/** Returns the places of a container's groups. Directories outside the hierarchies are left out: another user may have written the state. */
function pathsOfContainer(host: Host, root: string, { id, annotations, groups }: Placed): GroupPaths {
  const mounts = hierarchies(host).map(([, { mount }]) => mount)
  const isSafe = (directory: string) =>
    mounts.some((mount) => isBelow(directory, mount)) && !directory.split('/').includes('..')
  const places = groups.filter(({ directory }) => isSafe(directory))
  const directories = Object.fromEntries(places.map(({ controller, directory }) => [controller, directory]))
  const first = directories.memory ?? directories[''] ?? places[0]?.directory
  return {
    path: first === undefined ? '/' : pathOfDirectory(host, first),
    directories,
    title: titleOf({ id, root, annotations }),
  }
}

/** Returns true if the kernel killed a process or refused a fork in a container. */
function isRefusing({ memory, memoryBelow, pids, pidsBelow }: Ancestors): boolean {
  return (
    [...memory.slice(0, 1), ...memoryBelow].some(({ kills = 0, ooms = 0 }) => kills > 0 || ooms > 0) ||
    [...pids.slice(0, 1), ...pidsBelow].some(({ denied = 0, deniedHere = 0 }) => denied > 0 || deniedHere > 0)
  )
}

function figureLines(memory: MemoryLevel | undefined, pids: PidsLevel | undefined): EvidenceLine[] {
  return [
    ...(memory ? [memoryLine(memory.max, { peak: memory.peak, hits: memory.hits })] : []),
    ...(pids ? [pidsLine(pids.max ?? 'no limit', { peak: pids.peak })] : []),
  ]
}

/** Signals whose default action does not end a process. */
const harmless = new Set(['SIGCHLD', 'SIGCONT', 'SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGURG', 'SIGWINCH'])

/** Returns the last signal of the caller that can end a process. SIGKILL ends it in any case. */
function lastEnding(signals: readonly SentSignal[]): string | undefined {
  const names = signals.map(({ signal }) => nameOfSignal(signal)).filter((name) => !harmless.has(name))
  return names.includes('SIGKILL') ? 'SIGKILL' : names.at(-1)
}

function nameOfSignal(signal: number): string {
  return signalName(signal) ?? `signal ${signal}`
}

/** Returns how the first process ended. Without its wait status, the caller's signals tell. */
function endOf({ waitStatus, signals }: Notes, status: ContainerStatus): JobEnd {
  if (waitStatus === undefined) {
    const signal = status === 'stopped' ? lastEnding(signals) : 'SIGKILL'
    return { status: null, signal: signal ?? null, ...(signal !== undefined && { from: 'caller' as const }) }
  }
  const number = waitStatus & 0x7f
  if (number === 0) return { status: (waitStatus >> 8) & 0xff, signal: null }
  const name = nameOfSignal(number)
  const isSent = signals.some(({ signal }) => signal === number)
  return { status: null, signal: name, from: isSent ? 'caller' : isOwnFault(name) ? 'inside' : 'unknown' }
}

/** Returns the cause for an end without a kill or refusal by the kernel. */
function endCause(title: string, end: JobEnd, notes: Notes, status: ContainerStatus): WhyCause {
  const isKnown = notes.waitStatus !== undefined
  const base = { end, confidence: 'certain' as const, evidence: [] }
  if (status === 'created' || status === 'creating')
    return { ...base, kind: 'aborted', cause: 'aborted', headline: `${title} was deleted before it was started` }
  if (status !== 'stopped')
    return {
      ...base,
      kind: 'aborted',
      cause: 'aborted',
      headline: `${title} was deleted by force while it was ${status}`,
    }
  if (end.signal !== null)
    return {
      ...base,
      confidence: isKnown ? 'certain' : 'likely',
      kind: 'signal',
      cause: end.from === 'inside' ? 'fault' : 'signal',
      headline: isKnown
        ? `${title} was ended by ${end.signal}${end.from === 'caller' ? ' from its caller' : ''}`
        : `${title} ended after its caller sent ${end.signal}`,
    }
  if (isKnown) return { ...base, kind: 'exited', cause: 'exit', headline: `${title} exited with status ${end.status}` }
  return {
    ...base,
    kind: 'not-kernel',
    cause: 'not-kernel',
    headline: `${title} ended, and no limit ended it: the kernel counted no kill and no refused fork`,
  }
}

/** Says how the first process ended, if it was not among the killed. */
function describeFirst({ status, signal, from }: JobEnd): string {
  if (status !== null) return `exited with status ${status}`
  if (signal === null) return 'how it ended is unknown here'
  return from === 'caller' ? `${signal} from the caller` : `ended by ${signal}`
}

function signalLines(signals: readonly SentSignal[]): EvidenceLine[] {
  return signals.map(({ signal, at }) => ['signal', `${formatTime(at)}  ${nameOfSignal(signal)} from the caller`])
}

/** Replaces the words for a group's own limit. */
function ofContainer(cause: WhyCause): WhyCause {
  const own = "the container's own (not that of a group above it, not the host's)"
  const evidence = cause.evidence.map((line): EvidenceLine => {
    return line[0] === 'whose limit' && cause.whose === 'own' ? ['whose limit', own] : line
  })
  return { ...cause, evidence }
}

/** Returns the caller's words for the limit of a cause, if the limit is the container's own. */
function limitWords({ limits }: Caller, { limit, whose }: WhyCause): string | undefined {
  return whose === 'own' ? limits[limit as keyof typeof limits] : undefined
}

/** Returns the remedy for a container that has ended, in the caller's words. */
function remedyIn(caller: Caller, cause: WhyCause, id: string): { remedy?: string } {
  const words = limitWords(caller, cause)
  const { kind, maximum, remedy, evidence } = cause
  if (words === undefined) return {}
  if (kind === 'fork-refused')
    return { remedy: `raise ${words}${maximum === undefined ? '' : `, now ${maximum}`}; processes and threads count` }
  if (evidence.some(([label]) => label === 'node heap') && remedy !== undefined)
    return { remedy: `${remedy}; the limit is ${words}` }
  if (maximum === undefined) return { remedy: `raise ${words}` }
  const enough = measuringLimit(maximum, spareMemory())
  if (enough === undefined)
    return {
      remedy: `this host has no memory above ${formatSize(maximum)}: check whether its memory grows without bound`,
    }
  return {
    remedy: `raise ${words}, now ${formatSize(maximum)}; to measure how much it needs, run it once with ${sizeText(enough)}: hutch why ${id} then shows the peak`,
  }
}

function complete(root: string, state: Placed, causes: WhyCause[], unknown: string[]): Explanation {
  const { path } = pathsOfContainer(readHost(), root, state)
  const found = { target: { kind: 'container' as const, name: state.id, there: true, path }, causes, unknown }
  return { ...found, cause: toCause(found) }
}
