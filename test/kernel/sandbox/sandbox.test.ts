// SPDX-License-Identifier: Apache-2.0
// --sandbox on the real kernel: real programs run in it, and what it says is closed is closed, for root and for others.
// In a VM only in `npm run test:kernels`.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HutchError, type RunOptions, run } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { hutchCommand } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
  chmodSync(folder, 0o755)
  mkdirSync(`${folder}/open`)
  chmodSync(`${folder}/open`, 0o777)
  writeFileSync(`${folder}/open/given`, 'given\n')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Where all takes ten times as long, a sandbox's own minute is short. */
const slow: RunOptions = process.env.VM ? { timeout: '10m' } : {}

const inside = async (script: string, options: RunOptions = {}) => {
  const result = await run('/bin/sh', ['-c', script], { sandbox: true, ...slow, ...options })
  return { out: result.stdout, err: result.stderr, status: result.status, reason: result.reason }
}

const programs: [name: string, script: string, said: RegExp][] = [
  ['node', `node -e 'require("zlib").gzip("x", () => console.log(6 * 7))'`, /^42\n$/],
  [
    'python3',
    `python3 -c 'import subprocess, tempfile; print(6 * 7, subprocess.run(["true"]).returncode)'`,
    /^42 0\n$/,
  ],
  [
    'gcc, and what it made',
    `echo '#include <stdio.h>
int main(void) { puts("made"); return 0; }' > a.c && gcc -O2 -pipe -o a a.c && ./a`,
    /^made\n$/,
  ],
  [
    'git',
    'git init -q r && cd r && echo x > f && git add f && git -c user.name=n -c user.email=e@e commit -q -m first && git log --format=%s',
    /^first\n$/,
  ],
  ['busybox', 'busybox echo hello | busybox wc -c', /^6\n$/],
]

test.each(programs)('%s runs in it', async (_name, script, said) => {
  const { out, err, status } = await inside(script)
  expect({ out, err, status }).toEqual({ out: expect.stringMatching(said), err: expect.anything(), status: 0 })
})

test.each(programs)('%s runs in it for a user without rights', async (_name, script, said) => {
  const ended = await runAs(1000, ['--sandbox', '--limit', 'none', '--timeout', '10m', '--', '/bin/sh', '-c', script])
  expect(ended).toEqual({ stdout: expect.stringMatching(said), stderr: expect.anything(), status: 0 })
})

const look = `
for path in /root /home /run /var /boot /srv /mnt; do test -e $path && echo "there: $path"; done
for path in /x /usr/x /etc/x /proc/sys/kernel/x /sys/x; do touch $path 2> /dev/null && echo "written: $path"; done
cat /etc/shadow 2> /dev/null; ls /sys/class/net; hostname; pwd; echo $HOME; ls -A
grep -E '^(Cap|NoNewPrivs:|Seccomp:)' /proc/self/status | tr -d '\\t' | tr '\\n' ' '; echo
ls -d /proc/[0-9]* | wc -l; unshare -U true 2> /dev/null && echo unshared; kill -0 1 && echo signalled`
const none = '0000000000000000'
const seen = [
  'lo',
  'sandbox',
  '/tmp',
  '/tmp',
  `CapInh:${none} CapPrm:${none} CapEff:${none} CapBnd:BOUND CapAmb:${none} NoNewPrivs:1 Seccomp:2 `,
]

test('what it says is closed is closed', async () => {
  const { out } = await inside(look)
  expect(out!.split('\n').slice(0, 5)).toEqual(seen.map((line) => line.replace('BOUND', none)))
  expect(out).not.toMatch(/there:|written:|unshared/)
})

test('the same for a user without rights', async () => {
  const { stdout } = await runAs(1000, ['--sandbox', '--limit', 'none', '--', '/bin/sh', '-c', look])
  const lines = stdout.split('\n').slice(0, 5)
  expect(lines.map((line) => line.replace(/CapBnd:\w+/, `CapBnd:${none}`))).toEqual(
    seen.map((line) => line.replace('BOUND', none)),
  )
  expect(stdout).not.toMatch(/there:|written:|unshared/)
})

test("root is nobody outside, and reads no more than anybody; with idmap a volume's files are its own", async (context) => {
  requires(context, 'root')
  const volume = `${folder}/open:/data`
  const made = await inside('id -u; cat /data/given; cat /proc/self/uid_map; touch /data/new', {
    mounts: [{ volume }],
  })
  const [, outside] = /^0\ngiven\n\s+0\s+(\d+)\s+65536\n$/.exec(made.out!)!
  expect((await collect('stat', ['-c', '%u', `${folder}/open/new`])).stdout).toBe(`${outside}\n`)
  expect(Number(outside)).toBeGreaterThanOrEqual(524_288)
  writeFileSync(`${folder}/open/closed`, 'closed', { mode: 0o600 })
  expect((await inside('cat /data/closed', { mounts: [{ volume }] })).status).toBe(1)
  const own = await inside('cat /data/closed', { mounts: [{ volume: `${volume}:idmap` }] }).catch((error) => error)
  // a file system that cannot do it says so
  if (HutchError.is(own)) expect(own.code).toBe('MOUNT_REFUSED')
  else expect(own.out).toBe('closed')
})

