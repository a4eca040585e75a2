// SPDX-License-Identifier: Apache-2.0
// The handle on groups, on whatever layout this host has.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { Cgroup, HutchError } from '../../../src/index.ts'
import { requires } from '../../support/requires.ts'
import { endSleepers, sleeper, startQuiet } from '../../support/sleeper.ts'

const top = `/hutch-test-${process.pid}`
const isV2 = readHost().layout === 'v2'

afterEach(async () => {
  await endSleepers()
  await Cgroup.open(top).remove({ recursive: true, kill: true })
})

const make = (name = '', options: Parameters<typeof Cgroup.create>[1] = {}) => Cgroup.create(`${top}${name}`, options)
const code = (error: unknown) => (HutchError.is(error) ? [error.code, error.errno] : error)

test('a group is made with its limits, read back in v2 terms, and removed', async () => {
  const group = await make('/a/b', { files: { 'memory.max': '50M', 'pids.max': 20 } })
  expect(group.path).toBe(`${top}/a/b`)
  expect([group.get('memory.max'), group.get('pids.max')]).toEqual([50 * 2 ** 20, 20])
  expect(group.get('pids.current')).toBe(0)
  await group.set('memory.max', 'max')
  expect(group.get('memory.max')).toBe('max')
  await group.set('cpu.max', { quota: 50_000, period: 100_000 })
  expect(group.read('cpu.max')).toBe('50000 100000')
  expect(
    Cgroup.open(top)
      .children()
      .map(({ path }) => path),
  ).toEqual([`${top}/a`])
  await group.remove()
  expect(() => Cgroup.open(`${top}/a/b`)).toThrow(/cannot find the group/)
})

test('swap is told apart from memory in every layout', async () => {
  const group = await make('/swap', { files: { 'memory.max': '40M', 'memory.swap.max': 0 } })
  expect(group.get('memory.swap.max')).toBe(0)
  await group.set('memory.max', '60M')
  expect([group.get('memory.max'), group.get('memory.swap.max')]).toEqual([60 * 2 ** 20, 0])
  await group.set('memory.max', '20M')
  expect([group.get('memory.max'), group.get('memory.swap.max')]).toEqual([20 * 2 ** 20, 0])
})

test('when a limit is refused, nothing of the group is left', async () => {
  await make()
  const failed = await make('/x/y', { files: { 'memory.max': '50M', 'memory.maximum': 1 } }).catch(code)
  expect(failed).toEqual(['CGROUP_FILE_MISSING', 'ENOENT'])
  for (const directory of Object.values(Cgroup.open(top).directories))
    expect(existsSync(`${directory}/x/y`)).toBe(false)
})

test('processes are moved in, seen, frozen, thawed and killed', async () => {
  const group = await make('/run')
  const pids = [sleeper(), sleeper()].sort((a, b) => a - b)
  await group.add(...pids)
  expect(group.processes()).toEqual(pids)
  const busy = startQuiet('sh', ['-c', 'while :; do :; done'])
  const used = () => Number(readFileSync(`/proc/${busy.pid}/stat`, 'utf8').split(' ')[13])
  await group.add(busy.pid!)
  await group.freeze()
  expect(group.stats().frozen).toBe(true)
  const before = used()
  await pause(300)
  expect(used()).toBe(before)
  await group.thaw()
  expect(group.stats().frozen).toBe(false)
  await vi.waitFor(() => expect(used()).toBeGreaterThan(before), 30_000)
  await group.freeze()
  await group.kill()
  expect(group.processes()).toEqual([])
})

test("cgroup.freeze is one file, also for a group in v1's freezer", async (context) => {
  if (!readHost().v1.freezer) return context.skip("needs v1's freezer")
  const group = await make('/ice', { controllers: ['freezer'] })
  await group.add(sleeper())
  const seen = () => [group.get('cgroup.freeze'), group.stats().frozen, group.read('freezer.state')]
  await group.freeze()
  expect(seen()).toEqual([true, true, 'FROZEN'])
  await group.set('cgroup.freeze', false)
  await vi.waitFor(() => expect(seen()).toEqual([false, false, 'THAWED']), 30_000)
  await group.set('cgroup.freeze', true)
  await vi.waitFor(() => expect(seen()).toEqual([true, true, 'FROZEN']), 30_000)
  await group.thaw()
  expect(seen()).toEqual([false, false, 'THAWED'])
  await group.set('freezer.state', 'FROZEN')
  await vi.waitFor(() => expect(seen()).toEqual([true, true, 'FROZEN']), 30_000)
  // tasks that v1 has frozen never freeze in v2
  await group.freeze()
  expect(seen()).toEqual([true, true, 'FROZEN'])
  await group.thaw()
  expect(seen()).toEqual([false, false, 'THAWED'])
})

