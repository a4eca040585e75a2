// SPDX-License-Identifier: Apache-2.0
// hutch doctor: what it finds is what a start does in the same surroundings, and each remedy cures what it is for.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { hutchCommand } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect } from './hutch.ts'

interface Finding {
  title: string
  state: 'ok' | 'note' | 'missing'
  found: string
  remedy?: string
}

const work = mkdtempSync(`${tmpdir()}/hutch-doctor-test-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const doctor = [...hutchCommand, 'doctor', '--json']

/** What doctor finds when it is started by this command. */
async function examine(...around: string[]): Promise<Map<string, Finding>> {
  const [command, ...args] = [...around, ...doctor]
  const { stdout, stderr } = await collect(command!, args)
  if (stdout === '') throw new Error(`no findings: ${stderr}`)
  return new Map((JSON.parse(stdout) as Finding[]).map((finding) => [finding.title.trim(), finding]))
}

/** Makes a profile that allows all calls but these. */
function withoutCalls(name: string, ...calls: string[]): string {
  const path = `${work}/${name}.json`
  const rule = { names: calls, action: 'SCMP_ACT_ERRNO', errnoRet: 1 }
  writeFileSync(path, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }))
  return path
}

const contained = (...options: string[]) => [...hutchCommand, 'run', '--isolate', 'none', ...options, '--']

test('as root here every start works, and the order is that of a run', async (context) => {
  requires(context, 'root')
  const findings = await examine()
  expect([...findings.keys()]).toEqual([
    'kernel',
    'cgroups',
    'memory',
    'pids',
    'cpu',
    'cpuset',
    'io',
    'systemd',
    'delegation',
    'cgroup.kill',
    'rootless',
    'swap',
    'pressure',
    'start',
    'memory limit',
    'task limit',
    'CPU limit',
    'CPU choice',
    'namespaces',
    'mounts',
    'sandbox',
    'pool',
    'landlock',
    'network',
  ])
  expect([...findings.values()].filter(({ state }) => state === 'missing')).toEqual([])
})

test('a refused system call is named, and allowing it is the remedy', async (context) => {
  requires(context, 'root')
  const refused = await examine(...contained('--seccomp', withoutCalls('mounts', 'mount_setattr', 'open_tree')))
  expect(refused.get('mounts')).toMatchObject({
    state: 'missing',
    found: expect.stringMatching(/open_tree|mount_setattr/),
  })
  expect(refused.get('mounts')!.remedy).toMatch(/allow (open_tree|mount_setattr) in the seccomp profile/)
  const allowed = await examine(...contained('--seccomp', withoutCalls('nothing', 'reboot')))
  expect(allowed.get('mounts')?.state).toBe('ok')
})

test('a kind of namespace that is used up is named alone', async (context) => {
  requires(context, 'root')
  const limit = (count: number) => `echo ${count} > /proc/sys/user/max_uts_namespaces && exec "$@"`
  const closed = await examine('unshare', '--user', '--map-root-user', 'sh', '-c', limit(0), 'sh')
  expect(closed.get('namespaces')?.state).toBe('missing')
  expect(closed.get('uts')?.state).toBe('missing')
  expect(closed.has('ipc')).toBe(false)
  const open = await examine('unshare', '--user', '--map-root-user', 'sh', '-c', limit(20), 'sh')
  expect(open.get('namespaces')?.state).toBe('ok')
})

test('a user without groups is told so by each start that needs one; as root the same start works', async (context) => {
  requires(context, 'root')
  const user = await examine('setpriv', '--reuid', '61234', '--regid', '61234', '--clear-groups')
  expect(user.get('start')?.state).toBe('ok')
  expect(user.get('memory limit')).toMatchObject({ state: 'missing', remedy: expect.stringMatching(/^run as root/) })
  expect((await examine()).get('memory limit')?.state).toBe('ok')
})
