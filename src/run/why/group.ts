// SPDX-License-Identifier: Apache-2.0
// All that is known of a group, from its files, its processes and the kernel's log, as causes.
import { availableParallelism, totalmem } from 'node:os'
import { type Chain, readChain } from '../../cgroup/chain.ts'
import { readWords, walkGroups } from '../../cgroup/files.ts'
import { hierarchies, type Place } from '../../cgroup/place.ts'
import type { Host } from '../../host/host.ts'
import { quote } from '../../quote.ts'
import { type Line, memoryLine, pidsLine } from '../../verdict/limit-words.ts'
import { diskCauses, parseWritable, readFull } from './disk.ts'
import { sortCauses, type WhyCause } from './explanation.ts'
import { firstRefusal, killsIn, type LogFacts, lastRefusalBelow } from './log.ts'
import { formatTime, type MemoryFacts, memoryCauses } from './memory.ts'
import { adviseHeap, isNode, parseHeapFlag } from './node-heap.ts'
import { daemonCauses, readDaemonKills } from './oomd.ts'
import { pressureLines, slowedCauses } from './pressure.ts'
import { countTasks, findKillers, type ProcessFacts, readProcess, readTaskLimits } from './process.ts'
import { readFrozen, readWaiting, stuckCauses } from './stuck.ts'
import { type TaskFacts, taskCauses } from './tasks.ts'
import { throttleCauses } from './throttle.ts'

/** Of a group's processes, so many are looked at. */
const mostProcesses = 32

/** Causes in a group; `one` is the process that was asked for, else all in the group are looked at. */
export function groupCauses(host: Host, place: Place, log: LogFacts, one?: ProcessFacts): WhyCause[] {
  const chain = readChain(host, place)
  const pids = one ? [one.pid] : membersOf(host, place)
  const processes = one ? [one] : pids.slice(0, mostProcesses).flatMap((pid) => readProcess(pid) ?? [])
  const tasks = chain.pids[0]?.current || chain.pids[0]?.peak || pids.length
  const memory = memoryFacts(chain, place, log, one !== undefined)
  const whole = place.directories[''] === host.unified?.mount
  const causes = [
    ...memoryCauses(memory).map((cause) => (one ? withOne(cause, memory.name, one) : withHeap(cause, processes))),
    ...daemonCauses(readDaemonKills(host, place)),
    ...taskCauses(taskFacts(chain, place, log, processes)),
    ...seenFull(processes, one ? `process ${one.pid}` : quote(place.path)),
    ...throttleCauses(nameOf(chain.cpu, place), chain.cpu, availableParallelism(), tasks),
    ...slowedCauses(memory, chain.pressure.memory),
    ...stuckCauses(
      one ? `process ${one.pid} (${quote(one.name)})` : quote(place.path),
      readFrozen(host, place),
      processes,
      readWaiting(processes),
    ),
  ].map((cause) => withPressure(cause, chain, whole))
  if (causes.length > 0) {
    const sorted = sortCauses(causes)
    // others of its group died, maybe long ago: what holds it up now comes first
    const past = ({ cause }: WhyCause) => one !== undefined && !one.zombie && (cause === 'oom' || cause === 'oomd')
    return [...sorted.filter((cause) => !past(cause)), ...sorted.filter(past)]
  }
  return [nothingFound(chain, place, pids.length > 0, one, whole)]
}

/** The counts are of its group; of the process itself the log or its status would tell. */
function withOne(cause: WhyCause, name: string, one: ProcessFacts): WhyCause {
  const told: Line = ['who', `processes in ${name}, the group of process ${one.pid}; it was not killed itself`]
  return { ...withHeap(cause, [one]), evidence: one.zombie ? cause.evidence : [told, ...cause.evidence] }
}

/** A group of each hierarchy has its own path, which may differ between them. */
function nameOf(levels: readonly { path: string }[], place: Place): string {
  return quote(levels[0]?.path ?? place.path)
}

function isWhole(levels: readonly { path: string }[]): boolean {
  return levels[0]?.path === '/'
}

function memoryFacts(chain: Chain, place: Place, log: LogFacts, alone: boolean): MemoryFacts {
  const path = chain.memory[0]?.path ?? place.path
  // a process in the root group is not asked about for all groups
  const deep = !(alone && isWhole(chain.memory))
  return {
    name: quote(path),
    path,
    levels: deep ? chain.memory : [],
    below: deep ? chain.memoryBelow : [],
    // where memory is not counted, the log can only mean an earlier group of this path
    kills: chain.memory.length === 0 || !deep ? [] : killsIn(log, path, true),
  }
}

function taskFacts(chain: Chain, place: Place, log: LogFacts, processes: readonly ProcessFacts[]): TaskFacts {
  const first = firstRefusal(log, chain.pids[0]?.path ?? place.path)
  const below = lastRefusalBelow(log, chain.pids[0]?.path ?? place.path)
  const held = processes.find(({ nproc, zombie }) => nproc !== undefined && !zombie)
  const limits = readTaskLimits()
  return {
    name: nameOf(chain.pids, place),
    levels: chain.pids,
    below: isWhole(chain.pids) ? [] : chain.pidsBelow,
    ...(first !== undefined && !isWhole(chain.pids) && { firstRefused: first }),
    ...(below !== undefined && !isWhole(chain.pids) && { lastRefusedBelow: below }),
    ...(held && { user: { pid: held.pid, uid: held.uid, limit: held.nproc!, tasks: countTasks(held.uid) } }),
    ...(limits && { host: limits }),
  }
}

