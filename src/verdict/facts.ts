// SPDX-License-Identifier: Apache-2.0
// Computes the figures that decide.ts tests, from a job's end. Called by make-cause.ts; pure.

import { daemonNote, parseMemory } from '../cgroup/memory.ts'
import { parseFlat, parseNumber } from '../cgroup/stats.ts'
import { systemConstants } from '../system/constants.ts'
import { type Ended, ownIsFull } from './collect-end.ts'
import { type Facts, noFacts } from './decide.ts'
import { heldFacts } from './held.ts'
import { figuresOf } from './usage.ts'

const { SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ } = systemConstants.signals

/** Longest time between a kill and the end that it caused. Milliseconds. */
const maxDelay = 5000

/** Computes the figures of a job's end. */
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
    // counts also if the job ended by itself before hutch could stop it
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

/** Returns how often systemd-oomd acted on the job's group. v2 only; the group is new, so its count starts at 0. */
function daemonKills({ plan, after }: Ended): number {
  return parseNumber(figuresOf(plan, 'memory', (path) => after.get(path))(daemonNote)) ?? 0
}

/** The kernel counts RLIMIT_CPU in ticks, which may include time that the process did not use. */
const tickShare = 0.8

/** Returns the resource limit, as hutch set it, whose signal ended the process. */
export function signalLimit({ plan, outcome, usage, signal }: Ended): { name: string; value: number } | undefined {
  const find = (name: string) => plan.spec.privileges.ulimits.find((limit) => limit.name === name)
  const [fsize, cpu] = [find('fsize'), find('cpu')]
  if (signal === SIGXFSZ && fsize && fsize.soft >= 0) return { name: 'fsize', value: fsize.soft }
  if (signal === SIGXCPU && cpu && cpu.soft >= 0) return { name: 'cpu', value: cpu.soft }
  // at the hard limit the kernel sends SIGKILL (setrlimit(2))
  const used = (usage.cpuUsec ?? 0) / 1e6
  const atHard = cpu !== undefined && cpu.hard >= 0 && used >= cpu.hard * tickShare
  if (signal === SIGKILL && atHard && !(usage.oomKills ?? 0) && !outcome.sent.has(SIGKILL) && !outcome.stopCause)
    return { name: 'cpu', value: cpu!.hard }
  return undefined
}

/** Returns true if a signal that this process sent or passed on ended the job, or if the exit status reports that signal. */
function isInterrupted({ outcome, signal, exitCode, failed }: Ended): boolean {
  const { sent } = outcome
  if (signal > 0) return sent.has(signal)
  if (!failed || exitCode === null) return false
  if (exitCode > 128 && sent.has(exitCode - 128)) return true
  return [SIGINT, SIGTERM, SIGQUIT].some((number) => outcome.forwarded.has(number))
}

/** Returns true if memory ran out at the job's own limit and the kernel killed no process. */
export function ranOut({ plan, after, usage }: Ended): boolean {
  const figures = figuresOf(plan, 'memory', (path) => after.get(path))
  const { ownOoms } = parseMemory(figures)
  if ((usage.oomKills ?? 0) > 0) return false
  if (ownOoms !== undefined) return ownOoms > 0
  // v1 does not count this: processes that may not be killed, in a group that is full
  const killsNothing = parseFlat(figures('memory.oom_control')).oom_kill_disable === 1
  return (killsNothing || plan.spec.privileges.oomScoreAdj === -1000) && ownIsFull(plan, after)
}

/** Returns the number of the job's own refused forks. An ancestor's count is evidence only together with the kernel's log. */
function forksRefused({ usage, refusedAbove, log }: Ended): number {
  const own = usage.pidsDenied ?? 0
  return own > 0 || !refusedAbove || !log?.refusedFork ? own : refusedAbove.count
}
