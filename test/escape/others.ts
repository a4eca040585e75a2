// SPDX-License-Identifier: Apache-2.0
// Attempts on other processes by further calls, on the caller's process group, session and user, and on IPC objects of the host.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import type { Attempt } from './attempt.ts'

const outside = 'outside'

/** Counts the SIGWINCH that reach this process, which stands for the caller: it has hutch in it. */
let signals = 0
const count = () => {
  signals++
}

/** Seen from the caller: whether it got a signal since the attempt began. */
const signalled = {
  before: () => {
    signals = 0
    process.on('SIGWINCH', count)
  },
  reached: async () => {
    // a signal is taken in one turn of the event loop and told in the next
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    process.off('SIGWINCH', count)
    return signals > 0
  },
}

/** Group 0 of a start without a guard is this process's: all of it gets back what it had. */
let niceness = 0
const reniced = {
  before: () => {
    niceness = getPriority(process.pid)
  },
  reached: async () => {
    const changed = getPriority(process.pid) !== niceness
    if (changed) execFileSync('renice', ['-n', String(niceness), '-g', ownGroup()], { stdio: 'ignore' })
    return changed
  },
}

const autogroup = '/proc/self/autogroup'
const weight = () => /nice (-?\d+)/.exec(readFileSync(autogroup, 'utf8'))?.[1] ?? '0'
let weightBefore = '0'
const regrouped = {
  before: () => {
    weightBefore = weight()
  },
  reached: async () => {
    const changed = weight() !== weightBefore
    if (changed) writeFileSync(autogroup, weightBefore)
    return changed
  },
}

/** The process group of this process. */
export const ownGroup = () => /^\d+ \(.*\) \S \d+ (\d+)/s.exec(readFileSync('/proc/self/stat', 'utf8'))![1]!

const byNumber: [call: string, words: string][] = [
  ['tkill', 'thread-signal'],
  ['rt_sigqueueinfo', 'queue-signal'],
  ['rt_tgsigqueueinfo', 'queue-thread-signal'],
  ['pidfd_send_signal', 'pidfd-signal'],
  ['sched_setaffinity', 'affinity'],
  ['sched_setscheduler', 'policy'],
  ['sched_setattr', 'scheduling-attributes'],
  ['ioprio_set', 'disk-priority'],
  ['getpgid', 'group-of'],
  ['getsid', 'session-of'],
  ['get_robust_list', 'robust-list'],
  ['perf_event_open', 'count-events'],
  ['its CPU clock', 'cpu-time'],
  ['F_SETOWN', 'owner'],
  ['a message in its name (SCM_CREDENTIALS)', 'forge-sender'],
]

const ipc: [object: string, words: string][] = [
  ['shared memory', 'shared-memory'],
  ['semaphores', 'semaphores'],
  ['a queue of System V', 'messages'],
  ['a queue of POSIX', 'message-queue'],
]

export const others: Attempt[] = [
  ...byNumber.map(
    ([call, words]): Attempt => ({
      what: `a process of the host, by number: ${call}`,
      words: `${words} $victim`,
      control: outside,
    }),
  ),
  ...ipc.map(
    ([object, words]): Attempt => ({
      what: `${object} of the host, by key or name`,
      words: `${words} $ipc`,
      control: outside,
    }),
  ),
  { what: 'a process group that has members outside', words: 'own-group-id', control: outside },
  { what: 'a session that has members outside', words: 'own-session-id', control: outside },
  { what: 'a child that its parent outside must wait for (CLONE_PARENT)', words: 'parent-of-parent', control: outside },
  {
    what: "a process group of the caller's session joined (setpgid)",
    words: 'join-group $groupByNumber',
    control: outside,
  },
  {
    what: "a process group of the caller's session as an owner (F_SETOWN_EX)",
    words: 'owner-group $groupByNumber',
    control: outside,
  },
  {
    what: 'a process group outside niced, by number',
    words: 'nice-group-by-number $otherGroup',
    control: outside,
  },
  { what: "the disk's queue for a process group outside", words: 'disk-group $otherGroup', control: outside },
  {
    what: "a signal to the caller's process group, by number",
    words: 'signal-group $group',
    control: outside,
    ...signalled,
  },
  { what: 'a signal to group 0', words: 'signal-own-group', control: outside, ...signalled },
  { what: "the caller's process group niced, as group 0", words: 'nice-group $niceness', control: outside, ...reniced },
  { what: 'the processes of a user outside niced (PRIO_USER)', words: 'nice-user $user', control: outside },
  {
    what: "the weight of the caller's session (autogroup)",
    words: 'autogroup',
    control: outside,
    // EINVAL: a session that the kernel itself began has none
    absent: 'ENOENT|EINVAL',
    ...regrouped,
  },
]
