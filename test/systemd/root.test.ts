// SPDX-License-Identifier: Apache-2.0
// Root on a machine that systemd runs: jobs go into a scope that systemd made, and nothing of it stays.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import { hutch } from '../cli/hutch.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { lookInside, mount, output, remains, script, tree, units } from './machine.ts'

beforeEach((context) => requires(context, 'systemd', 'v2', 'root'))

const gone = { units: '', groups: [] }
const limits = ['--memory', '50M', '--swap', '0', '--pids', '20']
const scope = `${mount}/system\\.slice/hutch-\\d+-\\d+\\.scope`

test('a job has its limits in a scope, and systemd’s own groups are as they were', async () => {
  const before = tree()
  expect(await lookInside(limits)).toEqual({
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

test('the scope is delegated, in the usual slice, and says what it is', async () => {
  const show =
    'systemctl show -p Delegate -p CollectMode -p Description -p Slice -p TasksMax $(cut -d/ -f3 /proc/self/cgroup)'
  const { stdout } = await hutch(['run', '--isolate', 'none', '--', 'sh', '-c', show])
  expect(stdout.trim().split('\n').sort()).toEqual([
    'CollectMode=inactive-or-failed',
    'Delegate=yes',
    'Description=hutch and its jobs',
    'Slice=system.slice',
    'TasksMax=infinity',
  ])
  expect(await remains()).toEqual(gone)
})

test('limits are enforced, with all namespaces', async () => {
  const hog = await hutch(['run', '--memory', '30M', '--swap', '0', '--', 'sh', '-c', 'hutch hog 100M'])
  expect(hog).toMatchObject({ status: 137, stderr: expect.stringContaining("the job's own") })
  const fork = await hutch(['run', '--pids', '4', '--', 'sh', '-c', 'for i in 1 2 3 4 5 6; do sleep 5 & done; wait'])
  expect(fork.stderr).toContain('pids.max')
  expect(await remains()).toEqual(gone)
})

test('a job that runs out of time leaves nothing', async () => {
  expect((await hutch(['run', '--timeout', '300ms', '--', 'sleep', '60'])).status).toBe(124)
  expect(await remains()).toEqual(gone)
})

test.each([
  ['in the control group namespace of the machine', []],
  ['in a control group namespace of its own', ['--isolate', 'pid,mount,ipc,uts,cgroup']],
])('a hutch in a hutch stays within the limits of the outer job, %s', async (_, isolate) => {
  const within = async (size: string) => {
    const inner = [...hutchCommand, 'run', '--memory', '400M', '--swap', '0', '--', 'hutch', 'hog', size]
    return hutch(['run', '--memory', '150M', '--swap', '0', ...isolate, '--', ...inner])
  }
  expect((await within('1M')).status).toBe(0)
  expect((await within('300M')).status).toBe(137)
  expect(await remains()).toEqual(gone)
})

test('a group that is named is taken as it is', async () => {
  const { group } = await lookInside([...limits, '--parent', 'system.slice'])
  expect(group).toMatch(RegExp(`^${mount}/system.slice/hutch-\\d+-\\d+-\\d+-1$`))
})

test('--explain tells of the scope, and asks for none', async () => {
  const { stdout, status } = await hutch(['run', '--explain', ...limits, '--', 'true'])
  expect(status).toBe(0)
  expect(stdout).toMatch(/^first\n {3}ask systemd for hutch-\d+-\d+\.scope, with Delegate=yes, and enter it\n/)
  expect(stdout).toMatch(RegExp(`mkdir ${scope}/hutch-\\d+-\\d+-\\d+-1\n`))
  expect(units()).toBe('')
})

test('without D-Bus root’s jobs run as elsewhere, and --verbose says so', async () => {
  const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nowhere' }
  const { status, stderr } = await hutch(['run', '--verbose', ...limits, '--', 'true'], { env })
  expect({ status, lines: stderr.split('\n').slice(0, 4) }).toEqual({
    status: 0,
    lines: [
      "hutch: cannot get a group for --memory, --swap, --pids: the machine's systemd cannot be reached",
      '  /nowhere: there is no such socket (ENOENT)',
      '  remedy: install and start dbus: apt-get install dbus; or name a group with --parent',
      "  so the job's group is at the root of the tree, beside systemd's groups",
    ],
  })
})

/** A job that is up, and how to end hutch under it. */
async function startJob(isolate: string): Promise<() => Promise<unknown>> {
  const args = [
    ...hutchArgs,
    'run',
    ...limits,
    '--isolate',
    isolate,
    '--',
    'sh',
    '-c',
    'sleep 4711 & echo up; sleep 4711; true',
  ]
  const child = spawn(hutchFile, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return () =>
    new Promise((resolve) => {
      child.once('exit', resolve)
      child.kill('SIGKILL')
    })
}

test('after kill -9 of hutch all is gone: processes, groups and the unit', async () => {
  await (await startJob('pid,mount,ipc,uts,cgroup'))()
  expect(await remains()).toEqual(gone)
})

test('what outlives a killed hutch without a pid namespace is ended by the next run', async () => {
  await (await startJob('none'))()
  expect(units()).toMatch(/^hutch-/)
  await hutch(['run', '--', 'true'])
  expect(await remains()).toEqual(gone)
})

const [inRow, atOnce] = process.env.WHOLE === '1' ? [50, 10] : [4, 4]

test(`${inRow} runs in a row and ${atOnce} at once leave nothing`, { timeout: 600_000 }, async () => {
  const before = tree()
  for (let i = 0; i < inRow; i++) expect((await hutch(['run', ...limits, '--', 'true'])).status).toBe(0)
  const parallel = await Promise.all(Array.from({ length: atOnce }, () => hutch(['run', ...limits, '--', 'true'])))
  expect(parallel.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
    Array.from({ length: atOnce }, () => ({ status: 0, stderr: '' })),
  )
  expect(await remains()).toEqual(gone)
  expect(tree()).toEqual(before)
})

test('a scope costs milliseconds, not seconds', async () => {
  const times: number[] = []
  for (let i = 0; i < 3; i++) {
    const { stdout } = await script(
      'const t = performance.now(); await enterScope(); console.log(performance.now() - t)',
    )
    times.push(Number(stdout))
  }
  const bare = Number(output('systemd-run', '--scope', '--quiet', 'sh', '-c', 'echo 0'))
  const median = times.sort((a, b) => a - b)[1]! + bare
  console.log(`a scope: ${median.toFixed(0)} ms (median of 3; ${times.map((time) => time.toFixed(0)).join(' ')})`)
  expect(median).toBeLessThan(5000)
  expect(await remains()).toEqual(gone)
})

test('the library moves its process when it is asked to, and only then', async () => {
  const own =
    "const own = () => readFileSync('/proc/self/cgroup', 'utf8').trim(); import { readFileSync } from 'node:fs';"
  const stays = await script(`${own} const a = own(); await run('true'); console.log(a === own())`)
  expect(stays.stdout).toBe('true\n')
  const moves = await script(
    `${own} const first = await enterScope(); const again = await enterScope();
     const { cgroup } = await run('true', [], { limits: { memory: '50M' } });
     console.log(JSON.stringify({ first, same: first === again, own: own(), path: cgroup.path }))`,
  )
  const seen = JSON.parse(moves.stdout)
  expect(seen.first.directory).toBe(`${mount}/system.slice/${seen.first.unit}`)
  expect(seen).toMatchObject({
    same: true,
    own: `0::/system.slice/${seen.first.unit}/hutch-leaf`,
    path: expect.stringContaining(`${seen.first.directory}/hutch-`),
  })
  expect(await remains()).toEqual(gone)
})

test('a hutch that a process in a scope starts stays in that scope', async () => {
  const { stdout } = await script(
    `import { execFileSync } from 'node:child_process'; const { unit } = await enterScope();
     const out = execFileSync('${hutchFile}', ${JSON.stringify([...hutchArgs, 'run', '--isolate', 'none', '--', 'cat', '/proc/self/cgroup'])});
     console.log(String(out).includes(unit + '/hutch-'))`,
  )
  expect(stdout).toBe('true\n')
  expect(await remains()).toEqual(gone)
})

test('doctor knows systemd', async () => {
  const findings = JSON.parse((await hutch(['doctor', '--json'])).stdout)
  expect(findings.find((finding: { title: string }) => finding.title === 'systemd')).toEqual({
    title: 'systemd',
    state: 'ok',
    found: expect.stringMatching(/^the machine's answers: "?\d+/),
  })
})

test('the report names the group in the scope', async () => {
  const report = `/tmp/hutch-report-${process.pid}.json`
  await hutch(['run', '--report', report, ...limits, '--', 'true'])
  const { cgroup } = JSON.parse(readFileSync(report, 'utf8'))
  rmSync(report)
  expect(cgroup).toEqual({ layout: 'v2', path: expect.stringMatching(RegExp(`^${scope}/hutch-`)) })
})
