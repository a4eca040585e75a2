// SPDX-License-Identifier: Apache-2.0
// hutch stats and hutch ps, as a user types them.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { Cgroup, HutchError } from '../../src/index.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { endSleepers, sleeper, startQuiet } from '../support/sleeper.ts'
import { becomes, begin, collect, heard, hutch } from './hutch.ts'

const top = `/hutch-test-${process.pid}`

afterEach(async () => {
  await endSleepers()
  try {
    await Cgroup.open(top).remove({ recursive: true, kill: true })
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
  }
})

/** One group with a process that burns half a CPU, one without any. */
async function ground(): Promise<number> {
  const files = { 'memory.max': '64M', 'pids.max': 9, 'cpu.max': { quota: 25_000, period: 100_000 } }
  const group = await Cgroup.create(`${top}/busy`, { files })
  await Cgroup.create(`${top}/empty`)
  const { pid } = startQuiet('sh', ['-c', 'while :; do :; done'])
  await group.add(pid!)
  return pid!
}

test('stats prints one table in the shape of docker stats', async () => {
  await ground()
  const { status, stdout, stderr } = await hutch(['stats', '--no-stream', '--interval', '500ms'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const [header, ...lines] = stdout.trimEnd().split('\n')
  expect(header!.split(/ {2,}/)).toEqual(['GROUP', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'BLOCK I/O', 'PIDS'])
  const busy = lines.find((line) => line.startsWith(`${top}/busy `))!.split(/ {2,}/)
  expect(Number.parseFloat(busy[1]!)).toBeGreaterThan(0)
  expect(Number.parseFloat(busy[1]!)).toBeLessThan(40)
  expect(busy[2]).toMatch(/^[\d.]+ [KM]?i?B \/ 64\.0 MiB$/)
  expect(busy.slice(4)).toEqual(['0 B / 0 B', '1'])
  expect(stdout).not.toContain(`${top}/empty`)
})

test('named groups are shown as they were named, --json has all figures', async () => {
  await ground()
  const { stdout } = await hutch([
    'stats',
    '--no-stream',
    '--json',
    '--interval',
    '200ms',
    `${top}/empty`,
    `${top}/busy`,
  ])
  const { time, groups } = JSON.parse(stdout)
  expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000)
  expect(
    groups.map(({ path, pids, memoryMax, pidsMax, cpuMax, populated }: { [key: string]: unknown }) => ({
      path,
      pids,
      memoryMax,
      pidsMax,
      cpuMax,
      populated,
    })),
  ).toEqual([
    { path: `${top}/empty`, pids: 0, memoryMax: 'max', pidsMax: 'max', cpuMax: 'max', populated: false },
    { path: `${top}/busy`, pids: 1, memoryMax: 67_108_864, pidsMax: 9, cpuMax: 0.25, populated: true },
  ])
  expect(groups[1].rates.cpus).toBeGreaterThan(0)
  const all = await hutch(['stats', '--no-stream', '--all', '--interval', '100ms'])
  expect(all.stdout).toContain(`${top}/empty`)
})

test('stats streams until a signal, and until the groups that were named are gone', async (context) => {
  requires(context, 'not a VM')
  await ground()
  const running = begin(hutchFile, [...hutchArgs, 'stats', '--json', '--interval', '100ms', `${top}/busy`])
  await heard(running, /\n/)
  process.kill(running.pid, 'SIGTERM')
  expect((await running.ended).status).toBe(0)
  // a reader that has enough
  const words = [...hutchCommand, 'stats', '--json', '--interval', '50ms', `${top}/busy`]
  const enough = await collect('sh', ['-c', `{ "$@"; echo $? >&2; } | head -n 3`, '-', ...words])
  expect([enough.stdout.split('\n').length, enough.stderr]).toEqual([4, '0\n'])
  const other = begin(hutchFile, [...hutchArgs, 'stats', '--interval', '100ms', `${top}/empty`])
  await heard(other, /\n/)
  await Cgroup.open(`${top}/empty`).remove()
  const ended = await other.ended
  expect(ended.status).toBe(0)
  expect(ended.stdout).toContain(`${top}/empty   --      -- / --`)
})

test('few descriptors are enough', async () => {
  for (let i = 0; i < 30; i++) await Cgroup.create(`${top}/g${i}`, { files: { 'pids.max': 100 + i } })
  const words = [...hutchCommand, 'stats', '--no-stream', '--all', '--json', '--interval', '50ms']
  const { status, stdout, stderr } = await collect('sh', ['-c', 'ulimit -n 90; exec "$@"', '-', ...words])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const ours = JSON.parse(stdout).groups.filter(({ path }: { path: string }) => path.startsWith(`${top}/g`))
  expect(ours.map(({ pidsMax }: { pidsMax: number }) => pidsMax).sort()).toEqual(
    Array.from({ length: 30 }, (_, i) => 100 + i),
  )
})

test('what is not understood is said', async () => {
  const full = await collect('sh', ['-c', '"$@" > /dev/full', '-', ...hutchCommand, 'ps', '/'])
  expect(full).toEqual({
    status: 125,
    stdout: '',
    stderr: expect.stringMatching(/^hutch: cannot write to "?standard output"?: ENOSPC\n {2}remedy: .*\n$/),
  })
  expect((await hutch(['stats', '--interval', '1ms'])).stderr).toContain('invalid value 1ms for --interval')
  expect((await hutch(['stats', '/no/such/group'])).stderr).toContain('cannot find the group /no/such/group')
})

test('ps lists processes with their groups, and ps --tree draws them', async () => {
  const group = await Cgroup.create(`${top}/a`)
  const child = startQuiet('sh', ['-c', 'sleep 1000 & echo $!; wait'])
  const [line] = await new Promise<Buffer[]>((resolve) => child.stdout!.once('data', (data) => resolve([data])))
  const below = Number(String(line))
  await becomes(below, 'sleep')
  await group.add(child.pid!, below)
  const other = sleeper()
  await Cgroup.create(`${top}/a/b`, { controllers: [] })
  const b = await Cgroup.create(`${top}/c`)
  await b.add(other)
  const list = await hutch(['ps', top])
  expect(list.stdout).toMatch(/^ *PID {3}USER {3,}GROUP {3,}THREADS {3,}RSS {3,}TIME {3}COMMAND\n/)
  expect(list.stdout).toMatch(
    new RegExp(`^ *${below} {3}root {3,}${top}/a {3,}1 {3,}\\S+ \\S+ {3,}0:00\\.\\d\\d {3}sleep 1000$`, 'm'),
  )
  const tree = await hutch(['ps', '--tree', top])
  expect(tree.stdout).toBe(
    `${top}\n├─ a\n│  └─ ${child.pid} root  sh -c sleep 1000 & echo $!; wait\n│     └─ ${below} root  sleep 1000\n└─ c\n   └─ ${other} root  sleep 1000\n`,
  )
  const json = JSON.parse((await hutch(['ps', '--tree', '--json', top])).stdout)
  expect(
    json.groups.map(({ path, processes }: { path: string; processes: { pid: number; children: object[] }[] }) => [
      path,
      processes.map(({ pid, children }) => [pid, children.length]),
    ]),
  ).toEqual([
    [`${top}/a`, [[child.pid, 1]]],
    [`${top}/c`, [[other, 0]]],
  ])
  const all = JSON.parse((await hutch(['ps', '--json'])).stdout)
  const groupsOf = (pid: number) =>
    all.filter((one: { pid: number }) => one.pid === pid).map(({ group: path }: { group: string }) => path)
  expect(groupsOf(other)).toEqual([`${top}/c`])
  // threads of the kernel are shown when asked for
  expect(all.some(({ command }: { command: string }) => command === '[kthreadd]')).toBe(false)
})

test('what Docker calls a container is shown and taken, and hostile state of it is nothing', async (context) => {
  requires(context, 'root')
  const place = mkdtempSync(`${tmpdir()}/hutch-docker-`)
  const ids = ['a1', 'b2', 'c3', 'd4', 'e5', 'f6'].map((two) => two.repeat(32))
  const name = `web-${process.pid}`
  const states = [
    { Name: `/${name}` },
    { Name: '/\x1b[31mred' },
    { Name: 7 },
    { Name: `/${name}`, more: 'x'.repeat(2 ** 20) },
  ]
  for (const [i, id] of ids.entries()) {
    mkdirSync(`${place}/containers/${id}`, { recursive: true })
    const file = `${place}/containers/${id}/config.v2.json`
    if (i < 4) writeFileSync(file, JSON.stringify(states[i]))
    // a link to a good one, and a pipe
    if (i === 4) symlinkSync(`../${ids[0]}/config.v2.json`, file)
    if (i === 5) execFileSync('mkfifo', [file])
    await Cgroup.create(`${top}/docker-${id}.scope`)
  }
  await Cgroup.create(`${top}/docker/${'9'.repeat(64)}`)
  // Docker's own place is empty but for the command, which has mounts of its own
  const inside = (...args: string[]) =>
    collect('unshare', [
      ...['--mount', 'sh', '-ec'],
      'mount -t tmpfs none /var/lib; mkdir -p /var/lib/docker; mount --bind "$1" /var/lib/docker; shift; exec "$@"',
      ...['-', place, ...hutchCommand, ...args],
    ])
  try {
    const { status, stdout } = await inside('stats', '--no-stream', '--no-trunc', '--all', '--interval', '50ms')
    expect(status).toBe(0)
    expect(stdout).toContain(`${top}/docker-a1a1a1a1a1a1….scope (${name})`)
    for (const id of ids.slice(1)) expect(stdout).toMatch(new RegExp(`${top}/docker-${id}\\.scope  `))
    const named = await inside('stats', '--no-stream', '--json', '--interval', '50ms', name)
    expect(JSON.parse(named.stdout).groups).toEqual([
      expect.objectContaining({ path: `${top}/docker-${ids[0]}.scope`, container: name }),
    ])
    const why = JSON.parse((await inside('why', '--json', name)).stdout)
    expect(why.target.path).toBe(`${top}/docker-${ids[0]}.scope`)
    const missing = await inside('stats', '--no-stream', `${name}-not`)
    expect([missing.status, missing.stderr]).toEqual([125, expect.stringContaining(`${name}-not`)])
    // without that state it is an unknown name
    expect((await hutch(['stats', '--no-stream', name])).status).toBe(125)
  } finally {
    rmSync(place, { recursive: true })
  }
})

test('names that steer a terminal do not reach it', async () => {
  await Cgroup.create(top)
  const { unified, v1 } = readHost()
  const directory = `${(unified ?? Object.values(v1)[0]!).mount}${top}/\x1b[31m\u202eevil`
  mkdirSync(directory)
  try {
    const { stdout } = await hutch(['stats', '--no-stream', '--all', '--interval', '50ms'])
    expect(stdout).toContain(`${top}/\\x1b[31m\\u{202e}evil`)
    expect(stdout).not.toMatch(/[\x1b\u202e]/)
  } finally {
    rmdirSync(directory)
  }
})

test('stats shortens long paths, unless --no-trunc', async () => {
  const deep = `${top}/${'a'.repeat(100)}/${'b'.repeat(100)}/end`
  await Cgroup.create(deep)
  const table = async (...args: string[]) =>
    (await hutch(['stats', '--no-stream', '--all', '--interval', '100ms', ...args])).stdout.trimEnd().split('\n')
  const [short, whole] = [await table(deep), await table(deep, '--no-trunc')]
  expect(Math.max(...short.map((line) => line.length))).toBeLessThanOrEqual(120)
  expect(short[1]).toMatch(/^….*end /)
  expect(whole[1]!.startsWith(`${deep} `)).toBe(true)
})