test('of the environment it has what the preset names, and what is given', async () => {
  const words = ['run', '--sandbox', '--env', 'GIVEN=1', '--env', 'KEPT', '--', 'env']
  const { stdout } = await hutch(words, { env: { ...process.env, SECRET: 'x', KEPT: '2', LC_ALL: 'C' } })
  const names = stdout.split('\n').map((line) => line.split('=')[0])
  expect(names).toEqual(expect.arrayContaining(['GIVEN', 'KEPT', 'LC_ALL', 'PATH', 'HOME']))
  expect(names).not.toContain('SECRET')
})

test('bombs end, and the verdict names the limit', async () => {
  const memory = await inside('exec python3 -c "bytearray(1 << 30)"', { limits: { memory: '64M' } })
  expect(memory.reason).toBe('oom')
  const forks = await inside('while :; do sleep 30 & done', { limits: { pids: 20 }, timeout: '20s', killAfter: '1s' })
  expect(forks.err).toMatch(/fork/i)
  const time = await inside('sleep 60', { timeout: '300ms' })
  expect(time.reason).toBe('timeout')
  const disk = await inside('cat /dev/zero > /tmp/full', { mounts: [{ tmpfs: '/tmp:size=1M' }] })
  expect(disk.err).toMatch(/No space left/)
  const file = await inside('cat /dev/zero > /tmp/long', { ulimits: { fsize: 65536 } })
  expect(file.status).not.toBe(0)
})

test('without a group for its limits it does not start, and says how it would', async (context) => {
  requires(context, 'root')
  const refused = await runAs(1000, ['--sandbox', '--', 'true'])
  expect(refused.status).toBe(125)
  const said = existsSync('/run/systemd/system')
    ? /cannot get a group for --memory \(--sandbox\).*remedy: as root: loginctl enable-linger 1000/s
    : /cannot make a group for --memory \(--sandbox\).*or with --limit none: then/s
  expect(refused.stderr).toMatch(said)
  if (existsSync('/run/systemd/system')) return
  // a way that was taken already is no remedy
  const timed = await runAs(1000, ['--sandbox', '--limit', 'none', '--cpu-time', '1s', '--', 'true'])
  expect(timed.stderr).toMatch(/cannot make a group for --cpu-time.*Scope\(\) first; or without --cpu-time: then/s)
})

test('a caller with lower limits of its own keeps them, and one that is named is set or refused', async (context) => {
  const look = ['/bin/sh', '-c', "awk '/Max (open files|file size)/ { print $1, $2, $4, $5 }' /proc/self/limits"]
  const mine = ['prlimit', '--nofile=300:300', '--fsize=5000000:5000000', '--nproc=900:900']
  const start = ['run', '--sandbox', '--limit', 'none']
  const kept = await collect(mine[0]!, [...mine.slice(1), ...hutchCommand, ...start, '--', ...look])
  expect(kept).toEqual({ status: 0, stdout: 'Max file 5000000 5000000\nMax open 300 300\n', stderr: '' })
  const wide = await collect('prlimit', ['--nofile=5000:5000', ...hutchCommand, ...start, '--', ...look])
  expect(wide.stdout).toBe('Max file 1073741824 1073741824\nMax open 1024 4096\n')
  requires(context, 'root')
  const args = ['--sandbox', '--limit', 'none', '--ulimit', 'nofile=400', '--', 'true']
  expect((await runAs(1000, args, mine)).stderr).toMatch(/cannot limit nofile to 400: .*\(EPERM\)/)
})

test('--explain tells what is in force and what is not', async () => {
  const { stdout } = await hutch(['run', '--sandbox', '--network', 'host', '--explain', '--', 'true'])
  const [force, not] = stdout.split('sandbox: not active')
  expect(force).toContain('--seccomp strict')
  expect(force).not.toContain('--network none')
  expect(not).toContain('--network none')
})

test('a compiled file starts the same sandbox', async () => {
  const file = `${folder}/compiled`
  expect((await hutch(['compile', '--sandbox', '-o', file, '--', '/bin/sh', '-c', look])).stderr).toBe('')
  const { stdout } = await collect(file, [], { env: { SECRET: 'x' } })
  expect(stdout.split('\n').slice(0, 5)).toEqual(seen.map((line) => line.replace('BOUND', none)))
  expect(stdout).not.toMatch(/there:|written:|unshared/)
})

test('a compiled file has its filter of system calls also without a sandbox', async () => {
  const file = `${folder}/filtered`
  await hutch(['compile', '--seccomp', 'strict', '-o', file, '--', 'grep', 'Seccomp:', '/proc/self/status'])
  expect((await collect(file, [])).stdout).toBe('Seccomp:\t2\n')
})

test('an overlay can be written by root, who owns nothing outside', async (context) => {
  requires(context, 'root')
  const { stdout } = await hutch([
    ...['run', '--quiet', '--limit', 'none', '--sandbox', '--overlay', '/etc/apt:/data', '--'],
    ...['/bin/sh', '-c', 'touch /data/made && ls /data | grep made'],
  ])
  expect(stdout).toBe('made\n')
})
