// SPDX-License-Identifier: Apache-2.0
// A user without rights on a machine that systemd runs: limits that work, by the user's own systemd, and the words when there is none.
import { mkdirSync, rmdirSync } from 'node:fs'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { collect, hutch } from '../cli/hutch.ts'
import { hutchCommand, hutchLine } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { asUser, lookInside, makeUser, mount, remains, runtime, script, tree, uid } from './machine.ts'

beforeEach((context) => requires(context, 'systemd', 'v2', 'root'))
beforeAll(() => {
  if (process.env.VM && process.geteuid!() === 0) makeUser()
})

const gone = { units: '', groups: [] }
const limits = ['--memory', '50M', '--swap', '0', '--pids', '20']
const manager = `${mount}/user.slice/user-${uid}.slice/user@${uid}.service`
const scope = `${manager}/app\\.slice/hutch-\\d+-\\d+\\.scope`

test('a user gets working limits, and the tree is as it was', async () => {
  await lookInside(limits, asUser())
  await remains()
  const before = tree()
  expect(await lookInside(limits, asUser())).toEqual({
    status: 0,
    stderr: '',
    group: expect.stringMatching(RegExp(`^${scope}/hutch-\\d+-\\d+-\\d+-1$`)),
    memory: '52428800',
    pids: '20',
    processesInParent: [],
  })
  expect(await remains()).toEqual(gone)
  expect(tree()).toEqual(before)
})

test('too much memory is a verdict, too many tasks are refused', async () => {
  const args = ['run', '--isolate', 'none', '--memory', '30M', '--swap', '0', '--pids', '4', '--', 'sh', '-c']
  expect(await hutch([...args, 'hutch hog 100M'], asUser())).toMatchObject({
    status: 137,
    stderr: expect.stringContaining("the job's own"),
  })
  const fork = await hutch([...args, 'for i in 1 2 3 4 5 6; do sleep 5 & done; wait'], asUser())
  expect(fork.stderr).toContain('pids.max')
  expect(await remains()).toEqual(gone)
})

test('the bus is found without XDG_RUNTIME_DIR, as after su', async () => {
  expect(await lookInside(limits, asUser({ XDG_RUNTIME_DIR: undefined }))).toMatchObject({ status: 0, pids: '20' })
})

test('without limits a user’s run asks nobody', async () => {
  const { stdout, status } = await hutch(['run', '--isolate', 'none', '--', 'cat', '/proc/self/cgroup'], asUser())
  expect({ status, scope: stdout.includes('hutch-') }).toEqual({ status: 0, scope: false })
})

test('a controller that users do not get is told, with the way to it', async () => {
  const { status, stderr } = await hutch(['run', '--isolate', 'none', '--cpuset-cpus', '0', '--', 'true'], asUser())
  expect({ status, lines: stderr.trim().split('\n') }).toEqual({
    status: 125,
    lines: [
      expect.stringMatching(
        RegExp(`^hutch: cannot set --cpuset-cpus: this host has no cpuset controller in ${scope}$`),
      ),
      '  available there: cpu, memory, pids',
      `  remedy: as root: mkdir -p /etc/systemd/system/user@.service.d; printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf; systemctl daemon-reload; systemctl restart user@${uid} (which ends what that user's systemd runs)`,
    ],
  })
  expect(await remains()).toEqual(gone)
})

test('without D-Bus the error says what could not be done, why, and how to get it', async () => {
  const empty = `/tmp/hutch-empty-${process.pid}`
  mkdirSync(empty, { mode: 0o755 })
  const options = asUser({ XDG_RUNTIME_DIR: empty })
  const { status, stdout, stderr } = await hutch(['run', '--isolate', 'none', ...limits, '--', 'echo', 'ran'], options)
  rmdirSync(empty)
  expect({ status, stdout, lines: stderr.trim().split('\n') }).toEqual({
    status: 125,
    stdout: '',
    lines: [
      "hutch: cannot get a group for --memory, --swap, --pids: this user's systemd cannot be reached",
      `  ${empty}/bus: there is no such socket (ENOENT)`,
      expect.stringMatching(/^ {2}user 1000 may not make groups in \S+ either$/),
      `  remedy: export XDG_RUNTIME_DIR=${runtime}`,
    ],
  })
})

