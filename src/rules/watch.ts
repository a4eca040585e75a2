// SPDX-License-Identifier: Apache-2.0
// Watches the machine's processes. Applies the rules to each process that executes a program or changes its user or
// group. The kernel reports these events, so nothing is polled.
import { fail } from '../errors/errors.ts'
import { readIds } from '../host/passwd.ts'
import { changeKinds, native } from '../system/native.ts'
import { type MoveResult, placeProcess } from './move.ts'
import type { Rule } from './parse.ts'
import { readPids, readWatchedProcess, type WatchedProcess } from './process.ts'
import type { StickyRequest } from './sticky.ts'

/** A running watch. */
interface Watch {
  /** Replaces the rules, and applies the new ones to all processes. */
  reload(rules: readonly Rule[]): void
  /** Handles a request of `cgexec --sticky` that rules do not move a process. Returns false if the process does not exist. */
  stick(request: StickyRequest): boolean
  stop(): void
}

/** Maximum delay in microseconds between an event on a CPU and its arrival in this process. */
const slackUsec = 10_000_000

/** Applies the rules to these processes once. Leaves out this process and PID 1. */
export function moveAll(
  rules: readonly Rule[],
  pids: Iterable<number>,
  dry: boolean,
  report: (placed: MoveResult) => void,
): void {
  for (const pid of pids) moveOne(rules, readWatchedProcess(pid), dry, report)
}

function moveOne(
  rules: readonly Rule[],
  seen: WatchedProcess | undefined,
  dry: boolean,
  report: (placed: MoveResult) => void,
): void {
  // never move PID 1, which a rule for all users would also match
  if (!seen || seen.pid === process.pid || seen.pid === 1) return
  const placed = placeProcess(rules, seen, readIds(), dry)
  if (placed && placed.moved.length + placed.failed.length > 0) report(placed)
}

/**
 * Starts a watch of all processes. `onLost` is called if events were missed; afterwards all processes are checked
 * again.
 *
 * @throws RULES_UNAVAILABLE
 */
export function startWatch(
  initial: readonly Rule[],
  report: (placed: MoveResult) => void,
  onLost: () => void = () => {},
): Watch {
  let rules = initial
  /**
   * Processes that rules do not move. `children` tells whether their children also stay. Process ids are reused, so the
   * start time identifies the process.
   */
  const sticky = new Map<number, { children: boolean; startTime: string }>()
  /** When each process was last checked. A child that was forked before that time may still be in the old group. */
  const looked = new Map<number, number>()

  const check = (pid: number) => {
    if (!sticky.has(pid)) moveOne(rules, readWatchedProcess(pid), false, report)
    looked.delete(pid)
    looked.set(pid, Number(process.hrtime.bigint() / 1000n))
  }
  const lookAtAll = () => {
    for (const pid of readPids()) check(pid)
  }

  const onForked = (pid: number, parent: number, usec: number, due: Set<number>) => {
    sticky.delete(pid)
    const above = sticky.get(parent)
    if (above?.children) sticky.set(pid, { children: true, startTime: readWatchedProcess(pid)?.startTime ?? '' })
    else if (due.has(parent) || (looked.get(parent) ?? 0) > usec) due.add(pid)
  }

  const onChanges = (changes: Float64Array) => {
    const due = new Set<number>()
    let lost = false
    let latest = 0
    for (let at = 0; at < changes.length; at += 4) {
      const [kind, pid = 0, parent = 0, usec = 0] = changes.subarray(at, at + 4)
      latest = Math.max(latest, usec)
      if (kind === changeKinds.lost) lost = true
      else if (kind === changeKinds.forked) onForked(pid, parent, usec, due)
      else due.add(pid)
    }
    if (lost) {
      onLost()
      renewSticky(sticky)
      lookAtAll()
    } else for (const pid of due) check(pid)
    for (const [pid, usec] of looked) {
      if (usec > latest - slackUsec) break
      looked.delete(pid)
    }
  }

  const error = native().watchProcesses(onChanges)
  if (error !== 0) throw explainRefusal(error)
  lookAtAll()
  return {
    reload: (next) => {
      rules = next
      lookAtAll()
    },
    stick: ({ pid, flags }) => {
      const seen = readWatchedProcess(pid)
      if (!seen) return false
      if (flags === 2) sticky.delete(pid)
      else sticky.set(pid, { children: flags === 1, startTime: seen.startTime })
      return true
    },
    stop: () => native().stopProcesses(),
  }
}

/**
 * Updates the list of processes that rules do not move, after events were missed. Removes ended processes, and adds new
 * children.
 */
function renewSticky(sticky: Map<number, { children: boolean; startTime: string }>): void {
  for (const [pid, { startTime }] of sticky) if (readWatchedProcess(pid)?.startTime !== startTime) sticky.delete(pid)
  if (sticky.size === 0) return
  const all = readPids().flatMap((pid) => readWatchedProcess(pid) ?? [])
  for (let before = -1; before !== sticky.size; ) {
    before = sticky.size
    for (const { pid, parent, startTime } of all)
      if (!sticky.has(pid) && sticky.get(parent)?.children) sticky.set(pid, { children: true, startTime })
  }
}

function explainRefusal(error: number) {
  const inner = 'run it outside of containers: in the initial pid, user and network namespaces'
  const known: { [error: number]: [errno: string, evidence: string, remedy: string] } = {
    1: ['EPERM', 'the process connector needs CAP_NET_ADMIN', 'run as root'],
    13: ['EACCES', 'the process connector needs CAP_NET_ADMIN', 'run as root'],
    16: ['EBUSY', 'this process already watches them', 'stop the other watch first'],
    93: ['EPROTONOSUPPORT', 'this kernel has no connector', 'a kernel with CONFIG_PROC_EVENTS has it'],
    110: ['ETIMEDOUT', 'the kernel did not answer, as outside the initial pid and user namespace', inner],
    111: ['ECONNREFUSED', 'the process connector exists only in the initial network namespace', inner],
  }
  const [errno, evidence, remedy] = known[-error] ?? [`errno ${-error}`, 'of the process connector', inner]
  return fail('RULES_UNAVAILABLE', { errno, evidence: [evidence], remedy })
}
