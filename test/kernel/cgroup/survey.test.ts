// SPDX-License-Identifier: Apache-2.0
// All groups of this machine, looked at again and again.
// Runs alone: it lists all groups of the host twice.
import { mkdirSync, readdirSync, readlinkSync, rmdirSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { allPaths } from '../../../src/cgroup/group-paths.ts'
import { readHost, readMembership } from '../../../src/host/host.ts'
import { Cgroup, HutchError } from '../../../src/index.ts'
import { readMembers } from '../../../src/monitor/processes.ts'
import { rates } from '../../../src/monitor/rates.ts'
import { openSampler, type Sampler } from '../../../src/monitor/sampler.ts'
import { hutch } from '../../cli/hutch.ts'
import { requires } from '../../support/requires.ts'
import { endSleepers, sleeper, startQuiet } from '../../support/sleeper.ts'

const top = `/hutch-test-${process.pid}`
let survey: Sampler | undefined

afterEach(async () => {
  survey?.close()
  survey = undefined
  await endSleepers()
  try {
    await Cgroup.open(top).remove({ recursive: true, kill: true })
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
  }
})

const look = (full = false) => {
  survey ??= openSampler(readHost())
  return survey.sample(full)
}

test('it has every group there is, each behind the one it is in', async () => {
  await Cgroup.create(`${top}/b`)
  await Cgroup.create(`${top}-b/c`)
  try {
    // others may make and remove groups meanwhile
    const before = allPaths(readHost())
    const paths = [...look().groups.keys()]
    const after = new Set(allPaths(readHost()))
    const stayed = before.filter((path) => after.has(path))
    expect(stayed.filter((path) => !paths.includes(path))).toEqual([])
    expect(paths.filter((path) => !before.includes(path) && !after.has(path))).toEqual([])
    expect(paths[0]).toBe('/')
    const ours = paths.filter((path) => path.startsWith(top))
    expect(ours).toEqual([top, `${top}/b`, `${top}-b`, `${top}-b/c`])
  } finally {
    await Cgroup.open(`${top}-b`).remove({ recursive: true })
  }
})

test('it says what a group says of itself', async () => {
  const group = await Cgroup.create(top, {
    controllers: ['memory', 'pids', 'cpu', 'io'],
    files: { 'memory.max': '64M', 'pids.max': 7, 'cpu.max': { quota: 25_000, period: 100_000 } },
  })
  await group.add(sleeper())
  const sample = look().groups.get(top)!
  const stats = group.stats()
  expect(sample).toMatchObject({ memoryMax: 67_108_864, pidsMax: 7, cpuMax: 0.25, pids: 1, populated: true })
  expect(sample).toMatchObject({ frozen: false, oomKills: 0 })
  expect(sample.cpuUsec).toBeLessThanOrEqual(stats.cpu!.cpuUsec!)
  expect(Math.abs(sample.memory! - stats.memory!.current)).toBeLessThan(2 ** 20)
  expect(sample.io).toEqual({})
  await group.freeze()
  try {
    expect(look().groups.get(top)!.frozen).toBe(true)
  } finally {
    // what is frozen on v1 could not be killed
    await group.thaw()
  }
  expect(look().groups.get(top)!.frozen).toBe(false)
})

test('groups that come, go, and come again are seen at the next look', async () => {
  look()
  const group = await Cgroup.create(top, { files: { 'pids.max': 5 } })
  expect(look().groups.get(top)).toMatchObject({ pidsMax: 5 })
  await group.remove()
  await Cgroup.create(top, { files: { 'pids.max': 6 } })
  expect(look().groups.get(top)).toMatchObject({ pidsMax: 6 })
  await Cgroup.open(top).remove()
  expect(look().groups.has(top)).toBe(false)
})

test("a group of one of v1's hierarchies alone is seen, too", async (context) => {
  requires(context, 'v1 controllers')
  const [controller, { mount }] = Object.entries(readHost().v1).find(([name]) => name === 'pids')!
  look()
  mkdirSync(`${mount}${top}`)
  try {
    expect([controller, look().groups.get(top)]).toMatchObject([controller, { pids: 0, pidsMax: 'max' }])
  } finally {
    rmdirSync(`${mount}${top}`)
  }
  expect(look().groups.has(top)).toBe(false)
})

test('a controller that is handed down later shows up', async (context) => {
  requires(context, 'v2')
  const above = await Cgroup.create(top, { controllers: ['pids'] })
  const below = await Cgroup.create(`${top}/below`, { controllers: ['cpu'] })
  await above.set('cgroup.subtree_control', '-pids', { force: true })
  expect(look().groups.get(below.path)!.pids).toBeUndefined()
  await above.set('cgroup.subtree_control', '+pids')
  expect(look(true).groups.get(below.path)!.pids).toBe(0)
  await above.set('cgroup.subtree_control', '-pids', { force: true })
  expect(look().groups.get(below.path)!.pids).toBeUndefined()
})

test('a limit that changes where nothing happens is seen at a full look', async () => {
  const group = await Cgroup.create(top, { files: { 'pids.max': 5 } })
  look()
  await group.set('pids.max', 6)
  expect(look(true).groups.get(top)!.pidsMax).toBe(6)
})

test('a group in which nothing happened is the same value as before', async () => {
  await Cgroup.create(top)
  const before = look().groups.get(top)
  expect(look().groups.get(top)).toBe(before)
})

test('what a process burns is its rate', async () => {
  const files = { 'cpu.max': { quota: 20_000, period: 100_000 } }
  const group = await Cgroup.create(top, { controllers: ['cpu'], files })
  await group.add(startQuiet('sh', ['-c', 'while :; do :; done']).pid!)
  // on a busy machine it gets less than its quota: the group's own counters say how much
  const counted = () => ({ at: performance.now(), ...group.stats().cpu })
  const first = counted()
  const before = look()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const rate = rates(before, look()).get(top)!
  const last = counted()
  const expected = (last.cpuUsec! - first.cpuUsec!) / 1000 / (last.at - first.at)
  const throttled = (last.throttledPeriods! - first.throttledPeriods!) / (last.periods! - first.periods!)
  expect(expected).toBeGreaterThan(0)
  expect(Math.abs(rate.cpus! - expected)).toBeLessThan(0.1)
  expect(Math.abs(rate.throttled! - throttled)).toBeLessThan(0.35)
})

test('what is killed for memory is counted', async () => {
  await Cgroup.create(top, { controllers: ['memory'], files: { 'memory.max': '8M' } })
  const before = look()
  expect(before.groups.get(top)!.oomKills).toBe(0)
  await hutch(['cgroup', 'exec', top, '--', 'tail', '/dev/zero'])
  const after = look()
  expect(after.groups.get(top)!.oomKills).toBe(1)
  expect(rates(before, after).get(top)!.oomKills).toBe(1)
})

/** Of this process: all, or those of our groups. */
function openFiles(of = ''): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes(of)
    } catch {
      return false
    }
  }).length
}