test('a user without a systemd is told to linger', async () => {
  const { stderr } = await hutch(['run', '--isolate', 'none', ...limits, '--', 'true'], {
    ...asUser({ XDG_RUNTIME_DIR: undefined }),
    uid: 1001,
  })
  expect(stderr).toContain('/run/user/1001/bus: there is no such socket (ENOENT)')
  expect(stderr).toContain('remedy: as root: loginctl enable-linger 1001; then export XDG_RUNTIME_DIR=/run/user/1001')
})

test('in a delegated unit --evacuate makes room, and without it there is a scope of its own', async () => {
  const unit = ['--user', '--scope', '--quiet', '-p', 'Delegate=yes']
  const inUnit = (flags: string[]) =>
    collect(
      'systemd-run',
      [...unit, ...hutchCommand, 'run', '--isolate', 'none', ...flags, ...limits, '--', 'cat', '/proc/self/cgroup'],
      asUser(),
    )
  expect((await inUnit([])).stdout).toMatch(/app\.slice\/hutch-\d+-\d+\.scope\/hutch-/)
  const twice = `${hutchLine} run --isolate none --memory 50M --evacuate -- true; ${hutchLine} run --isolate none --memory 50M -- cat /proc/self/cgroup`
  const { stdout } = await collect('systemd-run', [...unit, 'sh', '-c', twice], asUser())
  expect(stdout).toMatch(/app\.slice\/run-[^/]*\.scope\/hutch-\d+-\d+-\d+-\d+\n/)
  expect((await inUnit(['--evacuate'])).stdout).toMatch(/app\.slice\/run-[^/]*\.scope\/hutch-\d+-\d+-\d+-\d+\n/)
  expect(await remains()).toEqual(gone)
})

test('the library says how a user’s process comes to limits, and enterScope gives them', async () => {
  const job = "const { limits } = await run('true', [], { limits: { memory: '50M' }, isolate: 'none' })"
  const without = await script(`${job}`, asUser())
  expect(without.stderr).toContain('from Node: await enterScope() first')
  const inside = await script(`await enterScope(); ${job}; console.log(limits['memory.max'])`, asUser())
  expect(inside).toMatchObject({ status: 0, stdout: '52428800\n' })
  expect(await remains()).toEqual(gone)
})

test('the machine’s systemd lets no user in, and the error says what does', async () => {
  const { stderr } = await script("await enterScope({ manager: 'system' })", asUser())
  expect(stderr).toMatch(/systemd refused \(org\.freedesktop\.DBus\.Error\.[A-Za-z]+\)/)
  expect(stderr).toContain("use the user's own systemd")
})

test('doctor tells what users get', async () => {
  const findings: { title: string; state: string; found: string; remedy?: string }[] = JSON.parse(
    (await hutch(['doctor', '--json'], asUser())).stdout,
  )
  const of = (title: string) => findings.find((finding) => finding.title === title)
  expect(of('systemd')?.found).toMatch(/^this user's answers: "?\d+/)
  expect(of('delegation')).toMatchObject({ state: 'ok', found: expect.stringContaining('app.slice') })
  expect(of('  memory')?.state).toBe('ok')
  expect(of('  cpuset')).toMatchObject({ state: 'missing', remedy: expect.stringContaining('Delegate=cpu cpuset io') })
  const alone = JSON.parse((await hutch(['doctor', '--json'], asUser({ XDG_RUNTIME_DIR: '/nowhere' }))).stdout)
  expect(alone.find((finding: { title: string }) => finding.title === 'systemd')).toMatchObject({
    state: 'missing',
    remedy: `export XDG_RUNTIME_DIR=${runtime}`,
  })
})
