// SPDX-License-Identifier: Apache-2.0
// Ends by limits other than memory: tasks, time, CPU time, output, space, descriptors, and those of a process.
import { statSync } from 'node:fs'
import type { RunOptions } from '../../src/index.ts'
import { node, none, perl, python, rows, sh } from './end.ts'

const few = (pids: number): RunOptions => ({ limits: { pids } })
const forks = rows('fork-refused', [
  { command: sh('for i in 1 2 3 4 5 6; do sleep 5 & done; wait'), options: few(4), rounds: 1 },
  {
    command: python('import os, time\nfor i in range(6):\n  if os.fork() == 0: time.sleep(2); os._exit(0)'),
    options: few(4),
    rounds: 1,
  },
  {
    command: python(
      'import threading, time\nt = [threading.Thread(target=time.sleep, args=(1,)) for i in range(8)]\n[x.start() for x in t]',
    ),
    options: few(4),
    rounds: 1,
  },
  {
    command: python('import subprocess\np = [subprocess.Popen(["sleep", "1"]) for i in range(6)]'),
    options: few(4),
    rounds: 1,
  },
  {
    command: perl('for (1..6) { my $p = fork; defined $p or exit 11; if (!$p) { sleep 2; exit } }'),
    options: few(4),
    rounds: 1,
  },
  {
    command: node(
      'const { spawn } = require("child_process"); for (let i = 0; i < 30; i++) spawn("sleep", ["1"]).on("error", () => process.exit(1))',
    ),
    options: few(16),
  },
  {
    command: sh("printf 'a b c d e f g h:\\n\\t@sleep 1\\nall: a b c d e f g h\\n' | make -j8 -f - all"),
    options: few(5),
    needs: '/usr/bin/make',
    rounds: 1,
  },
])

/** Programs that use 0.4 s of CPU time, and end. */
const busy: readonly (readonly [string, ...string[]])[] = [
  python('import time\nwhile time.process_time() < 0.4: pass'),
  perl('1 while (times)[0] + (times)[1] < 0.4'),
  node('while (process.cpuUsage().user < 4e5);'),
  ['bash', '-c', 'for ((i = 0; i < 300000; i++)); do :; done'],
  sh('exec python3 -c "import time\nwhile time.process_time() < 0.4: pass"'),
  sh('perl -e "1 while (times)[0] + (times)[1] < 0.2"; perl -e "1 while (times)[0] + (times)[1] < 0.2"'),
]
const throttled = rows(
  'timeout',
  busy.map((command) => ({
    command,
    options: { limits: { cpus: 0.1 }, timeout: 2500 },
    side: 'throttled' as const,
    rounds: 1,
  })),
)

/** The whole disk that this file is on, if it is on one. */
const disk = (path: string) => {
  const { dev } = statSync(path)
  return `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`
}
const program = process.execPath

/** Slowed by limits that stop nothing, until the time is over. */
const slowed = rows('timeout', [
  {
    command: ['dd', `if=${program}`, 'of=/dev/null', 'bs=256k', 'count=12', 'iflag=direct'],
    options: { limits: { ioMax: `${disk(program)}:rbps=1M` }, timeout: 1200 },
    side: 'slowed',
    needs: `/sys/dev/block/${disk(program)}/queue`,
    rounds: 1,
  },
  {
    command: sh('for i in 1 2 3 4 5 6; do while :; do :; done & done; wait'),
    options: { limits: { 'cpuset.cpus': '0' }, timeout: 1500 },
    side: 'slowed',
    needs: '/sys/devices/system/cpu/cpu1',
  },
])

/** Late, but not stopped: no more than a side event. */
const late = rows('exited', [
  { command: perl('1 while (times)[0] < 0.1'), options: { limits: { cpus: 0.1 } }, side: 'throttled' },
  { command: perl('1 while (times)[0] < 0.1; exit 3'), options: { limits: { cpus: 0.1 } }, side: 'throttled' },
])