test('what memory.high slows is counted', { timeout: 300_000 }, async (context) => {
  requires(context, 'v2')
  await Cgroup.create(top, { controllers: ['memory'], files: { 'memory.high': '8M', 'memory.swap.max': 0 } })
  const before = look()
  // it may be slowed for long, which is what the limit is for: it is killed when it was counted
  const fill = 'head -c 10000000 /dev/zero | tail > /dev/null; exec sleep 600'
  const ended = hutch(['cgroup', 'exec', top, '--', 'sh', '-c', fill])
  const after = await vi.waitFor(
    () => {
      const sample = look(true)
      expect(sample.groups.get(top)!.memoryHighEvents).toBeGreaterThan(0)
      return sample
    },
    { timeout: 120_000, interval: 100 },
  )
  await Cgroup.open(top).kill()
  await ended
  expect(before.groups.get(top)).toMatchObject({ memoryHigh: 8 * 2 ** 20, memoryHighEvents: 0 })
  const count = after.groups.get(top)!.memoryHighEvents
  expect(rates(before, after).get(top)!.memoryHighEvents).toBe(count)
})

test('no descriptor stays open, neither of a group that went nor after the end', async () => {
  const before = openFiles()
  for (let i = 0; i < 20; i++) await Cgroup.create(`${top}/g${i}`)
  look()
  expect(openFiles(top)).toBeGreaterThan(20)
  await Cgroup.open(top).remove({ recursive: true })
  look()
  expect(openFiles(top)).toBe(0)
  expect(openFiles()).toBeGreaterThan(before)
  survey!.close()
  survey!.close()
  // others of this process, of the test runner itself, come and go
  await vi.waitFor(() => expect(openFiles()).toBeLessThanOrEqual(before), 10_000)
})

