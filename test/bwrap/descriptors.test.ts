// SPDX-License-Identifier: Apache-2.0
// Descriptors that others hold the far end of: namespaces that are entered, maps that somebody else writes, terminals; beside bubblewrap where it is there.
import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { hutchArgs, hutchCommand, hutchFile, hutchLine } from '../support/command.ts'
import { killsHutches } from '../support/leaks.ts'
import { requires } from '../support/requires.ts'
import { copyFor, removeCopy } from './side.ts'

killsHutches()

const real = process.env.HUTCH_TEST_BWRAP ?? '/usr/bin/bwrap'
const place = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
const sleepers: ChildProcess[] = []

afterAll(async () => {
  for (const one of sleepers) {
    one.kill('SIGKILL')
    if (one.exitCode === null && one.signalCode === null) await new Promise((resolve) => one.on('exit', resolve))
  }
  rmSync(place, { recursive: true })
  removeCopy()
})

/** A process in namespaces of its own, once it is in them. */
async function sleeper(before: string[], options: string): Promise<number> {
  const words = [...before, '/usr/bin/unshare', ...options.split(' '), 'sleep', '300']
  const child = spawn(words[0]!, words.slice(1), { stdio: 'ignore' })
  sleepers.push(child)
  for (;;) {
    await pause(20)
    if (readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n') return child.pid!
  }
}

const asUser = ['/usr/bin/setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups']
const inside =
  'id; cat /proc/self/uid_map; grep -E "^(Cap|NoNew)" /proc/self/status; readlink /proc/self/ns/user; [ $$ -lt 9 ] && echo $$ $PPID'

test.for([
  ['root', '-U --map-root-user', '--userns 3'],
  ['root', '-U --map-root-user', '--userns 3 --uid 0 --unshare-pid --proc /proc'],
  ['root', '-U --map-root-user', '--userns 3 --uid 7'],
  ['root', '-U --map-root-user', '--userns 3 --unshare-all'],
  ['root', '-U --map-root-user', '--userns 3 --unshare-user'],
  ['root', '-U --map-root-user', '--userns 3 --unshare-ipc --unshare-net --cap-add CAP_KILL'],
  ['user', '-U --map-root-user', '--userns 3'],
  ['user', '-U --map-root-user', '--userns 3 --dev /dev --unshare-pid --proc /proc'],
  ['user', '-U -c', '--userns 3'],
  ['user', '-U -c', '--userns 3 --disable-userns'],
  ['user', '-U -c', '--userns 3 --assert-userns-disabled'],
] as const)('as %s, with a namespace of unshare %s: %s', async ([who, options, line], context) => {
  requires(context, 'root', 'bubblewrap', 'setpriv(1)', 'unshare(1)')
  const before = who === 'user' ? asUser : []
  const outcomes = []
  for (const tool of [[real], [...copyFor(), 'bwrap']]) {
    const fd = openSync(`/proc/${await sleeper(before, options)}/ns/user`, 'r')
    const args = [...tool.slice(1), ...line.split(' '), '--dev-bind', '/', '/', 'sh', '-c', inside]
    const words = [...before, tool[0]!, ...args]
    const { status, stdout } = await collect(words[0]!, words.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe', fd, fd],
      cwd: '/usr',
    })
    outcomes.push({ status, stdout: stdout.replace(/user:\[\d+\]/, 'a namespace') })
    closeSync(fd)
  }
  expect(outcomes[1]).toEqual(outcomes[0])
})

test('a second user namespace is entered once all is set up', async (context) => {
  requires(context, 'root', 'setpriv(1)', 'unshare(1)')
  const outer = await sleeper(asUser, '-U -c')
  const enter = ['nsenter', '-t', String(outer), '-U', '--preserve-credentials', 'unshare', '-U', 'sleep', '300']
  const inner = spawn(asUser[0]!, [...asUser.slice(1), ...enter], { stdio: 'ignore' })
  sleepers.push(inner)
  while (readFileSync(`/proc/${inner.pid}/comm`, 'utf8') !== 'sleep\n') await pause(20)
  const fds = [outer, inner.pid].map((pid) => openSync(`/proc/${pid}/ns/user`, 'r'))
  const line = ['--userns', '3', '--userns2', '4', '--dev-bind', '/', '/', 'readlink', '/proc/self/ns/user']
  const words = [...asUser, ...copyFor(), 'bwrap', ...line]
  const { stdout, stderr } = await collect(words[0]!, words.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe', ...fds],
    cwd: '/',
  })
  expect([stdout.trim(), stderr]).toEqual([readlinkSync(`/proc/${inner.pid}/ns/user`), ''])
  for (const fd of fds) closeSync(fd)
})