test('a group that is not empty stays, and the error says what is in it', async () => {
  const group = await make('/busy/below')
  const pid = sleeper()
  await group.add(pid)
  const error = await group.remove().catch((reason: HutchError) => reason)
  expect(error).toMatchObject({ code: 'CGROUP_REFUSED', errno: 'EBUSY' })
  expect((error as HutchError).message).toContain(`processes in it: ${pid} (sleep)`)
  const above = await Cgroup.open(`${top}/busy`)
    .remove()
    .catch((reason: HutchError) => reason)
  expect((above as HutchError).message).toContain('groups below it: below')
  await Cgroup.open(`${top}/busy`).remove({ recursive: true, kill: true })
})

test('statistics are the kernel’s', async () => {
  const group = await make('/stats', { files: { 'memory.max': '100M' } })
  const directory = group.directoryOf(isV2 ? 'memory.current' : 'memory.usage_in_bytes')!
  await group.add(sleeper())
  const { memory, pids, cpu, populated } = group.stats()
  expect(pids!.current).toBe(1)
  expect(cpu!.cpuUsec).toBeGreaterThanOrEqual(0)
  if (readHost().unified) expect(populated).toBe(true)
  const peak = Number(readFileSync(`${directory}/${isV2 ? 'memory.peak' : 'memory.max_usage_in_bytes'}`, 'utf8'))
  expect(memory!.peak).toBeLessThanOrEqual(peak)
})

test('statistics of I/O include descendants', async (context) => {
  requires(context, 'not a VM')
  const group = await make('/io', { controllers: ['io'] })
  const child = await make('/io/child', { controllers: ['io'] })
  const file = `${tmpdir()}/hutch-io-${process.pid}`
  try {
    const writer = spawn('sh', ['-c', `read -r _; exec dd if=/dev/zero of=${file} bs=1M count=4 oflag=direct`])
    await child.add(writer.pid!)
    writer.stdin.end('\n')
    expect(await once(writer, 'close')).toEqual([0, null])
  } finally {
    rmSync(file, { force: true })
  }
  expect(group.stats().io!.writtenBytes).toBeGreaterThanOrEqual(4 * 2 ** 20)
})

test('a delegated group is its user’s to divide, but not to enlarge', async (context) => {
  requires(context, 'root')
  const group = await make('/given', { files: { 'memory.max': '50M' } })
  await group.delegate(65534, 65534)
  const directory = group.directories['']
  const as = (script: string) =>
    spawnSync('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', 'sh', '-c', script], {
      encoding: 'utf8',
    }).status
  for (const at of new Set(Object.values(group.directories))) expect(as(`mkdir ${at}/mine && rmdir ${at}/mine`)).toBe(0)
  const limit = isV2 ? `${directory}/memory.max` : `${group.directories.memory}/memory.limit_in_bytes`
  expect(as(`echo 1G > ${limit}`)).not.toBe(0)
})

test('`await using` leaves nothing', async () => {
  await make()
  let path: string
  {
    await using group = await make('/scoped')
    await group.add(sleeper())
    path = group.path
  }
  expect(() => Cgroup.open(path)).toThrow(/cannot find/)
})

test('names that lead outside of the tree are refused, and nothing is made', async () => {
  await make()
  for (const name of ['/../etc', `${top}/../x`, `${top}/a\nb`, `${top}/a\0b`, `${top}/${'x'.repeat(300)}`])
    expect(code(await Cgroup.create(name).catch((error) => error))).toEqual(['CGROUP_PATH_INVALID', undefined])
  const group = Cgroup.open(top)
  for (const file of ['../memory.max', 'a/b', 'memory.max\n', ''])
    expect(code(await group.set(file, '1').catch((error) => error))).toEqual(['CGROUP_FILE_INVALID', undefined])
  expect(code(await group.set('memory.max', '1\n2').catch((error) => error))).toEqual(['OPTION_INVALID', undefined])
})

