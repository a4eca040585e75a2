// SPDX-License-Identifier: Apache-2.0
// hutch cgroup, verb by verb, as a user types it.
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { Cgroup, HutchError } from '../../src/index.ts'
import { hutchArgs, hutchFile } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { endOf, endSleepers, sleeper } from '../support/sleeper.ts'
import { begin, collect, heard, hutch, watching } from './hutch.ts'

const top = `/hutch-test-${process.pid}`
const ok = (stdout: unknown = '') => ({ status: 0, stdout, stderr: '' })

afterEach(async () => {
  await endSleepers()
  try {
    await Cgroup.open(top).remove({ recursive: true, kill: true })
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
  }
})

const cgroup = (...args: string[]) => hutch(['cgroup', ...args])

test('set writes all of its files or none, and says what it cannot set back', async (context) => {
  requires(context, 'a v2 tree')
  const made = await cgroup('create', top, '--controllers', 'memory,pids,cpuset', '--memory', '50M', '--pids', '20')
  expect(made).toMatchObject({ status: 0 })
  const group = Cgroup.open(top)
  const values = () => ['memory.max', 'pids.max', 'cpuset.cpus'].map((file) => group.read(file))
  const before = values()
  const refused = await cgroup('set', top, 'memory.max=max', 'pids.max=7', 'pids.max=9', 'cpuset.cpus=9999')
  expect(refused).toMatchObject({ status: 125, stderr: expect.stringContaining('cpuset.cpus') })
  expect(values()).toEqual(before)
  // one write after the other, as a shell makes them, keeps the first
  const [pids, cpus] = ['pids.max', 'cpuset.cpus'].map((file) => `${group.directoryOf(file)}/${file}`)
  await collect('sh', ['-c', `echo 7 > ${pids}; echo 9999 > ${cpus}`])
  expect(values()).toEqual([before[0], '7', before[2]])
  // the kernel has no way back from this one
  const { status, stderr } = await cgroup('set', top, 'pids.max=8', 'cgroup.type=threaded', 'cpuset.cpus=9999')
  expect({ status, pids: group.get('pids.max') }).toEqual({ status: 125, pids: 7 })
  expect(stderr).toContain(
    `cgroup.type of ${group.directories['']} was set to threaded before, and could not be set back to domain`,
  )
})

test('wait ends when the last process of a group and of those below has ended, or after its timeout', async () => {
  await cgroup('create', `${top}/below`)
  const pid = sleeper()
  await Cgroup.open(`${top}/below`).add(pid)
  expect(await cgroup('wait', '--timeout', '200ms', top)).toEqual({ ...ok(), status: 124 })
  const done = cgroup('wait', top)
  process.kill(pid)
  expect(await done).toEqual(ok())
  expect(Cgroup.open(`${top}/below`).processes()).toEqual([])
})

test('create, set, get, ls, rm', async () => {
  expect(await cgroup('create', `${top}/web`, '--memory', '50M', '--pids', '20')).toEqual(ok(`${top}/web\n`))
  expect(await cgroup('create', '--parent', top, 'db')).toEqual(ok(`${top}/db\n`))
  expect(await cgroup('get', `${top}/web`, 'memory.max')).toEqual(ok('52428800\n'))
  expect(await cgroup('set', `${top}/web`, 'memory.max=60M', 'pids.max=max')).toEqual(ok())
  expect(await cgroup('get', `${top}/web`, 'memory.max', 'pids.max')).toEqual(
    ok('memory.max: 62914560\npids.max: max\n'),
  )
  const typed = await cgroup('get', '--json', `${top}/web`, 'memory.max', 'pids.max', 'cpu.max')
  expect(JSON.parse(typed.stdout)).toEqual({
    'memory.max': 62_914_560,
    'pids.max': 'max',
    'cpu.max': { quota: 'max', period: 100_000 },
  })
  expect(await cgroup('ls', top)).toEqual(ok(`${top}/db\n${top}/web\n`))
  const rows = JSON.parse((await cgroup('ls', '--json', '-r', top)).stdout)
  expect(rows.map((row: { path: string; processes: number[] }) => [row.path, row.processes])).toEqual([
    [`${top}/db`, []],
    [`${top}/web`, []],
  ])
  expect((await cgroup('rm', top)).stderr).toContain('groups below it: db, web')
  expect(await cgroup('rm', `${top}/web`, `${top}/db`)).toEqual(ok())
  expect(await cgroup('ls', top)).toEqual(ok())
})

test('move, freeze, thaw, kill', async () => {
  await Cgroup.create(top)
  const pid = sleeper()
  expect(await cgroup('move', top, String(pid))).toEqual(ok())
  expect(Cgroup.open(top).processes()).toEqual([pid])
  expect(await cgroup('freeze', top)).toEqual(ok())
  expect((await cgroup('tree', top)).stdout).toMatch(/frozen/)
  expect(await cgroup('thaw', top)).toEqual(ok())
  const ended = endOf(pid)
  expect(await cgroup('kill', top)).toEqual(ok())
  expect(await ended).toBe('SIGKILL')
})