test.for(['--pidns 3', '--pidns 3 --unshare-pid'])('%s enters the pid namespace', async (line, context) => {
  requires(context, 'root', 'bubblewrap', 'unshare(1)')
  const outcomes = []
  for (const tool of [[real], [...hutchCommand, 'bwrap']]) {
    const holder = spawn('/usr/bin/unshare', ['-pf', '--kill-child', 'sleep', '300'], { stdio: 'ignore' })
    sleepers.push(holder)
    let child = ''
    while (child === '') {
      await pause(20)
      child = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim()
    }
    const fd = openSync(`/proc/${child}/ns/pid`, 'r')
    const args = [...tool.slice(1), ...line.split(' '), '--dev-bind', '/', '/', '--proc', '/proc']
    // one after the other: what counts them would sometimes be one of them
    const script = 'echo $$ $PPID; all=$(ps -e); echo "$all" | wc -l'
    const { status, stdout, stderr } = await collect(tool[0]!, [...args, 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'pipe', fd],
    })
    closeSync(fd)
    outcomes.push({ status, stderr, seen: stdout.split('\n')[1], first: stdout.startsWith('2 1\n') })
  }
  expect(outcomes[1]).toEqual(outcomes[0])
})

test('somebody else maps the ids while bwrap waits', async (context) => {
  requires(context, 'root', 'setpriv(1)')
  const info = `${place}/info`
  const child = spawn(
    'sh',
    ['-c', 'exec "$@" 3<&0 4>"$0"', info, ...asUser, ...copyFor(), 'bwrap', '--unshare-all', '--unshare-user']
      .concat(['--userns-block-fd', '3', '--info-fd', '4', '--dev-bind', '/', '/', '--proc', '/proc'])
      .concat(['sh', '-c', 'id -u; id -g; cat /proc/self/uid_map; grep CapEff /proc/self/status']),
    { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' },
  )
  let text = ''
  child.stdout!.on('data', (data) => {
    text += data
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  let told: { 'child-pid'?: number } = {}
  while (told['child-pid'] === undefined) {
    await pause(20)
    if (existsSync(info) && readFileSync(info, 'utf8').endsWith('}\n')) told = JSON.parse(readFileSync(info, 'utf8'))
  }
  expect(Object.keys(told)).toEqual([
    'child-pid',
    'cgroup-namespace',
    'ipc-namespace',
    'mnt-namespace',
    'net-namespace',
    'pid-namespace',
    'uts-namespace',
  ])
  for (const file of ['uid_map', 'gid_map'])
    writeFileSync(`/proc/${told['child-pid']}/${file}`, '0 5000 1\n1000 1000 1\n')
  child.stdin!.end('x')
  expect([await ended, text.replaceAll(/ +/g, ' ')]).toEqual([
    0,
    '1000\n1000\n 0 5000 1\n 1000 1000 1\nCapEff:\t0000000000000000\n',
  ])
})

test('descriptors with the numbers that hutch uses itself', async (context) => {
  requires(context, 'root')
  const script = 'exec "$@" 40<"$0" 41</usr'
  writeFileSync(`${place}/data`, 'the data\n')
  const line = [...hutchCommand, 'bwrap', '--dev-bind', '/', '/', '--ro-bind-data', '40', '/etc/hostname']
  const { status, stdout, stderr } = await collect('bash', [
    ...['-c', script, `${place}/data`, ...line, '--bind-fd', '41', '/mnt'],
    ...['sh', '-c', 'cat /etc/hostname; ls -d /mnt/bin'],
  ])
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'the data\n/mnt/bin\n', stderr: '' })
})

test('the terminal is /dev/console', async (context) => {
  requires(context, 'root', 'script(1)', 'bubblewrap')
  const script = 'ls -l /dev/console | cut -c1-10; [ -t 1 ] && stat -c %t:%T /dev/console | sed s/:.*//'
  const outcomes = []
  for (const tool of [real, `${hutchLine} bwrap`]) {
    const line = `exec ${tool} --ro-bind / / --proc /proc --dev /dev sh -c '${script}'`
    outcomes.push((await collect('script', ['-qec', line, '/dev/null'])).stdout)
  }
  expect(outcomes[1]).toEqual(outcomes[0])
  expect(outcomes[1]).toContain('crw')
})

test('links in what a program may write lead nowhere outside', async (context) => {
  requires(context, 'root')
  for (const name of ['own', 'outside']) mkdirSync(`${place}/${name}`)
  symlinkSync(`${place}/outside`, `${place}/own/link`)
  symlinkSync(`../../../../../../../../..${place}/outside`, `${place}/own/up`)
  const bwrap = (...args: string[]) =>
    collect(hutchFile, [...hutchArgs, 'bwrap', '--ro-bind', '/usr', '/usr', '--bind', `${place}/own`, '/own', ...args])
  for (const [option, before] of [
    ['--dir', []],
    ['--tmpfs', []],
    ['--ro-bind', ['/etc']],
    ['--symlink', ['x']],
  ] as const)
    for (const path of ['/own/link/made', '/own/up/made']) {
      const { status, stderr } = await bwrap(option, ...before, path, '/usr/bin/true')
      // there is no such directory inside
      expect([option, status, stderr]).toEqual([option, 1, expect.stringContaining('ENOENT')])
    }
  expect(readdirSync(`${place}/outside`)).toEqual([])
})