test('a name is found below the default parent, at the root, or wherever it is alone', async () => {
  const only = `only-one-of-this-name-${process.pid}`
  await make(`/${only}`)
  expect(Cgroup.open(only).path).toBe(`${top}/${only}`)
  await make('/twice/same')
  await make('/other/same')
  expect(() => Cgroup.open('same')).toThrow(/2 have this name/)
  expect(() => Cgroup.open(`${top}/x${only}`)).toThrow(`did you mean ${top}/${only}?`)
})

test('memory is taken back', async () => {
  const group = await make('/cache')
  expect(typeof (await group.reclaim('1M'))).toBe('boolean')
})

test('memory.max below what is in use is refused, with the figures, unless forced', async () => {
  const group = await make('/full', { files: { 'memory.max': '200M' } })
  const child = startQuiet('sh', [
    '-c',
    `${Object.values(group.directories)
      .map((at) => `echo $$ > ${at}/cgroup.procs;`)
      .join(' ')} exec build/bin/hutch hog 40M --hold 100s`,
  ])
  await new Promise((resolve) => {
    let seen = ''
    child.stdout!.on('data', (data) => {
      seen += data
      if (seen.includes('\n')) resolve(undefined)
    })
  })
  const error = await group.set('memory.max', '10M').catch((reason: HutchError) => reason)
  expect(code(error)).toEqual(isV2 ? ['CGROUP_LIMIT_BELOW_USE', undefined] : ['CGROUP_WRITE_REFUSED', 'EBUSY'])
  expect((error as HutchError).message).toMatch(/now 4\d\.\d MiB, at most 4\d\.\d MiB/)
  expect(child.exitCode ?? child.signalCode).toBe(null)
  if (!isV2) return
  const ended = new Promise((resolve) => child.once('exit', (_status, signal) => resolve(signal)))
  await group.set('memory.max', '10M', { force: true })
  expect(await ended).toBe('SIGKILL')
})

test('processes that keep a group from handing controllers on are moved only when asked', async (context) => {
  requires(context, 'v2')
  const group = await make('/full', { controllers: ['memory'] })
  const pid = sleeper()
  await group.add(pid)
  expect(code(await make('/full/below', { controllers: ['memory'] }).catch((error) => error))).toEqual([
    'CGROUP_POPULATED',
    'EBUSY',
  ])
  const below = await make('/full/below', { controllers: ['memory'], evacuate: true })
  expect([below.get('memory.max'), group.processes(), Cgroup.open(`${group.path}/hutch-leaf`).processes()]).toEqual([
    'max',
    [],
    [pid],
  ])
  const other = await make('/other', { controllers: ['memory', 'pids'] })
  await other.add(sleeper())
  await other.set('cgroup.subtree_control', '+pids', { evacuate: true })
  expect([other.get('cgroup.subtree_control'), other.get('cgroup.type')]).toEqual([['pids'], 'domain'])
})

test('threads are moved one by one within a threaded group', async (context) => {
  requires(context, 'v2')
  const domain = await make('/domain', { controllers: ['cpu', 'pids'] })
  const threaded = await make('/domain/threads', { controllers: [] })
  await threaded.set('cgroup.type', 'threaded')
  const pid = sleeper()
  await domain.add(pid)
  await threaded.addThreads(pid)
  expect([domain.get('cgroup.type'), threaded.threads()]).toEqual(['domain threaded', [pid]])
})

test('a limit of how many groups there may be is told as such', async (context) => {
  requires(context, 'a v2 tree')
  const group = await make('/few')
  await group.set('cgroup.max.descendants', 0)
  const error = await make('/few/one', { controllers: [] }).catch((reason: HutchError) => reason)
  expect(error).toMatchObject({ code: 'CGROUP_REFUSED', errno: 'EAGAIN' })
  expect((error as HutchError).message).toContain('cgroup.max.descendants of')
})

test('hutch/ comes with its first group and goes with its last', async (context) => {
  requires(context, 'root')
  await make()
  const { mount } = readHost().unified ?? Object.values(readHost().v1)[0]!
  if (existsSync(`${mount}/hutch`)) return
  const group = await Cgroup.create(`test-${process.pid}`)
  expect(existsSync(`${mount}/hutch`)).toBe(true)
  await group.remove()
  expect(existsSync(`${mount}/hutch`)).toBe(false)
})