test('exec becomes the command inside the group', async () => {
  await Cgroup.create(top, { files: { 'memory.max': '100M', 'pids.max': 50 } })
  const { status, stdout } = await cgroup(
    'exec',
    top,
    '--',
    'sh',
    '-c',
    'cat /proc/self/cgroup; echo $0 "$@"; exit 7',
    'a b',
    'c',
  )
  expect(status).toBe(7)
  expect(stdout.endsWith('a b c\n')).toBe(true)
  const groups = readHost().layout === 'v2' ? [''] : ['memory', 'pids']
  for (const name of groups) expect(stdout).toMatch(new RegExp(`^\\d+:${name}:${top}$`, 'm'))
  expect(await cgroup('exec', top, 'no-such-command')).toMatchObject({
    status: 127,
    stderr: expect.stringContaining('ENOENT'),
  })
  expect(await cgroup('exec', top, '/')).toMatchObject({ status: 126, stderr: expect.stringContaining('EACCES') })
})

test('rm --kill removes a group with what runs in it', async () => {
  await Cgroup.create(`${top}/a/b`)
  await Cgroup.open(`${top}/a/b`).add(sleeper())
  const refused = await cgroup('rm', '-r', top)
  expect(refused).toMatchObject({ status: 125, stderr: expect.stringMatching(/processes in it: \d+ \(sleep\)/) })
  expect(await cgroup('rm', '-rk', top)).toEqual(ok())
})

test('tree draws use against limits', async () => {
  await Cgroup.create(`${top}/web`, { files: { 'memory.max': '50M', 'pids.max': 20 } })
  await Cgroup.create(`${top}/web/one`)
  await Cgroup.create(`${top}/db`)
  await Cgroup.open(`${top}/web/one`).add(sleeper())
  const { stdout } = await cgroup('tree', top)
  const lines = stdout.replaceAll(/ +$/gm, '').split('\n')
  expect(lines[0]).toMatch(/^GROUP +PROCS +MEMORY +TASKS +CPU +STALLED$/)
  expect(lines[1]).toMatch(new RegExp(`^${top} `))
  expect(lines[2]).toMatch(/^├─ db /)
  expect(lines[3]).toMatch(/^└─ web .* of 50\.0 MiB {2}░{8} {2}1 of 20/)
  expect(lines[4]).toMatch(/^ {3}└─ one +1 /)
  const tree = JSON.parse((await cgroup('tree', '--json', '--depth', '1', top)).stdout)
  expect(tree).toMatchObject({
    path: top,
    children: [{ path: `${top}/db` }, { path: `${top}/web`, limits: { memory: 52_428_800, pids: 20 }, children: [] }],
  })
  const busy = (await cgroup('tree', '--processes', top)).stdout
  expect(busy).toContain('one')
  expect(busy).not.toContain('db')
})

test('show explains every file, also of a group that others made', async () => {
  await Cgroup.create(`${top}/web`, { files: { 'memory.max': '50M' } })
  const { stdout } = await cgroup('show', `${top}/web`)
  const v2 = readHost().layout === 'v2'
  expect(stdout).toMatch(
    v2 ? /memory\.max +50\.0 MiB \(52428800\) +\w/ : /memory\.limit_in_bytes +50\.0 MiB \(52428800\) +\w/,
  )
  expect(stdout).toMatch(/pids\.max +max +\w/)
  // what a vendor added to this host's kernel has no words, and says so
  const unknown = JSON.parse((await cgroup('show', '--json', `${top}/web`)).stdout).filter(
    (one: { controller?: string }) => one.controller === undefined,
  )
  if (process.env.VM) expect(unknown).toEqual([])
  expect(stdout.includes('unknown to hutch')).toBe(unknown.length > 0)
  const one = JSON.parse((await cgroup('show', '--json', `${top}/web`, 'pids.max')).stdout)
  expect(one).toMatchObject([{ file: 'pids.max', controller: 'pids', value: 'max', access: 'read-write' }])
  expect((await cgroup('show', '/')).status).toBe(0)
})

test('controllers says where each is', async () => {
  const { stdout } = await cgroup('controllers')
  expect(stdout).toMatch(/^CONTROLLER +VERSION +GROUPS +WHERE\n/)
  const rows = JSON.parse((await cgroup('controllers', '--json')).stdout)
  const version = readHost().v1.memory ? 'v1' : 'v2'
  expect(rows).toContainEqual(expect.objectContaining({ controller: 'memory', version }))
})

test('who may not kill what is in a group is told so, and at once', async () => {
  const group = await Cgroup.create(top)
  await group.add(sleeper())
  const script = `import(process.argv[1]).then((hutch) => {
    const group = hutch.Cgroup.open('${top}')
    process.setuid(65534)
    return group.kill()
  }).catch((error) => console.log(error.message))`
  const begun = performance.now()
  const { stdout } = await collect(process.execPath, [
    '-e',
    script,
    new URL('../../dist/index.js', import.meta.url).href,
  ])
  expect(stdout).toMatch(/^cannot kill all processes of .*: the kernel refused \(EPERM\)\n.*\n {2}remedy: run as root/)
  expect(performance.now() - begun).toBeLessThan(process.env.VM ? 60_000 : 3000)
})

