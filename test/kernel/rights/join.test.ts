// SPDX-License-Identifier: Apache-2.0
// Joining the namespaces of another process.
// In a VM only in `npm run test:kernels`.
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, expect, test } from 'vitest'
import { type NamespaceKind, type RunOptions, run, start } from '../../../src/index.ts'
import { namespaces } from '../../../src/namespaces/namespace.ts'
import { collect } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { requires } from '../../support/requires.ts'
import { endSleepers, startQuiet } from '../../support/sleeper.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-join-`)
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(endSleepers)

const file = (kind: NamespaceKind) => namespaces[kind].file
const inode = (kind: NamespaceKind, pid: number | string = 'self') => readlinkSync(`/proc/${pid}/ns/${file(kind)}`)

/** A process in namespaces of its own, made without hutch: its id. The first of a pid namespace is unshare's child. */
async function target(flags: string[], before: string[] = []): Promise<number> {
  const words = [...before, 'unshare', ...flags, '--kill-child', '--fork', 'sleep', '1000']
  const { pid } = startQuiet(words[0]!, words.slice(1))
  for (;;) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    if (children && readFileSync(`/proc/${children}/comm`, 'utf8') === 'sleep\n') return Number(children)
    await pause(10)
  }
}

/** The inodes that a program inside sees. */
async function inside(kinds: readonly NamespaceKind[], options: RunOptions): Promise<{ [kind: string]: string }> {
  const { stdout } = await run(
    'sh',
    ['-c', kinds.map((kind) => `readlink /proc/self/ns/${file(kind)}`).join(';')],
    options,
  )
  const lines = stdout!.trim().split('\n')
  return Object.fromEntries(kinds.map((kind, i) => [kind, lines[i]!]))
}

const kinds = ['net', 'uts', 'ipc', 'mount', 'cgroup', 'pid'] as const

test.each([
  [['net']],
  [['uts', 'ipc']],
  [['pid']],
  [['mount']],
  [['net', 'uts', 'ipc', 'mount', 'cgroup', 'pid']],
] as const)('joins %j of a process, and makes the others as usual', async (joined) => {
  const pid = await target(['--net', '--uts', '--ipc', '--mount', '--cgroup', '--pid'])
  const join = Object.fromEntries(joined.map((kind) => [kind, pid]))
  const seen = await inside(kinds, {
    join,
    isolate: ['uts', 'ipc'].filter((kind) => !(kind in join)) as NamespaceKind[],
  })
  for (const kind of kinds) {
    const [theirs, ours] = [inode(kind, pid), inode(kind)]
    if (kind in join) expect([kind, seen[kind]]).toEqual([kind, theirs])
    else if (kind === 'uts' || kind === 'ipc') expect([theirs, ours]).not.toContain(seen[kind])
    else expect([kind, seen[kind]]).toEqual([kind, ours])
  }
})

test('in a joined pid namespace the command is one of its processes, with a status of its own', async () => {
  const pid = await target(['--pid'])
  const { stdout, exitCode } = await run('sh', ['-c', 'ps -e -o pid=,comm= | head -1; exit 7'], { join: { pid } })
  expect({ stdout: stdout!.trim(), exitCode }).toEqual({ stdout: '1 sleep', exitCode: 7 })
  expect(await run('sh', ['-c', 'kill -TERM $$'], { join: { pid } })).toMatchObject({
    signal: 'SIGTERM',
    exitCode: null,
  })
  expect(await run('no-such-command', [], { join: { pid } })).toMatchObject({ exitCode: 127 })
})

test('signals and timeouts reach it there', async () => {
  const pid = await target(['--pid'])
  const job = await start('sh', ['-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'], {
    join: { pid },
  })
  await new Promise((resolve) => job.stdout!.once('data', resolve))
  job.kill('SIGTERM')
  expect(await job.result).toMatchObject({ exitCode: 9 })
  expect(await run('sleep', ['100'], { join: { pid }, timeout: 200 })).toMatchObject({ reason: 'timeout' })
  // control: nothing of it is left in the namespace, whose first process lives
  const { stdout } = await run('ps', ['-e', '-o', 'comm='], { join: { pid }, lines: true })
  expect(stdout.toSorted()).toEqual(['ps', 'sleep'])
})

test('joins a bind-mounted file, and a name that ip-netns knows', async (context) => {
  requires(context, 'root')
  const pid = await target(['--net'])
  // as ip-netns(8) makes them
  const name = `hutch-test-${process.pid}`
  mkdirSync('/run/netns', { recursive: true })
  writeFileSync(`/run/netns/${name}`, '')
  try {
    await collect('mount', ['--bind', `/proc/${pid}/ns/net`, `/run/netns/${name}`])
    expect(await inside(['net'], { join: { net: name } })).toEqual({ net: inode('net', pid) })
    expect(await inside(['net'], { join: { net: `/run/netns/${name}` } })).toEqual({ net: inode('net', pid) })
  } finally {
    await collect('umount', [`/run/netns/${name}`])
    rmSync(`/run/netns/${name}`)
  }
})

test('root joins a user namespace as its root, and what it makes there belongs to that', async (context) => {
  requires(context, 'root')
  const pid = await target(
    ['--user', '--map-root-user', '--net'],
    ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups'],
  )
  const { stdout } = await run(
    'sh',
    [
      '-c',
      'readlink /proc/self/ns/user /proc/self/ns/net; id -u; hostname burrow && hostname; mount -t tmpfs x /mnt && echo $$',
    ],
    { join: { user: pid, net: pid } },
  )
  expect(stdout!.split('\n')).toEqual([inode('user', pid), inode('net', pid), '0', 'burrow', '2', ''])
})

test('a user without rights joins what its user namespace owns, and nothing else', async (context) => {
  requires(context, 'root')
  const drop = ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups']
  const own = await target(['--user', '--map-root-user', '--net', '--pid', '--mount-proc'], drop)
  const roots = await target(['--net'])
  const look = ['--', 'sh', '-c', 'readlink /proc/self/ns/net /proc/self/ns/pid; id -u']
  expect(await runAs(1000, ['--join', `user=${own}`, '--join', `net=${own}`, '--join', `pid=${own}`, ...look])).toEqual(
    {
      status: 0,
      stdout: `${inode('net', own)}\n${inode('pid', own)}\n0\n`,
      stderr: '',
    },
  )
  const alone = await runAs(1000, ['--join', `net=${own}`, ...look])
  expect(alone).toMatchObject({ status: 125, stdout: '' })
  expect(alone.stderr).toContain('remedy: run as root, or also join its user namespace: user=…')
  const foreign = await runAs(1000, ['--join', `user=${own}`, '--join', `net=${roots}`, ...look])
  expect(foreign).toMatchObject({ status: 125, stdout: '' })
  expect(foreign.stderr).toMatch(
    /^hutch: cannot enter a namespace: the kernel refused \(EACCES\)\n {2}requested by --join\n/,
  )
})

test.each([
  ['a process that is gone', { net: 999_999_999 }, 'ENOENT'],
  ['a file that is no namespace', { net: '/etc/passwd' }, 'EINVAL'],
  ['a namespace of another kind', { net: '/proc/self/ns/uts' }, 'EINVAL'],
  ['a name that nobody gave', { net: 'no-such-name' }, 'ENOENT'],
] as const)('%s is refused', async (_title, join, errno) => {
  await expect(run('true', [], { join })).rejects.toMatchObject({
    code: 'STEP_REFUSED',
    errno,
    operation: 'joinNamespaces',
  })
})