test('names of any kind are taken as they are', async () => {
  const odd = `${top}/\u202eodd "name" \\ \x1b[31m`
  await Cgroup.create(top)
  const { unified, v1 } = readHost()
  const directory = `${(unified ?? Object.values(v1)[0]!).mount}${odd}`
  mkdirSync(directory)
  try {
    expect(look().groups.has(odd)).toBe(true)
  } finally {
    rmdirSync(directory)
  }
})

test('names that are no UTF-8 have figures, each a text of its own, and can be worked with', async () => {
  // hands the controller down
  await (await Cgroup.create(`${top}/first`, { controllers: ['pids'] })).remove()
  const { pids, '': unified } = Cgroup.open(top).directories
  const directory = (pids ?? unified)!
  const names: [bytes: string, text: string][] = [
    ['a\xff', 'a\ufffdff'],
    ['a\xfe', 'a\ufffdfe'],
    // U+FFFD itself, and what looks like the text of another
    ['a\xef\xbf\xbd', 'a\ufffdef\ufffdbf\ufffdbd'],
    ['a\xef\xbf\xbdff', 'a\ufffdef\ufffdbf\ufffdbdff'],
    ['\xc3\xa4 \xe2\x98\x83 \xf0\x9f\x98\x80 \xf0\x9f', 'ä ☃ 😀 \ufffdf0\ufffd9f'],
  ]
  for (const [bytes] of names) mkdirSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(bytes, 'latin1')]))
  const pid = sleeper()
  const odd = Cgroup.open(`${top}/a\ufffdff`)
  await odd.set('pids.max', 7)
  await odd.add(pid)
  const { groups } = look()
  expect(
    names.map(([, text]) => [text, groups.get(`${top}/${text}`)?.pids, groups.get(`${top}/${text}`)?.pidsMax]),
  ).toEqual(names.map(([, text], i) => [text, i === 0 ? 1 : 0, i === 0 ? 7 : 'max']))
  expect(
    readMembers(readHost(), top)
      .get(`${top}/a\ufffdff`)
      ?.map((one) => one.pid),
  ).toEqual([pid])
  expect(readMembership(pid)).toContain(`${top}/a\ufffdff\n`)
  expect(
    Cgroup.open(top)
      .children()
      .map(({ path }) => path),
  ).toEqual(names.map(([, text]) => `${top}/${text}`).sort())
  const listed = await hutch(['cgroup', 'ls', top])
  expect(listed.stdout.split('\n').sort()).toEqual(['', ...names.map(([, text]) => `${top}/${text}`)].sort())
  const { stdout } = await hutch(['stats', '--no-stream', '--interval', '50ms', `${top}/a\ufffdff`])
  expect(stdout).toMatch(/\/a\ufffdff .* 1\n$/)
  const metrics = (await hutch(['metrics', '--once'])).stdout
  expect(metrics).toContain(`container_threads_max{id="${top}/a\ufffdff"} 7\n`)
  const inside = await hutch(['cgroup', 'exec', `${top}/a\ufffdff`, '--', 'printf', '%s', '\ufffdff'])
  expect(inside).toEqual({ status: 0, stdout: '\ufffdff', stderr: '' })
  const limit = await hutch(['cgroup', 'get', `${top}/a\ufffdff`, 'pids.max'])
  expect(limit).toEqual({ status: 0, stdout: '7\n', stderr: '' })
  // a U+FFFD that is typed is meant as it is
  expect(Cgroup.open(`${top}/a\ufffd`).path).toBe(`${top}/a\ufffdef\ufffdbf\ufffdbd`)
  expect((await hutch(['cgroup', 'get', `${top}/a\ufffdfd`, 'pids.max'])).status).toBe(125)
})