/** Processes in it and below it. The root of a hierarchy has those of the whole machine, which are not asked about. */
function membersOf(host: Host, place: Place): number[] {
  const mounts = new Set(hierarchies(host).map(([, { mount }]) => mount))
  const directories = [...new Set(Object.values(place.directories))].filter((directory) => !mounts.has(directory))
  const pids = directories.flatMap((directory) => walkGroups(directory)).flatMap((at) => readWords(at, 'cgroup.procs'))
  return [...new Set(pids)].map(Number).filter((pid) => pid > 0)
}

/** Processes that share a mount namespace see the same: each file system is told once. */
function seenFull(processes: readonly ProcessFacts[], name: string): WhyCause[] {
  const seen = new Set<string>()
  return processes.flatMap(({ pid, mountinfo, zombie }) => {
    if (zombie || seen.has(mountinfo)) return []
    seen.add(mountinfo)
    return diskCauses(name, pid, readFull(pid, parseWritable(mountinfo)))
  })
}

function withHeap(cause: WhyCause, processes: readonly ProcessFacts[]): WhyCause {
  const alive = processes.find(({ argv }) => isNode(argv))
  // newer Nodes name their first thread so
  const victim = cause.victims?.some(({ name }) => name === 'node' || name === 'MainThread')
  if (cause.maximum === undefined || (!alive && !victim)) return cause
  const flag = alive && parseHeapFlag(alive.argv, alive.nodeOptions)
  return addAdvice(cause, cause.maximum, flag, alive ? (alive.environment ? 'all' : 'argv') : 'nothing')
}

/** `seen`: whether its command line and its environment are known. */
export function addAdvice(
  cause: WhyCause,
  limit: number,
  flag: number | undefined,
  seen: 'all' | 'argv' | 'nothing',
): WhyCause {
  const { evidence, remedy } = adviseHeap(limit, flag, totalmem())
  const unseen: Line[] = [
    [
      'node heap',
      seen === 'argv'
        ? 'no --max-old-space-size on its command line; whether NODE_OPTIONS had one is not known'
        : 'with which flags Node was started is not known: it is gone',
    ],
  ]
  const told = seen === 'all' || (seen === 'argv' && flag !== undefined) ? evidence : unseen
  return { ...cause, evidence: [...cause.evidence, ...told], remedy }
}

function withPressure(cause: WhyCause, { pressure }: Chain, whole: boolean): WhyCause {
  const resource = { oom: 'memory', slowed: 'memory', throttled: 'cpu' }[cause.cause as string]
  const text = resource === undefined ? undefined : pressure[resource]
  if (text === undefined) return cause
  return { ...cause, evidence: [...cause.evidence, ...pressureLines({ [resource!]: text }, whole)] }
}

function nothingFound(
  chain: Chain,
  place: Place,
  populated: boolean,
  one: ProcessFacts | undefined,
  whole: boolean,
): WhyCause {
  const name = one ? `process ${one.pid} (${quote(one.name)})` : quote(place.path)
  const limits: Line[] = [
    ...chain.memory.filter(({ max }) => max !== undefined).map((level) => at(memoryLine(level.max, level), level.path)),
    ...chain.pids.filter(({ max }) => max !== undefined).map((level) => at(pidsLine(level.max!, level), level.path)),
  ]
  const evidence = [...limits, ...pressureLines(chain.pressure, whole)]
  const hit = describeHits(chain)
  if (populated && !one?.zombie)
    return {
      cause: 'none',
      headline:
        hit === noHit ? `nothing has stopped ${name}: ${noHit}` : `nothing is known to have stopped ${name}: ${hit}`,
      evidence,
    }
  return {
    cause: 'not-kernel',
    headline: `${name} is ${one ? 'over' : 'empty'}, and ${hit === noHit ? `it was not the kernel: ${noHit}` : `the kernel is not known to have ended it: ${hit}`}`,
    evidence: [...evidence, ...senderLines()],
    remedy: 'run it with hutch run --report FILE: then its status, its signal and its limits are told',
  }
}

const noHit = 'no limit in its chain was hit, and the kernel killed nothing in it'

/** Limits that were reached, without a kill or a refused fork that counts tell of; `noHit` only if all that could be hit was read. */
function describeHits({ memory, pids }: Chain): string {
  const reached = [
    ...memory
      .filter(({ full, hits = 0 }) => full === true || hits > 0)
      .map(({ path }) => `memory.max of ${quote(path)}`),
    ...pids
      .filter(({ max, peak, current }) => max !== undefined && Math.max(peak ?? 0, current ?? 0) >= Number(max))
      .map(({ path }) => `pids.max of ${quote(path)}`),
  ]
  if (reached.length > 0) return `${reached.join(' and ')} was reached, and no kill and no refused fork was counted`
  const unread = [memory.length === 0 && 'memory', pids.length === 0 && 'pids'].filter(Boolean)
  return unread.length > 0 ? `no controller counts ${unread.join(' and ')} here; no other limit was hit` : noHit
}

/** Who else kills; `since`: what was before, the log has not. */
export function senderLines(since?: number): Line[] {
  const killers = findKillers()
  return [
    [
      'who did',
      `${since === undefined ? '' : `if it was after ${formatTime(since)}, it `}ended by itself, or by a signal that a process sent: the kernel keeps no record of which`,
    ],
    ...killers.map(
      (name): Line => [
        'could be',
        `${name} runs here and kills for want of memory by SIGKILL: journalctl -u ${name} tells`,
      ],
    ),
  ]
}

function at([label, text]: Line, path: string): Line {
  return [label, `${text}   ${quote(path)}`]
}
