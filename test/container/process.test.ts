// SPDX-License-Identifier: Apache-2.0
// What the command of a container has: its rights, its descriptors, its terminal, its place among the processes.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { afterEach, expect, test, vi } from 'vitest'
import { startWaiting } from '../../src/run/start-waiting.ts'
import { compileProgram } from '../support/compile.ts'
import { create, endCreated, parentOf, type Wanted } from '../support/creator.ts'
import { killsHutches } from '../support/leaks.ts'
import { requires } from '../support/requires.ts'

killsHutches()
afterEach(endCreated)

/** Runs a command as a container to its end. Returns its output. */
async function output(script: string, wanted: Wanted = {}): Promise<string> {
  const one = await create(['sh', '-c', script], { waits: false, ...wanted })
  const end = await one.next({ kind: 'ended' })
  return `${one.read()}${end.ownStatus ? `status ${end.ownStatus} ${JSON.stringify(one.events)}\n` : ''}`
}

/** Lists a shell's descriptors, without a pipe or a directory that the list would contain. */
const openDescriptors = 'for n in 0 1 2 3 4 5 6 7 8 9; do test ! -e /proc/$$/fd/$n || printf "$n "; done'

const [chown, kill] = [1, 1 << 5]

test('the command has exactly these ids, groups, capabilities, umask and processors', async (context) => {
  requires(context, 'root')
  const text = await output('umask; grep -E "^(Uid|Gid|Groups|Cap|NoNew|Cpus_allowed_list)" /proc/self/status', {
    container: {
      ids: { uid: 1000, gid: 1001, groups: [4, 5] },
      capabilities: {
        bounding: chown + kill,
        permitted: chown + kill,
        effective: kill,
        inheritable: chown,
        ambient: chown,
      },
      umask: 0o27,
      affinity: { initial: [1], final: [0] },
    },
  })
  const mask = (value: number) => value.toString(16).padStart(16, '0')
  expect(text.replaceAll('\t', ' ')).toBe(
    [
      '0027',
      'Uid: 1000 1000 1000 1000',
      'Gid: 1001 1001 1001 1001',
      'Groups: 4 5 ',
      `CapInh: ${mask(chown)}`,
      `CapPrm: ${mask(chown)}`,
      `CapEff: ${mask(chown)}`,
      `CapBnd: ${mask(chown + kill)}`,
      `CapAmb: ${mask(chown)}`,
      'NoNewPrivs: 0',
      'Cpus_allowed_list: 0',
      '',
    ].join('\n'),
  )
})

test('the environment is that of the Spec alone, and no descriptor but the kept ones is open', async (context) => {
  requires(context, 'root')
  const text = await output(`env | sort; ${openDescriptors}; readlink /proc/$$/fd/3`, {
    inputs: { env: { A: '1', PATH: '/usr/bin:/bin' } },
    container: { keptStreams: 1 },
    extra: ['/etc/hostname', '/etc/passwd'],
  })
  expect(text.replace(/^(PWD|SHLVL|_|OLDPWD)=.*\n/gm, '')).toBe('A=1\nPATH=/usr/bin:/bin\n0 1 2 3 /etc/hostname\n')
})

test('the command has a session keyring of this name', async (context) => {
  requires(context, 'root', '/proc/keys')
  const text = await output('grep -c "keyring *_ses.hutch-test: " /proc/keys', {
    container: { keyring: '_ses.hutch-test' },
  })
  expect(text).toBe('1\n')
})

test('a missing program is refused before the container waits for its start', async (context) => {
  requires(context, 'root')
  const one = await create(['missing-program'], { container: { checksProgram: true } })
  expect(await one.next({ kind: 'failed' })).toMatchObject({ errno: 'ENOENT', op: 'checkProgram' })
  await one.next({ kind: 'ended' })
  expect(one.events.filter(({ kind }) => kind === 'ready')).toEqual([])
})

test('a working directory outside of the root is refused', async (context) => {
  requires(context, 'root')
  const directory = mkdtempSync(`${tmpdir()}/hutch-outside-`)
  const one = await create(['true'], {
    options: { isolate: ['mount', 'pid'] },
    inputs: {
      workdir: '/proc/self/fd/3',
      root: {
        directory,
        readOnly: false,
        dev: false,
        standard: false,
        devices: [],
        mounts: [{ type: 'proc', source: 'proc', target: '/proc', flags: 0, data: [], origin: 'mounts' }],
      },
    },
    container: { keptStreams: 1 },
    // a directory of the host that a caller has left open
    extra: ['/etc'],
  })
  expect(await one.next({ kind: 'failed' })).toMatchObject({ errno: 'EXDEV', op: 'enterInside' })
  await one.next({ kind: 'ended' })
  rmSync(directory, { recursive: true })
})