const nofile: RunOptions = { ...none, ulimits: { nofile: 30 }, timeout: 700 }
/** 40 files are opened; who may not, waits. */
const withoutDescriptors = rows('timeout', [
  {
    command: python(
      'import time\nx = []\ntry:\n  for i in range(40): x.append(open("/dev/null"))\nexcept OSError: time.sleep(60)',
    ),
    options: nofile,
    side: 'descriptors',
    rounds: 1,
  },
  {
    command: perl('for (1..40) { open($x[$_], "<", "/dev/null") or sleep 60 }'),
    options: nofile,
    side: 'descriptors',
    rounds: 1,
  },
  {
    command: node(
      'try { for (let i = 0; i < 40; i++) require("fs").openSync("/dev/null"); process.exit(0) } catch { setTimeout(() => {}, 60000) }',
    ),
    options: { ...nofile, timeout: 1000 },
    side: 'descriptors',
    rounds: 1,
  },
  {
    command: [
      'bash',
      '-c',
      'for i in {1..40}; do { exec {x}</dev/null; } 2>/dev/null || while :; do :; done; done; exit 0',
    ],
    options: nofile,
    side: 'descriptors',
  },
  {
    command: python(
      'import socket, time\nx = []\ntry:\n  for i in range(40): x.append(socket.socket())\nexcept OSError: time.sleep(60)',
    ),
    options: nofile,
    side: 'descriptors',
    rounds: 1,
  },
  {
    command: perl('for (1..40) { opendir($x[$_], "/") or sleep 60 }'),
    options: nofile,
    side: 'descriptors',
    rounds: 1,
  },
])

const timeouts = rows('timeout', [
  { command: sh('sleep 0.7; exit 0'), options: { ...none, timeout: 200 }, rounds: 1 },
  { command: python('import time; time.sleep(1)'), options: { ...none, timeout: 400 }, rounds: 1 },
  { command: ['sleep', '60'], options: { ...none, timeout: 200 } },
  { command: sh('sleep 60'), options: { ...none, timeout: 200 } },
  { command: sh('kill -STOP $$; exit 0'), options: { ...none, timeout: 700 }, side: 'stopped' },
  { command: sh('sh -c "kill -STOP \\$\\$"; exit 0'), options: { isolate: 'all', timeout: 900 }, side: 'stopped' },
  { command: python('import os; os.kill(os.getpid(), 19)'), options: { ...few(9), timeout: 900 }, side: 'stopped' },
  { command: sh('trap "" TERM; while :; do sleep 0.05; done'), options: { ...none, timeout: 200, killAfter: 200 } },
  { command: python('import time; time.sleep(60)'), options: { ...none, timeout: 300 } },
  { command: python('while True: pass'), options: { ...none, timeout: 300 } },
  { command: node('setTimeout(() => {}, 60000)'), options: { ...none, timeout: 400 } },
  { command: perl('sleep 60'), options: { ...none, timeout: 200, killAfter: 0 } },
  { command: sh('while :; do :; done'), options: { limits: { cpus: 0.1 }, timeout: 1000 }, side: 'throttled' },
  { command: perl('1 while 1'), options: { limits: { cpus: 0.2 }, timeout: 1000 }, side: 'throttled' },
  {
    command: sh('for i in 1 2 3 4 5; do sleep 60 & done 2>/dev/null; wait; sleep 60'),
    options: { ...few(9), timeout: 300 },
  },
  {
    command: python('import os, time\ntry:\n  while os.fork(): pass\nexcept OSError: pass\ntime.sleep(60)'),
    options: { ...few(6), timeout: 700 },
    side: 'fork-refused',
  },
  {
    command: python(
      'import time\nx = []\ntry:\n  while True: x.append(open("/dev/null"))\nexcept OSError: time.sleep(60)',
    ),
    options: { ...none, ulimits: { nofile: 30 }, timeout: 700 },
    side: 'descriptors',
  },
])

const cpuTimes = rows('cpu-time', [
  ...busy.slice(0, 3).map((command) => ({ command, options: { ...none, cpuTime: 200 }, rounds: 1 })),
  { command: sh('while :; do :; done'), options: { ...none, cpuTime: 200 } },
  { command: python('while True: pass'), options: { ...none, cpuTime: 200 } },
  { command: node('for (;;) {}'), options: { ...none, cpuTime: 300 } },
  { command: perl('1 while 1'), options: { ...none, cpuTime: 200 } },
  { command: ['awk', 'BEGIN { while (1) i++ }'], options: { ...none, cpuTime: 200 } },
  { command: sh('yes >/dev/null'), options: { ...none, cpuTime: 200 } },
])

const outputs = rows('output', [
  { command: ['seq', '5000'], options: { ...none, maxOutput: '10K' }, rounds: 1 },
  { command: sh('seq 5000 >&2'), options: { ...none, maxOutput: '10K' }, rounds: 1 },
  { command: ['yes'], options: { ...none, maxOutput: '10K' } },
  { command: ['cat', '/dev/zero'], options: { ...none, maxOutput: '10K' } },
  { command: sh('yes >&2'), options: { ...none, maxOutput: '10K' } },
  { command: python('while True: print("x" * 99)'), options: { ...none, maxOutput: '10K' } },
  { command: node('for (;;) require("fs").writeSync(1, "x".repeat(99))'), options: { ...none, maxOutput: '10K' } },
  { command: perl('print "x" x 99 while 1'), options: { ...none, maxOutput: '10K' } },
])

