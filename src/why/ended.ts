// SPDX-License-Identifier: Apache-2.0
// Finds how a process ended: from its wait status while it is a zombie, or from the kernel's log. Called by why.ts.

import { readAncestors } from '../cgroup/ancestors.ts'
import { groupPathsOf, present } from '../cgroup/group-paths.ts'
import type { Host } from '../host/host.ts'
import type { KernelFault, KernelKill } from '../host/kernel-record.ts'
import { systemConstants } from '../system/constants.ts'
import { signalName } from '../system/signals.ts'
import { quote } from '../text/quote.ts'
import type { CauseKind } from '../verdict/cause.ts'
import { decide, endRows, noFacts, restRows } from '../verdict/decide.ts'
import type { EvidenceLine } from '../verdict/limit-words.ts'
import { isOwnFault } from '../verdict/make-cause.ts'
import type { WhyCause } from './explanation.ts'
import { senderLines } from './group.ts'
import type { LogFacts } from './kernel-log.ts'
import { formatTime, memoryCauses } from './memory.ts'
import type { ProcessFacts } from './process.ts'

/** What is known about the end of a process. */
interface KnownEnd {
  pid: number
  process?: ProcessFacts
  status: number
  /** Number of the signal that ended the process; 0 if unknown. */
  signal: number
  kill?: KernelKill
  fault?: KernelFault
}

/** Returns how a process ended. Returns undefined if it still runs, exited with status 0, or left no trace. */
export function endCauses(host: Host, pid: number, log: LogFacts, process: ProcessFacts | undefined): WhyCause[] {
  if (process && !process.zombie) return []
  const end = knownEnd(pid, log, process)
  if (!end) return []
  const { kind } = decide(endRows, {
    ...noFacts(),
    failed: Number(end.signal > 0 || end.status > 0),
    status: end.status,
    signal: end.signal,
    oomKills: Number(end.kill !== undefined),
  })
  return makers[kind]?.(end, host) ?? []
}

/**
 * Returns what is known about the end of a process. Ignores older events in the log than the process itself, because
 * process ids are reused.
 */
function knownEnd(pid: number, log: LogFacts, process: ProcessFacts | undefined): KnownEnd | undefined {
  const { since = 0, signal, status = 0 } = process ?? {}
  const newest = <Entry extends { pid: number; at: number }>(entries: readonly Entry[]) =>
    log.samePids ? entries.findLast((entry) => entry.pid === pid && entry.at >= since) : undefined
  const [kill, fault] = [newest(log.kills), newest(log.faults)]
  const ended = { pid, status, ...(process && { process }) }
  if (kill && (!fault || kill.at > fault.at)) return { ...ended, signal: systemConstants.signals.SIGKILL, kill }
  if (fault) return { ...ended, signal: signal || signalOf(fault), fault }
  return process && { ...ended, signal: signal ?? 0 }
}

/** Returns the signal that the kernel sends for a fault: arch/x86/kernel/traps.c. */
function signalOf({ what }: KernelFault): number {
  const { SIGFPE, SIGILL, SIGSEGV, SIGTRAP } = systemConstants.signals
  if (what.startsWith('trap invalid opcode')) return SIGILL
  if (what.startsWith('trap divide error')) return SIGFPE
  return what.startsWith('trap int3') ? SIGTRAP : SIGSEGV
}

const makers: { [K in CauseKind]?: (end: KnownEnd, host: Host) => WhyCause[] } = {
  oom: ({ pid, kill }, host) => {
    const path = kill!.group ?? ''
    const paths = path === '' || host.layout === 'none' ? undefined : present(groupPathsOf(host, path))
    // leave out the group's count of kills, which includes other processes
    const levels = paths ? readAncestors(host, paths).memory.map(({ kills: _, ...level }) => level) : []
    const name = `process ${pid} (${quote(kill!.name)})`
    const end = { status: null, signal: 'SIGKILL', from: 'kernel' } as const
    return memoryCauses({ name, path, levels, below: [], kills: [kill!] }).map((cause) => ({ ...cause, end }))
  },
  signal: (end) => [end.fault ? faultCause(end, end.fault) : signalCause(end)],
  exited: ({ status, process }) =>
    status === 0 || !process
      ? []
      : [
          {
            kind: 'exited',
            confidence: 'certain',
            end: { status, signal: null },
            cause: 'exit',
            headline: `${nameOf(process)} exited with status ${status}; its parent has not waited for it yet`,
            evidence: [waiting(process)],
          },
        ],
}

function faultCause({ pid, signal }: KnownEnd, { at, name, what, text }: KernelFault): WhyCause {
  return {
    kind: 'signal',
    confidence: 'certain',
    end: { status: null, signal: signalName(signal)!, from: 'inside' },
    cause: 'fault',
    count: 1,
    last: new Date(at).toISOString(),
    headline: `process ${pid} (${quote(name)}) crashed: ${what}`,
    evidence: [
      ['when', formatTime(at)],
      ['log', quote(text)],
    ],
    remedy: 'the program crashed: examine its core dump (ulimit -c unlimited before the start, or coredumpctl)',
  }
}

function signalCause({ process, signal: number }: KnownEnd): WhyCause {
  const signal = signalName(number) ?? `signal ${number}`
  const inside = isOwnFault(signal)
  return {
    kind: 'signal',
    ...(inside
      ? ({ confidence: 'certain' } as const)
      : { confidence: 'unknown', wouldTell: 'auditd can record who sends signals: auditctl -a always,exit -S kill' }),
    end: { status: null, signal, from: inside ? 'inside' : 'unknown' },
    cause: 'signal',
    headline: `${nameOf(process!)} was ended by ${signal}; its parent has not waited for it yet`,
    evidence: [['who sent it', 'the kernel keeps no record'], ...senderLines().slice(1), waiting(process!)],
    remedy: inside
      ? 'the program crashed or killed itself; see its own output'
      : 'the program itself or another process sent the signal; check supervisors, timeout(1), and systemd-oomd',
  }
}

function nameOf({ pid, name }: ProcessFacts): string {
  return `process ${pid} (${quote(name)})`
}

/** Explains a zombie. The kernel keeps the wait status of an ended process until its parent reads it. */
function waiting({ parent }: ProcessFacts): EvidenceLine {
  return ['parent', `process ${parent}: until the parent waits for it, or ends, the process id stays in use`]
}

/** Explains a process that does not exist, and that left no trace. */
export function goneProcess(pid: number, log: LogFacts): WhyCause {
  const readable = log.readable && log.samePids
  const { kind } = decide(restRows, { ...noFacts(), unread: Number(!readable) })
  const known = kind === 'not-kernel'
  const unsure: EvidenceLine[] = [
    ['who did', "an OOM kill, a fault, a signal, or a normal exit: the kernel's log would show the first two"],
  ]
  return {
    kind,
    // a kill by RLIMIT_CPU leaves no trace, and the kernel overwrites the oldest records of its log
    confidence: known ? 'likely' : 'unknown',
    ...(log.limits[0] !== undefined && { wouldTell: log.limits[0] }),
    cause: known ? 'not-kernel' : 'unknown',
    headline: known
      ? `process ${pid} no longer exists, and the kernel's log has no kill and no fault of it`
      : `process ${pid} no longer exists, and its end cannot be read from here`,
    evidence: known ? senderLines(log.since) : unsure,
    remedy: 'ask about its group, if it still exists; or run it with hutch run --report FILE',
  }
}
