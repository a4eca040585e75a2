// SPDX-License-Identifier: Apache-2.0
// Finds processes that exist but do not run: frozen with their group, stopped by a signal or a debugger, or blocked in
// the kernel. Called for `hutch why`.

import { findLevels } from '../cgroup/ancestors.ts'
import { readMany } from '../cgroup/files.ts'
import type { GroupPaths } from '../cgroup/group-paths.ts'
import type { Host } from '../host/host.ts'
import { pauseSync } from '../system/clock.ts'
import { readFileSync } from '../system/files.ts'
import { quote, shellWord } from '../text/quote.ts'
import type { EvidenceLine } from '../verdict/limit-words.ts'
import type { WhyCause } from './explanation.ts'
import type { ProcessFacts } from './process.ts'

/** A frozen group. */
export interface Frozen {
  path: string
  whose: 'own' | 'ancestor'
}

/** Returns which of a group and its ancestors are frozen, nearest first. Each hierarchy with a freezer has a group of its own. */
export function readFrozen(host: Host, paths: GroupPaths): Frozen[] {
  const levels = ['', ...(host.v1.freezer ? ['freezer'] : [])].flatMap((controller) =>
    findLevels(host, paths, controller).map((level, i) => ({ ...level, whose: i === 0 ? 'own' : 'ancestor' }) as const),
  )
  const files = ['cgroup.freeze', 'freezer.self_freezing']
  const texts = readMany(
    levels.map(({ directory }) => directory),
    files,
  )
  return levels
    .filter((_, i) => files.some((file) => texts[i]!(file)?.trim() === '1'))
    .map(({ path, whose }) => ({ path, whose }))
}

/**
 * The kernel function in which tasks above memory.high wait. They are reported by the count of memory.high, and so are
 * not reported as blocked.
 */
const overHigh = 'mem_cgroup_handle_over_high'
/** Milliseconds between two reads of a process's state. A working disk answers within this time. */
const shortWait = 100

/** Returns the processes that are blocked in the kernel in two successive reads, and what they wait for. */
export function readWaiting(processes: readonly ProcessFacts[]): { process: ProcessFacts; where: string }[] {
  const readBlockedState = ({ pid }: ProcessFacts) => {
    const [state, where, used] = [read(pid, 'stat'), read(pid, 'wchan'), read(pid, 'schedstat')]
    return [/^.*\) (\S)/s.exec(state)?.[1], where, used].join(' ')
  }
  const first = processes
    .filter(({ state }) => state === 'D')
    .map((process) => ({ process, seen: readBlockedState(process) }))
  if (first.length === 0) return []
  pauseSync(shortWait)
  return first
    .filter(({ process, seen }) => seen.startsWith('D ') && readBlockedState(process) === seen)
    .map(({ process, seen }) => ({ process, where: seen.split(' ')[1] ?? '' }))
    .filter(({ where }) => where !== overHigh)
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').trim()
  } catch {
    return ''
  }
}

/**
 * Explains processes that do not run. `name` is the name of the group or process in messages. A frozen process looks
 * stopped, so in a frozen group no other cause is reported.
 */
export function blockedCauses(
  name: string,
  frozen: readonly Frozen[],
  processes: readonly ProcessFacts[],
  waiting: readonly { process: ProcessFacts; where: string }[],
): WhyCause[] {
  const [by] = frozen
  if (by !== undefined)
    return [
      {
        kind: 'frozen',
        confidence: 'certain',
        cause: 'stuck',
        limit: 'cgroup.freeze',
        whose: by.whose,
        group: by.path,
        headline: `${name} is frozen${by.whose === 'own' ? '' : ` by a group above, ${quote(by.path)}`}: its processes do not run`,
        evidence: [['frozen', `${quote(by.path)}: it was frozen by hand, by docker pause or by systemctl freeze`]],
        remedy: `thaw it: hutch cgroup thaw ${shellWord(by.path)}`,
      },
    ]
  const stopped = processes.filter(({ state }) => state === 'T')
  const traced = processes.filter(({ state }) => state === 't')
  return [
    ...several('stopped', stopped, 'stopped by a signal', (one) => `process ${one.pid} (${quote(one.name)})`, {
      remedy: `continue it: kill -CONT ${stopped.map(({ pid }) => pid).join(' ')}`,
      why: 'SIGSTOP, or from a terminal: ^Z, or a read or write in the background',
    }),
    ...several(
      'stopped',
      traced,
      'held by a debugger',
      (one) => `process ${one.pid} (${quote(one.name)}) by process ${one.tracer}`,
      { remedy: 'continue or end the debugger', why: 'ptrace(2), for example by gdb or strace' },
    ),
    ...several(
      'blocked',
      waiting.map(({ process }) => process),
      'in an uninterruptible wait in the kernel',
      (one) => {
        const { where } = waiting.find(({ process }) => process === one)!
        return `process ${one.pid} (${quote(one.name)})${/^\w{2,}/.test(where) ? ` in ${quote(where)}` : ''}`
      },
      {
        remedy:
          'check what the process waits for, usually a disk, a network file system, or a device (dmesg, cat /proc/PID/stack)',
        why: 'state D in two samples 100 ms apart, without CPU time between them',
      },
    ),
  ]
}

const maxShown = 5

function several(
  kind: 'stopped' | 'blocked',
  processes: readonly ProcessFacts[],
  what: string,
  describe: (process: ProcessFacts) => string,
  { remedy, why }: { remedy: string; why: string },
): WhyCause[] {
  const [first] = processes
  if (!first) return []
  const rest = processes.length - 1
  const also = rest === 0 ? '' : `, and ${rest} more here`
  return [
    {
      kind,
      confidence: 'certain',
      cause: 'stuck',
      count: processes.length,
      headline: `process ${first.pid} (${quote(first.name)}) is ${what}${also}`,
      evidence: [...processes.slice(0, maxShown).map((one): EvidenceLine => ['stuck', describe(one)]), ['how', why]],
      remedy,
    },
  ]
}
