// SPDX-License-Identifier: Apache-2.0
// hutch oci as callers see it: what is on stdout, on stderr and in the log, and the exit status; beside runc where it is installed.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readContainerProcess } from '../../src/container/process.ts'
import { type ContainerState, stateVersion } from '../../src/container/state.ts'
import { startFile } from '../../src/container/status.ts'
import { createContainer } from '../../src/container/store.ts'
import { readHost } from '../../src/host/host.ts'
import { hutchCommand, hutchPath } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { begin, collect, hutch } from './hutch.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-oci-`)
const root = `${directory}/root`
const oci = (...args: string[]) => hutch(['oci', '--root', root, ...args])

const sleeper = spawn('sleep', ['600'], { stdio: 'ignore' })

/** The state of a container with this first process, which is in this process's groups. */
function stateOf(id: string, pid?: number) {
  const host = readHost()
  const first = pid === undefined ? undefined : readContainerProcess(pid)
  return {
    version: stateVersion,
    id,
    created: '2026-11-30T12:12:12.264Z',
    owner: process.geteuid!(),
    annotations: id === 'runs' ? { 'a.b': '\u202e"c' } : {},
    rootfs: '/b/rootfs',
    driver: 'cgroupfs',
    groups: first ? [{ controller: '', directory: (host.unified ?? Object.values(host.v1)[0]!).own }] : [],
    ...(first && { process: first }),
    details: { ociVersion: '1.0.2-dev', bundle: '/b' },
  } satisfies ContainerState
}

beforeAll(() => {
  for (const state of [stateOf('runs', sleeper.pid), stateOf('waits', sleeper.pid), stateOf('ended')]) {
    const container = createContainer(root, state)
    if (state.id === 'waits') writeFileSync(`${container.directory}/${startFile}`, '')
    container.close()
  }
  mkdirSync(`${root}/half`)
})

afterAll(async () => {
  sleeper.kill('SIGKILL')
  await once(sleeper, 'exit')
  rmSync(directory, { recursive: true, force: true })
})

test('state prints one object, and nothing on stderr', async () => {
  const { status, stdout, stderr } = await oci('state', 'runs')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({
    id: 'runs',
    pid: sleeper.pid,
    status: 'running',
    annotations: { 'a.b': '\u202e"c' },
  })
  expect(JSON.parse((await oci('state', 'waits')).stdout)).toMatchObject({ status: 'created', pid: sleeper.pid })
  expect(JSON.parse((await oci('state', 'ended')).stdout)).toMatchObject({ status: 'stopped', pid: 0 })
})

test('list shows all containers, without those that are half-made', async () => {
  expect((await oci('list', '-q')).stdout).toBe('ended\nruns\nwaits\n')
  const { stdout } = await oci('list', '--format', 'json')
  expect(JSON.parse(stdout)).toMatchObject([{ id: 'ended' }, { id: 'runs' }, { id: 'waits' }])
  expect((await oci('list')).stdout).toMatch(/^ID +PID +STATUS +BUNDLE +CREATED +OWNER\nended +0 +stopped +\/b /)
  expect(await hutch(['oci', '--root', `${directory}/none`, 'list', '-f', 'json'])).toEqual({
    status: 0,
    stdout: '[]\n',
    stderr: '',
  })
})

test('ps shows the processes of the groups, as JSON or as ps(1) does', async () => {
  const { status, stdout, stderr } = await oci('ps', '--format', 'json', 'runs')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(JSON.parse(stdout)).toContain(sleeper.pid)
  const lines = (await oci('ps', 'runs')).stdout.split('\n')
  expect(lines[0]).toMatch(/^UID +PID +PPID /)
  expect(lines.find((line) => line.includes(` ${sleeper.pid} `))).toMatch(/sleep 600$/)
  expect((await oci('ps', 'runs', '-o', 'pid,comm')).stdout).toMatch(
    new RegExp(`^ +PID COMMAND\\n[^]*${sleeper.pid} sleep\\n`),
  )
  expect((await oci('ps', 'runs', '-o', 'comm')).stderr).toMatch(/the output of ps has no column PID/)
  expect(await oci('ps', '--format', 'json', 'ended')).toEqual({ status: 0, stdout: '[]\n', stderr: '' })
  // as runc: a stopped container is not an error
  expect(await oci('ps', 'ended')).toEqual({ status: 0, stdout: `${lines[0]}\n`, stderr: '' })
})