const spaced = (size: string): RunOptions => ({ ...none, mounts: [{ tmpfs: `/mnt:size=${size}` }] })
const spaces = rows('space', [
  { command: sh('head -c 3M /dev/zero > /mnt/f'), options: spaced('1M'), rounds: 2 },
  { command: ['dd', 'if=/dev/zero', 'of=/mnt/f', 'bs=64K', 'count=60'], options: spaced('1M'), rounds: 2 },
  { command: python('open("/mnt/f", "wb").write(b"x" * 3000000)'), options: spaced('1M'), rounds: 2 },
  { command: node('require("fs").writeFileSync("/mnt/f", Buffer.alloc(3e6))'), options: spaced('1M'), rounds: 2 },
  { command: perl('open(F, ">", "/mnt/f"); print F "x" x 3e6; close F or die'), options: spaced('1M'), rounds: 2 },
  { command: ['cp', process.execPath, '/mnt/f'], options: spaced('1M') },
  {
    command: python(
      'import mmap, os\nf = os.open("/mnt/f", os.O_RDWR | os.O_CREAT)\nos.ftruncate(f, 3 << 20)\nm = mmap.mmap(f, 3 << 20)\nfor i in range(0, 3 << 20, 4096): m[i] = 1',
    ),
    options: spaced('1M'),
    rounds: 2,
  },
  {
    command: ['sqlite3', '/mnt/db', 'create table t(x); insert into t values (zeroblob(3000000))'],
    // no remedy is applied: at some sizes it takes back what it wrote, and the file system is not full in the end
    options: spaced('1M'),
    needs: '/usr/bin/sqlite3',
  },
  {
    command: perl(
      'open(F, "+>", "/mnt/f"); truncate(F, 3 << 20); use Fcntl; my $p = "x" x 65536; for (1..48) { syswrite(F, $p) or exit 7 }',
    ),
    options: spaced('1M'),
    rounds: 2,
  },
  {
    command: python(
      'from multiprocessing import shared_memory\ns = shared_memory.SharedMemory(create=True, size=3 << 20)\nfor i in range(0, 3 << 20, 4096): s.buf[i] = 1\ns.unlink()',
    ),
    options: { ...none, mounts: [{ tmpfs: '/dev/shm:size=1M' }] },
    rounds: 2,
  },
])

const ulimits = rows('ulimit', [
  {
    command: python('import time\nwhile time.process_time() < 1.3: pass'),
    options: { ...none, ulimits: { cpu: 1 } },
    rounds: 1,
  },
  {
    command: sh('exec head -c 100K /dev/zero > /tmp/f'),
    options: { ...none, mounts: [{ tmpfs: '/tmp' }], ulimits: { fsize: 65536 } },
    rounds: 1,
  },
  { command: sh('while :; do :; done'), options: { ...none, ulimits: { cpu: 1 } } },
  { command: python('while True: pass'), options: { ...none, ulimits: { cpu: 1 } } },
  { command: perl('1 while 1'), options: { ...none, ulimits: { cpu: 1 } } },
  {
    command: ['dd', 'if=/dev/zero', 'of=/tmp/hutch-test-fsize', 'bs=64K', 'count=40'],
    options: { ...spaced('1M'), mounts: [{ tmpfs: '/tmp' }], ulimits: { fsize: 65536 } },
  },
  {
    command: sh('exec head -c 3M /dev/zero > /tmp/f'),
    options: { ...none, mounts: [{ tmpfs: '/tmp' }], ulimits: { fsize: 65536 } },
  },
  {
    command: perl('$SIG{XFSZ} = "DEFAULT"; open(F, ">", "/tmp/f"); $| = 1; print F "x" x 3e6; close F'),
    options: { ...none, mounts: [{ tmpfs: '/tmp' }], ulimits: { fsize: 65536 } },
  },
  { command: node('for (;;) {}'), options: { ...none, ulimits: { cpu: 1 } } },
])

export const limitEnds = [
  ...forks,
  ...timeouts,
  ...slowed,
  ...late,
  ...throttled,
  ...withoutDescriptors,
  ...cpuTimes,
  ...outputs,
  ...spaces,
  ...ulimits,
]