test('a command in a joined pid namespace is a child of its creator', async (context) => {
  requires(context, 'root')
  const first = await create(['sleep', '600'], { options: { isolate: ['pid', 'mount'] }, waits: false })
  const second = await create(['sleep', '600'], { options: { join: { pid: first.pid, mount: first.pid } } })
  await second.next({ kind: 'ready' })
  const creator = parentOf(second.pid)
  expect(readFileSync(`/proc/${creator}/cmdline`, 'utf8')).toContain('maker.mjs')
  expect(readFileSync(`/proc/${second.pid}/status`, 'utf8')).toMatch(/^NSpid:\t\d+\t[2-9]\d*$/m)
  second.tell('exit')
  await second.next({ reaped: creator })
  expect(startWaiting(second.socket)).toEqual({ kind: 'started' })
  expect(parentOf(second.pid)).toBe(second.subreaper.pid)
  process.kill(second.pid, 'SIGKILL')
  expect(await second.next({ reaped: second.pid })).toMatchObject({ status: 9 })
})

test('a new user namespace with a joined namespace: its ids are mapped, and its command is a child of its creator', async (context) => {
  requires(context, 'root')
  const first = await create(['sleep', '600'], { options: { isolate: ['uts', 'net'] }, waits: false })
  const map = [{ inside: 0, outside: 100_000, count: 65_536 }]
  const second = await create(['sh', '-c', 'id -u; cat /proc/self/uid_map; readlink /proc/self/ns/net; ulimit -Hn'], {
    options: { ulimits: { nofile: '512:1024' } },
    inputs: {
      isolate: ['user', 'pid', 'mount'],
      joins: [{ kind: 'net', path: `/proc/${first.pid}/ns/net` }],
    },
    container: { maps: { users: map, groups: map } },
    waits: false,
  })
  const { ownStatus } = await second.next({ kind: 'ended' })
  const lines = second.read().replace(/ +/g, ' ').split('\n')
  expect({ ownStatus, lines, events: ownStatus ? second.events : [] }).toEqual({
    ownStatus: 0,
    lines: ['0', ' 0 100000 65536', expect.stringMatching(/^net:/), '1024', ''],
    events: [],
  })
})

test('the command has a new terminal, whose master a socket receives', async (context) => {
  requires(context, 'root')
  const directory = mkdtempSync(`${tmpdir()}/hutch-console-`)
  compileProgram('receive-terminal', `${directory}/receive`)
  const receiver = spawn(`${directory}/receive`, [`${directory}/socket`], { stdio: ['ignore', 'pipe', 'inherit'] })
  let received = ''
  await new Promise<void>((resolve) => createInterface(receiver.stdout).once('line', () => resolve()))
  receiver.stdout.on('data', (data) => {
    received += data
  })
  const bind = (path: string) => ({
    type: 'bind',
    source: path,
    target: path,
    flags: 0,
    data: [],
    recursive: true,
    origin: 'mounts',
  })
  const mount = (type: string, target: string, ...data: string[]) => ({
    type,
    source: type,
    target,
    flags: 0,
    data,
    origin: 'mounts',
  })
  const root = `${directory}/root`
  mkdirSync(root)
  const one = await create(
    [
      'sh',
      '-c',
      `tty; stat -c %u $(tty); stty size; ${openDescriptors}; stat -c %t:%T /dev/console; echo x > /dev/tty`,
    ],
    {
      options: { isolate: ['pid', 'mount'] },
      inputs: {
        env: { PATH: '/usr/bin:/bin' },
        root: {
          directory: root,
          readOnly: false,
          dev: false,
          standard: false,
          devices: [],
          mounts: [
            ...['/usr', '/bin', '/lib', '/lib64'].filter((path) => existsSync(path)).map(bind),
            mount('proc', '/proc'),
            mount('tmpfs', '/dev', 'mode=755'),
            mount('devpts', '/dev/pts', 'newinstance', 'ptmxmode=0666', 'mode=0620'),
            bind('/dev/tty'),
          ],
        },
      },
      container: { ids: { uid: 7, gid: 7, groups: [] }, terminal: { socket: -1, rows: 33, columns: 77 } },
      console: `${directory}/socket`,
      waits: false,
    },
  )
  await one.next({ kind: 'ended' })
  await vi.waitFor(() => expect(receiver.exitCode).not.toBeNull())
  expect({
    received: received.replaceAll('\r', ''),
    out: one.read(),
    failed: one.events.filter(({ kind }) => kind === 'failed'),
  }).toEqual({
    received: '/dev/pts/0 33 77\n/dev/pts/0\n7\n33 77\n0 1 2 88:0\nx\n',
    out: '',
    failed: [],
  })
  rmSync(directory, { recursive: true })
})