const unknown = /container does not exist: .*; remedy: /

test.each([
  [
    'json',
    (line: string) =>
      expect(JSON.parse(line)).toEqual({
        level: 'error',
        msg: expect.stringMatching(unknown),
        time: expect.any(String),
      }),
  ],
  ['text', (line: string) => expect(line).toMatch(/^time="[^"]+" level=error msg="container does not exist: /)],
])('an error is one line of %s in the log, and one on stderr', async (format, check) => {
  const log = `${directory}/log-${format}`
  const { status, stdout, stderr } = await oci('--log', log, '--log-format', format, 'state', 'nothing')
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toMatch(/^hutch-oci: container does not exist: .*\n$/)
  const lines = readFileSync(log, 'utf8').split('\n')
  expect(lines).toHaveLength(2)
  check(lines[0]!)
  await oci('--log', log, '--log-format', format, 'state', 'ended')
  expect(readFileSync(log, 'utf8').split('\n')).toHaveLength(2)
})

test.each([
  [['state', 'half'], 1, /container does not exist/],
  [['--bogus'], 1, /unknown option --bogus/],
  [['nothing'], 1, /unknown command nothing/],
  [['state', 'a/b'], 1, /invalid container ID/],
  [['checkpoint', 'runs'], 1, /cannot checkpoint containers/],
  [['spec', '-b', `${directory}/none`], 1, /no such file or directory/],
] as const)('%j fails with status %i', async (args, status, words) => {
  const ended = await oci(...args)
  expect(ended).toMatchObject({ status, stdout: '' })
  expect(ended.stderr).toMatch(words)
  expect(ended.stderr.split('\n')).toHaveLength(2)
})

test('a log that cannot be opened, or is a directory, hides no error', async () => {
  for (const log of [`${directory}/none/log`, directory]) {
    const { status, stderr } = await oci('--log', log, 'state', 'nothing')
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(unknown) })
  }
})

test('states while others create, change and remove containers are whole, or those of no container', async () => {
  const many = `${directory}/many`
  const script = 'while :; do "$@" list --format json || exit 1; done'
  const [file, ...words] = [...hutchCommand, 'oci', '--root', many]
  const reader = begin('sh', ['-c', script, 'sh', file!, ...words])
  for (let i = 0; i < 200 || reader.said().length < 100; i++) {
    const container = createContainer<object>(many, stateOf(`c${i % 3}`, sleeper.pid))
    container.save({ ...container.state!, annotations: { i: String(i) } })
    await new Promise((resolve) => setImmediate(resolve))
    container.remove()
    container.close()
  }
  process.kill(reader.pid, 'SIGKILL')
  const { stdout, stderr } = await reader.ended
  expect(stderr).toBe('')
  for (const line of stdout.split('\n').slice(0, -1))
    for (const state of JSON.parse(line) as object[])
      expect(state).toMatchObject({ id: expect.stringMatching(/^c[012]$/), status: 'running', pid: sleeper.pid })
})

test('a line without a log has the requested form', async () => {
  const { stderr } = await oci('--log-format=json', 'state', 'nothing')
  expect(JSON.parse(stderr)).toMatchObject({ level: 'error', msg: expect.stringMatching(unknown) })
})

test('spec writes a configuration once', async () => {
  expect(await oci('spec', '--bundle', directory)).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(JSON.parse(readFileSync(`${directory}/config.json`, 'utf8'))).toMatchObject({ process: { args: ['sh'] } })
  expect((await oci('spec', '--bundle', directory)).stderr).toMatch(/file exists: .*remove the file first/)
})

