// SPDX-License-Identifier: Apache-2.0
// Ends of known cause, as data: how each is made, and which cause is right. Called by ends.test.ts.
import type { RunOptions } from '../../src/index.ts'
import { buildDirectory } from '../../src/native.ts'
import type { CauseKind } from '../../src/verdict/cause.ts'

export interface End {
  /** How it is made: the program and its arguments. */
  command: readonly [file: string, ...args: string[]]
  options: RunOptions
  kind: CauseKind
  /** The kind of something that happened, but did not end the job, or that held it up. */
  side?: CauseKind
  /** What the host needs: a program's path, or a word of requires.ts. */
  needs?: string
  /** What is done to it once it has begun: a signal by its caller, or a stop. */
  act?: NodeJS.Signals | 'stop'
  /** The first remedy, applied as it is, makes it pass. */
  cured?: true
}

const sh = (script: string) => ['sh', '-c', script] as const
const python = (script: string) => ['/usr/bin/python3', '-c', script] as const
const node = (script: string) => [process.execPath, '-e', script] as const
const perl = (script: string) => ['perl', '-e', script] as const
const hog = `${buildDirectory}/bin/hutch hog`
const none: RunOptions = { limits: 'none' }
const tight: RunOptions = { limits: { memory: '40M', swap: 0 } }
const few = (pids: number): RunOptions => ({ limits: { pids } })
const rows = (kind: CauseKind, list: readonly Omit<End, 'kind'>[]): End[] => list.map((one) => ({ kind, ...one }))

