// SPDX-License-Identifier: Apache-2.0
// Ends that no limit brought about: programs that exit, signals, filters, programs that cannot be started, and what nothing records.
import { type End, node, none, perl, python, rows, sh, tight } from './end.ts'

/** Removed by ends.test.ts, which also fills it. */
export const elsewhere = '/var/tmp/hutch-test-elsewhere'
const few = (pids: number): typeof none => ({ limits: { pids } })
const exits = rows(
  'exited',
  [0, 1, 2, 42, 77, 126, 255].map((status) => ({ command: sh(`exit ${status}`), options: none })),
).concat(
  rows('exited', [
    { command: python('import sys; sys.exit(3)'), options: none },
    { command: python('raise ValueError("x")'), options: none },
    { command: python('x = {}; x["a"]'), options: tight },
    { command: node('process.exit(4)'), options: none },
    { command: node('throw new Error("x")'), options: none },
    { command: perl('die "x"'), options: none },
    { command: ['false'], options: tight },
    { command: ['grep', 'x', '/dev/null'], options: tight },
    { command: sh('ls /nowhere'), options: few(20) },
    { command: sh('cat /etc/hostname > /nowhere/x'), options: none },
    // page cache up to the limit is no cause; in a VM files are in memory, so this one is of the root that it shares
    {
      command: sh(
        process.env.VM === undefined
          ? 'f=/var/tmp/hutch-test-cache-$$; head -c 60M /dev/zero > $f; cat $f > /dev/null; rm $f; exit 5'
          : `cat ${process.execPath} > /dev/null; exit 5`,
      ),
      options: { limits: { memory: '30M', swap: 0 } },
      // on a slow disk its tasks do wait for memory, which is no reason of this end
      or: ['exited', 'slowed'],
    },
  ]),
)

const signals = rows(
  'signal',
  ['SEGV', 'ABRT', 'BUS', 'FPE', 'ILL', 'TERM', 'KILL', 'TRAP', 'HUP'].map((name) => ({
    command: sh(`kill -${name} $$`),
    options: none,
  })),
).concat(
  rows('signal', [
    { command: python('import os; os.abort()'), options: none },
    { command: python('import ctypes; ctypes.string_at(0)'), options: tight },
    { command: node('process.abort()'), options: { limits: { memory: '300M' } } },
    { command: node('process.kill(process.pid, "SIGKILL"); setTimeout(() => {}, 9999)'), options: none },
    { command: perl('kill 9, $$'), options: tight },
    { command: sh('yes | exec sh -c "kill -PIPE \\$\\$"; kill -PIPE $$'), options: none },
  ]),
)

const waiting: readonly End['command'][] = [
  ['sleep', '60'],
  sh('echo; sleep 60; true'),
  python('import time; time.sleep(60)'),
  node('setTimeout(() => {}, 60000)'),
  perl('sleep 60'),
  ['cat', '/dev/zero'],
]
const stopped = rows(
  'aborted',
  waiting.map((command) => ({ command, options: none, act: 'stop' as const })),
)
const interrupted = rows(
  'interrupted',
  (['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGKILL'] as const).map((act, i) => ({
    command: waiting[i % 5]!,
    options: none,
    act,
  })),
)

const killing = (...calls: string[]) => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: calls, action: 'SCMP_ACT_KILL_PROCESS' }],
})
const filters = rows('filter', [
  {
    command: ['mkdir', '-p', `${elsewhere}/made`],
    options: { ...none, seccomp: killing('mkdir', 'mkdirat') as never },
    rounds: 1,
  },
  { command: ['cat', '/etc/hostname'], options: { ...none, seccomp: killing('fadvise64') as never }, rounds: 1 },
  { command: sh('cd /usr; pwd'), options: { ...none, seccomp: killing('chdir') as never }, rounds: 1 },
  {
    command: python('import os; os.getcwd(); os.chdir("/usr")'),
    options: { ...none, seccomp: killing('chdir') as never },
    rounds: 1,
  },
  { command: perl('socket(S, 2, 1, 0)'), options: { ...none, seccomp: killing('socket') as never }, rounds: 1 },
  { command: node('process.chdir("/usr")'), options: { ...none, seccomp: killing('chdir') as never }, rounds: 1 },
])

const failedExecs = rows('exec-failed', [
  { command: ['no-such-program-here'], options: none },
  { command: ['/nowhere/program'], options: none },
  { command: ['/etc/passwd'], options: none },
  { command: ['/tmp'], options: none },
  { command: ['/etc/passwd/x'], options: none },
  { command: ['no-such-program-here'], options: { sandbox: true } },
  { command: ['/proc/version'], options: none },
])

/** Programs that the host has, and a sandbox has not; ends.test.ts makes them. */
const notInside = rows(
  'not-inside',
  ['sh', 'python3', 'perl', 'tool'].map((name) => ({
    command: [`${elsewhere}/${name}`] as const,
    options: { sandbox: true },
    rounds: 1,
  })),
).concat(
  rows('not-inside', [
    { command: ['hutch-test-tool'], options: { sandbox: true, env: { PATH: `/usr/bin:${elsewhere}` } }, rounds: 1 },
    { command: [`${elsewhere}/bin/hutch-test-tool`, 'x'], options: { sandbox: true }, rounds: 1 },
  ]),
)

/** A neighbour killed it, and it is gone: nothing records the sender. Who may read the kernel's log knows at least that the kernel did not. */
const unrecorded = rows(
  'unknown',
  waiting.map((command) => ({
    command,
    options: none,
    act: 'SIGKILL' as const,
    why: 'nobody' as const,
    needs: 'root' as const,
  })),
).concat(
  rows(
    'not-kernel',
    waiting.map((command) => ({
      command,
      options: none,
      act: 'SIGKILL' as const,
      why: 'root' as const,
      needs: 'root' as const,
    })),
  ),
)

export const otherEnds: readonly End[] = [
  ...exits,
  ...signals,
  ...stopped,
  ...interrupted,
  ...filters,
  ...failedExecs,
  ...notInside,
  ...unrecorded,
]