test('the runtime has its own name, version and help', async () => {
  symlinkSync(hutchPath, `${directory}/hutch-oci`)
  const named = await collect(`${directory}/hutch-oci`, ['--version'])
  expect(named).toMatchObject({ status: 0, stderr: '' })
  expect(named.stdout).toMatch(/^hutch-oci version \S+\ncommit: \S+\nspec: 1\.\S+\n$/)
  expect((await collect(`${directory}/hutch-oci`, ['run', '-h'])).stdout).toMatch(/^Usage: hutch-oci run /)
  for (const args of [['--help'], [], ['help']])
    expect((await oci(...args)).stdout).toMatch(/^Usage: hutch oci .*\n(?:.*\n)* {2}create /)
  expect((await oci('exec', '--help')).stdout).toMatch(/^Usage: hutch oci exec \[OPTIONS\] ID \[COMMAND/)
})

test('beside runc: the same fields of features and of a configuration, the same heading of list', async (context) => {
  requires(context, 'runc(8)')
  const runc = (...args: string[]) => spawnSync('/usr/sbin/runc', args, { encoding: 'utf8' }).stdout
  const [theirs, ours] = [runc('features'), (await oci('features')).stdout].map((text) => JSON.parse(text) as Features)
  expect(Object.keys(ours!)).toEqual(expect.arrayContaining(Object.keys(theirs!)))
  expect(ours!.mountOptions).toEqual(expect.arrayContaining(theirs!.mountOptions))
  expect(ours!.hooks).toEqual(theirs!.hooks)
  for (const key of ['namespaces', 'capabilities'] as const)
    expect(ours!.linux[key]).toEqual(expect.arrayContaining(theirs!.linux[key]))
  expect(ours!.linux.seccomp.operators).toEqual(theirs!.linux.seccomp.operators)
  expect(theirs!.linux.seccomp.actions).toEqual(expect.arrayContaining(ours!.linux.seccomp.actions))
  expect((await hutch(['oci', '--root', `${directory}/none`, 'list'])).stdout).toBe(
    runc('--root', `${directory}/none`, 'list'),
  )
  for (const more of [[], ['--rootless']]) {
    const [left, right] = ['left', 'right'].map((name) => mkdtempSync(`${directory}/${name}-`))
    runc('spec', '-b', left!, ...more)
    await oci('spec', '-b', right!, ...more)
    const [expected, made] = [left, right].map(
      (one) => JSON.parse(readFileSync(`${one}/config.json`, 'utf8')) as Config,
    )
    expect(made!.mounts).toEqual(expected!.mounts)
    expect(made!.root).toEqual(expected!.root)
    expect(made!.linux.namespaces).toEqual(expected!.linux.namespaces)
    expect(made!.linux.readonlyPaths).toEqual(expected!.linux.readonlyPaths)
    expect(made!.linux.maskedPaths).toEqual(expect.arrayContaining(expected!.linux.maskedPaths))
    // runc makes capabilities ambient that no inheritable set permits
    expect(made!.process).toEqual({ ...expected!.process, capabilities: expect.any(Object) })
  }
})

interface Features {
  hooks: string[]
  mountOptions: string[]
  linux: {
    namespaces: string[]
    capabilities: string[]
    seccomp: { operators: string[]; actions: string[] }
  }
}

interface Config {
  process: object
  root: object
  mounts: object[]
  linux: { namespaces: object[]; maskedPaths: string[]; readonlyPaths: string[] }
}

test('generate prints a configuration with the hutch-oci of PATH, and says how to make one', async () => {
  const [file, ...words] = hutchCommand
  const generate = (path: string, ...args: string[]) =>
    collect(file!, [...words, 'generate', ...args], { env: { PATH: path, HUTCH_STATE: '0' } })
  const bin = mkdtempSync(`${directory}/bin-`)
  symlinkSync(hutchPath, `${bin}/hutch-oci`)
  expect((await generate(`relative:${bin}`, 'crio')).stdout).toContain(`\nruntime_path = "${bin}/hutch-oci"\n`)
  expect((await generate('/none', 'crio', '--runtime', '/x/y')).stdout).toContain('"/x/y"')
  const missing = await generate('/none', 'crio')
  expect([missing.status, missing.stderr]).toEqual([125, expect.stringContaining('hutch links --dir /usr/local/bin')])
  const unknown = await generate(bin, 'rkt')
  expect([unknown.status, unknown.stderr]).toEqual([125, expect.stringContaining('podman, containerd, docker')])
  expect((await generate(bin, 'containerd', '--config-version', '1')).status).toBe(125)
})
