// SPDX-License-Identifier: Apache-2.0
// Computes, from a job's end, the figures that the rows in decide.ts test. Called by make-cause.ts; pure.

import { daemonNote, parseOwnOoms } from '../cgroup/memory.ts'
import { findFlat, parseNumber } from '../cgroup/stats.ts'
import { systemConstants } from '../system/constants.ts'
import { type Ended, ownIsFull } from './collect-end.ts'
import { type Facts, noFacts } from './decide.ts'
import { heldFacts } from './held.ts'
import { figuresOf } from './usage.ts'

const { SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ } = systemConstants.signals

/** Maximum milliseconds between a kill and a job's end that the kill can have caused. */
const maxDelay = 5000

/** Computes the figures of a job's end for decide.ts. */
export function computeFacts(ended: Ended): Facts {
  const { plan, outcome, usage, exitCode, signal, failed, full, log } = ended
  const { stopCause } = outcome
  const oomKills = usage.oomKills ?? 0
  const lastKill = log?.kills.at(-1)
  const facts: Facts = {
    ...noFacts(),
    execFailed: Number(outcome.execError !== undefined),
    notInside: Number(outcome.execFailure?.notInside === true),
    aborted: Number(stopCause === 'aborted'),
    outputOver: Number(stopCause === 'output'),
    timedOut: Number(stopCause === 'timeout'),
    // also true if the job ended before hutch could stop it
    cpuTimeOver: Number(
      stopCause === 'cpu-time' ||
        (plan.spec.cpuTimeMs !== undefined && (usage.cpuUsec ?? 0) > plan.spec.cpuTimeMs * 1000),
    ),
    failed: Number(failed),
    status: exitCode ?? 0,
    signal,
    oomKills,
    lastKillEarlier: Number(lastKill !== undefined && Date.now() - lastKill.at > maxDelay && log!.complete),
    groupKilled: Number(ended.groupKilled),
    oomWithoutKill: Number(ranOut(ended)),
    forksRefused: forksRefused(ended),
    fullSpaces: full.length,
    fullTables: outcome.used.fullTables,
    stopped: outcome.used.stoppedProcesses ?? 0,
    frozen: Number(outcome.used.frozen === true),
    oomdKills: daemonKills(ended),
    interrupted: Number(isInterrupted(ended)),
    filterKilled: Number(
      plan.filter !== undefined &&
        (signal === systemConstants.signals.SIGSYS || (outcome.filterKilled === true && signal === SIGKILL)),
    ),
    ulimitSignal: Number(signalLimit(ended) !== undefined),
    ...heldFacts(ended),
  }
  return facts
}

/** Returns how often systemd-oomd acted on the job's group. Only v2 has this count; it starts at 0, because the group is new. */
function daemonKills({ plan, after }: Ended): number {
  return parseNumber(figuresOf(plan, 'memory', after)(daemonNote)) ?? 0
}

/**
 * A CPU time of at least this share of RLIMIT_CPU counts as reached. The kernel counts in ticks, which can include time
 * that the process did not use.
 */
const tickShare = 0.8

/** Returns the resource limit whose signal ended the process, with the value that hutch set. */
export function signalLimit({ plan, outcome, usage, signal }: Ended): { name: string; value: number } | undefined {
  const find = (name: string) => plan.spec.privileges.ulimits.find((limit) => limit.name === name)
  const [fsize, cpu] = [find('fsize'), find('cpu')]
  if (signal === SIGXFSZ && fsize && fsize.soft >= 0) return { name: 'fsize', value: fsize.soft }
  if (signal === SIGXCPU && cpu && cpu.soft >= 0) return { name: 'cpu', value: cpu.soft }
  // at the hard limit of CPU time, the kernel sends SIGKILL (setrlimit(2))
  const used = (usage.cpuUsec ?? 0) / 1e6
  const atHard = cpu !== undefined && cpu.hard >= 0 && used >= cpu.hard * tickShare
  if (signal === SIGKILL && atHard && !(usage.oomKills ?? 0) && !outcome.sent.has(SIGKILL) && !outcome.stopCause)
    return { name: 'cpu', value: cpu!.hard }
  return undefined
}

/**
 * Returns true if the job was ended by a signal that this process sent or passed on. The exit status can also report
 * that signal.
 */
function isInterrupted({ outcome, signal, exitCode, failed }: Ended): boolean {
  const { sent } = outcome
  if (signal > 0) return sent.has(signal)
  if (!failed || exitCode === null) return false
  if (exitCode > 128 && sent.has(exitCode - 128)) return true
  return [SIGINT, SIGTERM, SIGQUIT].some((number) => outcome.forwarded.has(number))
}

/** Returns true if memory ran out at the job's own limit, but the kernel found no process that it could kill. */
export function ranOut({ plan, after, usage }: Ended): boolean {
  const figures = figuresOf(plan, 'memory', after)
  const ownOoms = parseOwnOoms(figures)
  if ((usage.oomKills ?? 0) > 0) return false
  if (ownOoms !== undefined) return ownOoms > 0
  // v1 has no count for this; it happens if the group is full and its processes may not be killed
  const killsNothing = findFlat(figures('memory.oom_control'), 'oom_kill_disable') === 1
  return (killsNothing || plan.spec.privileges.oomScoreAdj === -1000) && ownIsFull(plan, after)
}

/** Returns how many forks of the job were refused. The count of an ancestor is used only if the kernel's log confirms it. */
function forksRefused({ usage, refusedAbove, log }: Ended): number {
  const own = usage.pidsDenied ?? 0
  return own > 0 || !refusedAbove || !log?.refusedFork ? own : refusedAbove.count
}