test('watch prints a line for each event and ends with its group', async (context) => {
  requires(context, 'a v2 tree')
  await Cgroup.create(top)
  const watch = begin(hutchFile, [...hutchArgs, 'cgroup', 'watch', top])
  await watching(watch.pid)
  const group = Cgroup.open(top)
  await group.add(sleeper())
  // a state that is over before it was read is not told
  await heard(watch, /populated 1/)
  await group.kill()
  await group.remove()
  const { status, stdout } = await watch.ended
  expect(status).toBe(0)
  const lines = stdout.split('\n').filter(Boolean)
  expect(lines.every((line) => /^\d\d:\d\d:\d\d\.\d{3} {2}/.test(line))).toBe(true)
  expect(lines.map((line) => line.slice(14))).toEqual([
    `${top}  cgroup.events  populated 1`,
    `${top}  cgroup.events  populated 0`,
    `${top}  removed`,
  ])
})

test('reclaim says what came of it', async () => {
  await Cgroup.create(top)
  const { status, stdout } = await cgroup('reclaim', top, '1M')
  expect(status).toBeLessThan(2)
  expect(stdout).toMatch(/^memory\.current: .* → .*\n$/)
})

const bad: [string[], string][] = [
  [['crate', 'x'], 'did you mean hutch cgroup create?'],
  [['create'], 'hutch cgroup create [OPTIONS] GROUP…'],
  [['create', `${top}/a`, 'pids.max=5'], '--set pids.max=5'],
  [['create', '../x'], '"." and ".." are not names of groups'],
  [['create', `${top}/x`, '--memory', 'lots'], 'invalid value lots for --memory'],
  [['create', `${top}/x`, '--controllers', 'memry'], 'no memry controller'],
  [['create', `${top}/x`, '--owner', 'no-such-user'], 'there is no user no-such-user'],
  [['set', top, 'memory.max'], 'there is no = in it'],
  [['set', top, '../x=1'], 'not the name of a cgroup file'],
  [['set', top, 'pids.max=lots'], 'invalid value lots for pids.max'],
  [['set', top, 'pids.max=5', 'pids.max=lots'], 'invalid value lots for pids.max'],
  [['create', `${top}/x`, `${top}/../y`], '"." and ".." are not names of groups'],
  [['set', `${top}x`, 'pids.max=1'], 'cannot find the group'],
  [['get', top, 'memory.maxi'], 'cannot find memory.maxi'],
  [['move', top, 'init'], 'not a process id'],
  [['tree', '--depth', 'x'], 'not a number'],
  [['watch', top, '--pressure', 'memory'], 'memory:some:150ms/1s'],
  [['watch', top, '--for', 'ever'], 'a time such as 10s'],
  [['apply', '/no/such/file'], 'cannot read /no/such/file: ENOENT'],
  [['reclaim', top, 'all'], 'a size such as 50M'],
]

test.each(bad)('cgroup %j is refused with a remedy, and nothing is changed', async (args, words) => {
  await Cgroup.create(top)
  const { status, stdout, stderr } = await cgroup(...args)
  expect([status, stdout]).toEqual([125, ''])
  expect(stderr).toContain(words)
  expect(stderr).toMatch(/\n {2}remedy: .+\n$/)
  expect([Cgroup.open(top).children(), Cgroup.open(top).get('pids.max')]).toEqual([[], 'max'])
})

test('a snapshot goes through a pipe', async () => {
  await Cgroup.create(`${top}/a`, { files: { 'pids.max': 7 } })
  const { stdout } = await cgroup('save', `${top}/a`)
  const path = `${tmpdir()}/hutch-test-${process.pid}-pipe.json`
  writeFileSync(path, stdout)
  await Cgroup.open(`${top}/a`).remove()
  expect((await cgroup('apply', path)).stdout).toMatch(/^make .*\/a\n/m)
  rmSync(path)
  expect(Cgroup.open(`${top}/a`).get('pids.max')).toBe(7)
})

test('a mistyped group or file is answered with the one that exists', async () => {
  await cgroup('create', `${top}/busybee`)
  expect(await cgroup('get', `${top.slice(1)}/busibee`)).toMatchObject({
    stderr: expect.stringContaining(`${top}/busybee`),
  })
  for (const [file, meant] of [
    ['memory', 'memory.max'],
    ['pids', 'pids.max'],
    ['memory.mx', 'memory.max'],
  ])
    expect((await cgroup('set', `${top}/busybee`, `${file}=5M`)).stderr).toContain(`did you mean ${meant}?`)
})

test('create and apply print JSON with --json', async () => {
  const created = await cgroup('create', `${top}/j`, '--json')
  expect(JSON.parse(created.stdout)).toEqual({ path: `${top}/j`, directories: expect.any(Object) })
  const file = `${tmpdir()}/hutch-test-${process.pid}.json`
  await cgroup('save', `${top}/j`, '--output', file)
  const applied = await cgroup('apply', '--dry-run', '--json', file)
  rmSync(file)
  expect(JSON.parse(applied.stdout)).toEqual(expect.any(Array))
})
