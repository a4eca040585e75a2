// SPDX-License-Identifier: Apache-2.0
// Ends by want of memory: by the job's own limit, by memory.high, by the host, by systemd-oomd, and kills that a job lived through.
import { type End, hog, node, none, perl, python, rows, sh, tight, within } from './end.ts'

/** A program whose own files barely fit is read again and again after reclaim: its time may be over before memory is. */
const thrashing = ['timeout', 'slowed'] as const

/** Programs that ask for more than 40 MiB. */
const hogs: { [name: string]: Pick<End, 'command' | 'needs' | 'rounds' | 'or'> } = {
  tail: { command: ['tail', '/dev/zero'] },
  python: { command: python('x = bytearray(100 << 20)'), needs: '/usr/bin/python3', rounds: 2 },
  'python, in pieces': {
    command: python('x = []\nfor i in range(900): x.append(b"x" * 100000)'),
    needs: '/usr/bin/python3',
    rounds: 2,
  },
  node: { command: node('const x = []; for (let i = 0; i < 60; i++) x.push(Buffer.alloc(1 << 20, 1))'), rounds: 2 },
  perl: { command: perl('my $x = "x" x 100_000_000; print length $x'), rounds: 3 },
  dd: { command: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=100M', 'count=1'], rounds: 2 },
  awk: { command: ['awk', 'BEGIN { for (i = 0; i < 3000000; i++) x[i] = "text " i }'], rounds: 3 },
  sort: { command: sh('exec sort -S 200M --parallel=1 /dev/zero') },
  'the C compiler': {
    command: sh('{ echo "int x[] = {"; seq -s, 1 600000; echo "};"; } | gcc -x c - -c -o /dev/null'),
    needs: '/usr/bin/gcc',
    rounds: 3,
    or: thrashing,
  },
  java: {
    command: ['java', '-Xmx400m', '-Xms300m', '-XX:+AlwaysPreTouch', '-version'],
    needs: '/usr/bin/java',
  },
  sqlite: {
    command: ['sqlite3', ':memory:', 'select length(randomblob(60000000) || randomblob(60000000))'],
    needs: '/usr/bin/sqlite3',
    rounds: 3,
  },
  xz: { command: sh('head -c 30M /dev/zero | xz -9 -c >/dev/null'), needs: '/usr/bin/xz' },
  sed: { command: ['sed', '-n', '$p', '/dev/zero'] },
  'bash, a variable': { command: ['bash', '-c', 'x=$(head -c 60M /dev/zero | tr "\\0" x); echo ${#x}'] },
  chromium: {
    command: sh(
      'exec chromium --headless --no-sandbox --disable-gpu --user-data-dir=$(mktemp -d) --dump-dom data:text/html,hi',
    ),
    needs: ['/usr/bin/chromium', 'not a VM'],
    or: thrashing,
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
  Object.values(hogs).map((one) => ({ ...one, options: { ...tight, mounts: [{ tmpfs: '/tmp' }] } })),
)

const endless = ['tail', 'python', 'python, in pieces', 'perl', 'awk', 'sed', 'dd'] as const
const v2 = ['v2'] as const

/** The kernel may kill nothing. From Linux 6.12 on a read into new memory fails; before, as a fault, it is tried again without end. */
const unkillable = rows('oom', [
  {
    ...hogs.tail!,
    options: { ...tight, oomScoreAdj: -1000, timeout: 20_000, killAfter: 100 },
    needs: ['v2', 'a VM', 'root'],
    or: ['timeout', 'oom'],
  },
])

/** Nothing may be killed: a fault is tried again until the time is over. */
const unkillableFaults: End[] = [
  {
    kind: 'timeout',
    side: 'oom',
    command: perl('my $x = "x" x 100_000_000; print length $x'),
    options: { limits: { memory: '40M', swap: 0 }, oomScoreAdj: -1000, timeout: 3000, killAfter: 100 },
    needs: ['a VM', 'root'],
  },
  {
    kind: 'timeout',
    side: 'oom',
    command: perl('my $x = "x" x 100_000_000; print length $x'),
    options: { limits: { memory: '40M', 'memory.oom_control': 1 }, timeout: 2500, killAfter: 100 },
    needs: ['v1 controllers', 'root'],
  },
  {
    kind: 'exited',
    side: 'oom',
    command: sh('tail /dev/zero & sleep 2; kill -9 $!; exit 3'),
    options: { limits: { memory: '40M', 'memory.oom_control': 1 } },
    needs: ['v1 controllers', 'root'],
  },
]

/** memory.high holds them until their time is over; what asks for little at a time is hardly held. */
const slowed = rows(
  'timeout',
  endless
    .filter((name) => name !== 'python, in pieces')
    .map((name) => ({
      command: hogs[name]!.command,
      options: { limits: { 'memory.high': '20M' }, timeout: 5000 },
      side: 'slowed' as const,
      needs: v2,
    })),
)
slowed.push({
  kind: 'timeout',
  // 30 MiB, held; read again and again
  command: python('x = bytearray(30 << 20)\nfor k in range(3):\n  for i in range(0, 30 << 20, 4096): x[i] = k'),
  options: { limits: { 'memory.high': '20M' }, timeout: 8000 },
  side: 'slowed',
  needs: v2,
  rounds: 1,
})

slowed.push(
  {
    kind: 'timeout',
    // page cache that does not fit is read again and again
    command: python(
      'import mmap, os, random, tempfile\nf = tempfile.TemporaryFile(dir="/var/tmp")\nfor i in range(60): f.write(bytes(1 << 20))\nf.flush()\nos.fsync(f.fileno())\nm = mmap.mmap(f.fileno(), 60 << 20)\nx = 0\nwhile True: x += m[random.randrange(15360) * 4096]',
    ),
    options: { limits: { memory: '30M' }, timeout: 5000 },
    side: 'slowed',
    // there files are in memory
    needs: 'not a VM',
  },
  {
    kind: 'exited',
    // late, but not stopped
    command: python('x = bytearray(24 << 20)\nfor i in range(0, 24 << 20, 4096): x[i] = 1'),
    options: { limits: { 'memory.high': '20M' } },
    side: 'slowed',
    needs: v2,
  },
)

const waiting: readonly End['command'][] = [
  ['sleep', '600'],
  sh('echo; sleep 600; true'),
  python('import time; time.sleep(600)'),
  node('setTimeout(() => {}, 600000)'),
  perl('sleep 600'),
  ['tail', '-f', '/dev/null'],
]

/** The host's memory is out, or the kernel is told to choose as if it were; the job is what it chooses first. */
const ofHost = rows(
  'host-oom',
  waiting.map((command) => ({
    command,
    options: { ...none, oomScoreAdj: 1000 },
    needs: ['a VM', 'root'] as const,
    act: 'choose' as const,
  })),
).concat(
  rows('host-oom', [
    {
      command: python('x = []\nwhile True: x.append(bytearray(50 << 20))'),
      options: { ...none, oomScoreAdj: 1000 },
      needs: ['a VM', 'root'],
      long: true,
    },
  ]),
)

const byDaemon = rows(
  'oomd',
  waiting.map((command) => ({ command, options: {}, needs: ['v2', 'root'] as const, act: 'oomd' as const })),
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
  {
    command: within(
      'for i in 1 2 3 4; do { echo "int x$i[] = {"; seq -s, 1 300000; echo "};"; } > $i.c; done; echo "all: 1.o 2.o 3.o 4.o" > Makefile; make -j4',
    ),
    options: tight,
    needs: ['/usr/bin/make', '/usr/bin/gcc'],
    rounds: 4,
  },
  { command: sh('seq 1 4000000 | jq -s length'), options: tight, needs: '/usr/bin/jq' },
  { command: within('seq 1 3000000 > a; seq 2 2 6000001 > b; diff a b | wc -c; diff a b > c'), options: tight },
  {
    command: within('seq 1 2000000 > a; seq 2 2000001 > b; git diff --no-index a b > c'),
    options: tight,
    needs: '/usr/bin/git',
  },
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
    options: { limits: { pids: 6 } },
  },
]

export const memoryEnds: readonly End[] = [
  ...killedThemselves,
  ...killedBelow,
  ...unkillable,
  ...unkillableFaults,
  ...tolerated,
  ...slowed,
  ...ofHost,
  ...byDaemon,
]