/** Programs that ask for more than 40 MiB. */
const hogs: { [name: string]: Pick<End, 'command' | 'needs'> } = {
  tail: { command: ['tail', '/dev/zero'] },
  python: { command: python('x = bytearray(100 << 20)'), needs: '/usr/bin/python3' },
  'python, in pieces': {
    command: python('x = []\nfor i in range(900): x.append(b"x" * 100000)'),
    needs: '/usr/bin/python3',
  },
  node: { command: node('const x = []; for (let i = 0; i < 60; i++) x.push(Buffer.alloc(1 << 20, 1))') },
  perl: { command: perl('my $x = "x" x 100_000_000; print length $x') },
  dd: { command: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=100M', 'count=1'] },
  awk: { command: ['awk', 'BEGIN { for (i = 0; i < 3000000; i++) x[i] = "text " i }'] },
  sort: { command: sh('exec sort -S 200M --parallel=1 /dev/zero') },
  'the C compiler': {
    command: sh('{ echo "int x[] = {"; seq -s, 1 600000; echo "};"; } | gcc -x c - -c -o /dev/null'),
    needs: '/usr/bin/gcc',
  },
  java: {
    command: ['java', '-Xmx400m', '-Xms300m', '-XX:+AlwaysPreTouch', '-version'],
    needs: '/usr/bin/java',
  },
  sqlite: {
    command: ['sqlite3', ':memory:', 'select length(randomblob(60000000) || randomblob(60000000))'],
    needs: '/usr/bin/sqlite3',
  },
  'a file in memory': {
    command: python(
      'import os, mmap\nfd = os.memfd_create("x")\nos.ftruncate(fd, 90 << 20)\nm = mmap.mmap(fd, 90 << 20)\nfor i in range(0, 90 << 20, 4096): m[i] = 1',
    ),
    needs: '/usr/bin/python3',
  },
}

const killedThemselves = rows(
  'oom',
  Object.values(hogs).map((one) => ({ ...one, options: tight })),
)

/** Programs whose child is killed, and that end with a status that tells of it. */
const killedBelow = rows('oom', [
  { command: sh(`${hog} 100M`), options: tight },
  { command: ['bash', '-c', `${hog} 100M; exit $?`], options: tight },
  { command: sh(`echo x | xargs -I{} ${hog} 100M`), options: tight },
  { command: ['timeout', '60', ...hog.split(' '), '100M'], options: tight },
  { command: ['env', 'X=1', ...hog.split(' '), '100M'], options: tight },
  { command: python(`import subprocess; subprocess.run("${hog} 100M".split(), check=True)`), options: tight },
  { command: python(`import subprocess, sys; sys.exit(subprocess.call("${hog} 100M".split()))`), options: tight },
  {
    command: node(
      `const { status, signal } = require('child_process').spawnSync('tail', ['/dev/zero']); process.exit(signal ? 137 : status)`,
    ),
    options: { limits: { memory: '80M', swap: 0 } },
  },
  { command: sh(`printf 'all:\\n\\t@${hog} 100M\\n' | make -f -`), options: tight, needs: '/usr/bin/make' },
  {
    command: sh(`printf 'a b c d:\\n\\t@${hog} 100M\\nall: a b c d\\n' | make -j4 -f - all`),
    options: tight,
    needs: '/usr/bin/make',
  },
  { command: perl(`system("${hog} 100M") == 0 or exit 1`), options: tight },
  { command: ['tail', '/dev/zero'], options: { limits: { memory: '40M', swap: 0, oomGroup: true } } },
  { command: sh(`tail /dev/zero | cat`), options: { limits: { memory: '40M', swap: 0, oomGroup: true } } },
])

/** A child is killed, and the job ends in its own way. */
const tolerated: End[] = [
  { kind: 'exited', side: 'oom', command: sh(`${hog} 100M; true && exit $?`), options: tight },
  { kind: 'exited', side: 'oom', command: sh(`${hog} 100M; echo lint failed; exit 3`), options: tight },
  { kind: 'exited', side: 'oom', command: sh(`${hog} 100M | wc -c`), options: tight },
  { kind: 'exited', side: 'oom', command: sh(`${hog} 100M || true`), options: tight },
  { kind: 'exited', side: 'oom', command: sh(`${hog} 100M & wait; exit 0`), options: tight },
  { kind: 'signal', side: 'oom', command: sh(`${hog} 100M; kill -SEGV $$`), options: tight },
  { kind: 'signal', side: 'oom', command: sh(`${hog} 100M; kill -ABRT $$`), options: tight },
  {
    kind: 'exited',
    side: 'fork-refused',
    command: python('import os, time\ntry:\n  while os.fork(): pass\nexcept OSError: pass\nos._exit(0)'),
    options: few(6),
  },
]

const forks = rows('fork-refused', [
  { command: sh('for i in 1 2 3 4 5 6; do sleep 5 & done; wait'), options: few(4), cured: true },
  {
    command: python('import os, time\nfor i in range(6):\n  if os.fork() == 0: time.sleep(2); os._exit(0)'),
    options: few(4),
    cured: true,
  },
  {
    command: python(
      'import threading, time\nt = [threading.Thread(target=time.sleep, args=(1,)) for i in range(8)]\n[x.start() for x in t]',
    ),
    options: few(4),
    cured: true,
  },
  {
    command: python('import subprocess\np = [subprocess.Popen(["sleep", "1"]) for i in range(6)]'),
    options: few(4),
    cured: true,
  },
  {
    command: perl('for (1..6) { my $p = fork; defined $p or exit 11; if (!$p) { sleep 2; exit } }'),
    options: few(4),
    cured: true,
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
    cured: true,
  },
])

const timeouts = rows('timeout', [
  { command: ['sleep', '60'], options: { ...none, timeout: 200 } },
  { command: sh('sleep 60'), options: { ...none, timeout: 200 } },
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
  {
    command: ['tail', '/dev/zero'],
    options: { limits: { 'memory.high': '20M' }, timeout: 5000 },
    side: 'slowed',
    needs: 'v2',
  },
])

const cpuTimes = rows('cpu-time', [
  { command: sh('while :; do :; done'), options: { ...none, cpuTime: 200 } },
  { command: python('while True: pass'), options: { ...none, cpuTime: 200 } },
  { command: node('for (;;) {}'), options: { ...none, cpuTime: 300 } },
  { command: perl('1 while 1'), options: { ...none, cpuTime: 200 } },
  { command: ['awk', 'BEGIN { while (1) i++ }'], options: { ...none, cpuTime: 200 } },
  { command: sh('yes >/dev/null'), options: { ...none, cpuTime: 200 } },
])

const outputs = rows('output', [
  { command: ['yes'], options: { ...none, maxOutput: '10K' } },
  { command: ['cat', '/dev/zero'], options: { ...none, maxOutput: '10K' } },
  { command: sh('yes >&2'), options: { ...none, maxOutput: '10K' } },
  { command: python('while True: print("x" * 99)'), options: { ...none, maxOutput: '10K' } },
  { command: node('for (;;) require("fs").writeSync(1, "x".repeat(99))'), options: { ...none, maxOutput: '10K' } },
  { command: perl('print "x" x 99 while 1'), options: { ...none, maxOutput: '10K' } },
])

const spaced = (size: string): RunOptions => ({ ...none, mounts: [{ tmpfs: `/mnt:size=${size}` }] })
const spaces = rows('space', [
  { command: sh('head -c 3M /dev/zero > /mnt/f'), options: spaced('1M') },
  { command: ['dd', 'if=/dev/zero', 'of=/mnt/f', 'bs=64K', 'count=60'], options: spaced('1M') },
  { command: python('open("/mnt/f", "wb").write(b"x" * 3000000)'), options: spaced('1M') },
  { command: node('require("fs").writeFileSync("/mnt/f", Buffer.alloc(3e6))'), options: spaced('1M') },
  { command: perl('open(F, ">", "/mnt/f"); print F "x" x 3e6; close F or die'), options: spaced('1M') },
  { command: ['cp', process.execPath, '/mnt/f'], options: spaced('1M') },
  {
    command: python(
      'import mmap, os\nf = os.open("/mnt/f", os.O_RDWR | os.O_CREAT)\nos.ftruncate(f, 3 << 20)\nm = mmap.mmap(f, 3 << 20)\nfor i in range(0, 3 << 20, 4096): m[i] = 1',
    ),
    options: spaced('1M'),
  },
  {
    command: ['sqlite3', '/mnt/db', 'create table t(x); insert into t values (zeroblob(3000000))'],
    options: spaced('1M'),
    needs: '/usr/bin/sqlite3',
  },
])

const ulimits = rows('ulimit', [
  { command: sh('while :; do :; done'), options: { ...none, ulimits: { cpu: 1 } } },
  { command: python('while True: pass'), options: { ...none, ulimits: { cpu: 1 } } },
  { command: perl('1 while 1'), options: { ...none, ulimits: { cpu: 1 } } },
  {
    command: ['dd', 'if=/dev/zero', 'of=/tmp/hutch-test-fsize', 'bs=64K', 'count=40'],
    options: { ...spaced('1M'), mounts: [{ tmpfs: '/tmp' }], ulimits: { fsize: 65536 } },
    cured: undefined as never,
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
]).map(({ cured: _, ...one }) => one)

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
    // page cache up to the limit is no cause
    {
      command: sh(
        `head -c 60M /dev/zero > /var/tmp/hutch-test-cache-$$; cat /var/tmp/hutch-test-cache-$$ > /dev/null; rm /var/tmp/hutch-test-cache-$$; exit 5`,
      ),
      options: { limits: { memory: '30M', swap: 0 } },
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
  { command: ['mkdir', '/tmp/hutch-test-x'], options: { ...none, seccomp: killing('mkdir', 'mkdirat') as never } },
  { command: ['cat', '/etc/hostname'], options: { ...none, seccomp: killing('fadvise64') as never } },
  { command: sh('cd /usr; pwd'), options: { ...none, seccomp: killing('chdir') as never } },
  {
    command: python('import os; os.getcwd(); os.chdir("/usr")'),
    options: { ...none, seccomp: killing('chdir') as never },
  },
  { command: perl('socket(S, 2, 1, 0)'), options: { ...none, seccomp: killing('socket') as never } },
  { command: node('process.chdir("/usr")'), options: { ...none, seccomp: killing('chdir') as never } },
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

export const ends: readonly End[] = [
  ...killedThemselves,
  ...killedBelow,
  ...tolerated,
  ...forks,
  ...timeouts,
  ...cpuTimes,
  ...outputs,
  ...spaces,
  ...ulimits,
  ...exits,
  ...signals,
  ...stopped,
  ...interrupted,
  ...filters,
  ...failedExecs,
]
