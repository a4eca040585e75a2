// SPDX-License-Identifier: Apache-2.0
// Many commands for one container at once, as several clients of an engine send them; and many in a row, after which nothing is left.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import { hierarchyMounts } from '../../support/oci-groups.ts'
import { makeGround, type Result } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'

const ground = makeGround('hutch')
const { call, begin } = ground
afterAll(ground.remove)
beforeEach((context) => requires(context, 'root', 'busybox'))

const groupsOf = (id: string) =>
  hierarchyMounts()
    .map((mount) => `${mount}/${id}`)
    .filter(existsSync)

/** How a command may end: well, or with one of these texts. */
const expectAnswer = ({ status, stderr }: Result, words: RegExp) =>
  expect(status === 0 ? '' : stderr).toMatch(new RegExp(`^$|${words.source}`))

test('state, exec, kill and update of one container from many processes at once', async () => {
  const id = ground.started()
  const results = await Promise.all(
    Array.from({ length: 24 }, (_, i) =>
      begin(
        [
          ['state', id],
          ['exec', id, 'echo', 'hi'],
          ['kill', id, '0'],
          ['update', '--pids-limit', String(100 + i), id],
          ['ps', '--format', 'json', id],
          ['list'],
        ][i % 6]!,
      ),
    ),
  )
  expect(results.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
    results.map(() => ({ status: 0, stderr: '' })),
  )
  expect(results.filter(({ stdout }) => stdout === 'hi\n')).toHaveLength(4)
})

test('kill and delete --force of one container from many processes at once', async () => {
  const id = ground.started()
  const results = await Promise.all(
    Array.from({ length: 18 }, (_, i) =>
      begin(
        [
          ['kill', id, 'KILL'],
          ['delete', '--force', id],
          ['state', id],
          ['exec', id, 'true'],
        ][i % 4]!,
      ),
    ),
  )
  for (const [i, result] of results.entries()) {
    if (i % 4 === 1) expect(result).toEqual({ status: 0, stdout: '', stderr: '' })
    else if (i % 4 === 3) expect(result.status === 0 || result.status === 255 || result.status === 137).toBe(true)
    else expectAnswer(result, /does not exist|container not running/)
  }
  expect([groupsOf(id), existsSync(`${ground.root}/${id}`)]).toEqual([[], false])
})

test('of many creations with one id, one succeeds, and the others do not harm its container', async () => {
  const id = ground.newId()
  const bundle = ground.bundle(id)
  const results = await Promise.all(Array.from({ length: 8 }, () => begin(['create', '--bundle', bundle, id])))
  const good = results.filter(({ status }) => status === 0)
  expect(good).toHaveLength(1)
  for (const result of results) expectAnswer(result, /already exists|cgroup is not empty/)
  expect(ground.status(id)).toBe('created')
  expect(call(['start', id]).status).toBe(0)
  expect(call(['exec', id, 'true']).status).toBe(0)
})

test('kill, state, start and delete --force while a container is created', async () => {
  for (let round = 0; round < 6; round++) {
    const id = ground.newId()
    const bundle = ground.bundle(id, { 'hooks.createRuntime': [{ path: '/bin/sh', args: ['sh', '-c', 'sleep 0.1'] }] })
    const creation = begin(['create', '--bundle', bundle, id])
    await vi.waitUntil(() => existsSync(`${ground.root}/${id}`), 10_000)
    const others = await Promise.all([
      begin(['state', id]),
      begin(['kill', id, 'KILL']),
      begin(['start', id]),
      begin(['delete', '--force', id]),
    ])
    const created = await creation
    expectAnswer(others[0], /does not exist/)
    expectAnswer(others[1], /does not exist|container not running/)
    expectAnswer(others[2], /does not exist|cannot start a container that has stopped/)
    expect(others[3]).toEqual({ status: 0, stdout: '', stderr: '' })
    expect([0, 1]).toContain(created.status)
    // whichever came last
    expect(call(['delete', '--force', id]).status).toBe(0)
    expect([groupsOf(id), existsSync(`${ground.root}/${id}`)]).toEqual([[], false])
  }
})

/** Counts the session keyrings of this file's containers. */
const keyrings = () =>
  readFileSync('/proc/keys', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`_ses.hutch-${process.pid}-`)).length

/** `npm run test:kernels` enters for a minute. */
const seconds = process.env.WHOLE === '1' && !process.env.VM ? 60 : 3
/** 50 execs a second, however long this machine takes. */
const wanted = seconds > 3 ? 50 * seconds : seconds

/** Bytes that a container's group holds; what the kernel keeps for each processor and could free does not count as growth. */
const memoryOf = (id: string) => JSON.parse(call(['events', '--stats', id]).stdout).data.memory.usage.usage as number
const maxGrowth = 1 << 20

test(`exec for ${seconds} s leaves no process, descriptor, file, keyring or memory`, { timeout: 900_000 }, async () => {
  const id = ground.started()
  const pid = ground.pid(id)
  const left = () => ({
    members: JSON.parse(call(['ps', '--format', 'json', id]).stdout),
    files: readdirSync(`${ground.root}/${id}`),
    descriptors: readdirSync(`/proc/${pid}/fd`),
    groups: groupsOf(id).map((group) => readdirSync(group).length),
  })
  expect(call(['exec', id, 'true']).status).toBe(0)
  const before = left()
  const keys = keyrings()
  const memory = memoryOf(id)
  const end = performance.now() + seconds * 1000
  let runs = 0
  const client = async () => {
    while (performance.now() < end || runs < wanted) {
      const words = runs++ % 2 ? ['exec', id, 'true'] : ['exec', '--detach', id, 'true']
      expect(await begin(words)).toEqual({ status: 0, stdout: '', stderr: '' })
    }
  }
  await Promise.all([client(), client(), client()])
  expect(runs).toBeGreaterThanOrEqual(wanted)
  if (seconds > 3) process.stderr.write(`${runs} execs; ${memoryOf(id) - memory} bytes more\n`)
  await vi.waitFor(() => expect(left()).toEqual(before), 10_000)
  await vi.waitFor(() => expect(memoryOf(id) - memory).toBeLessThan(maxGrowth), 10_000)
  // the kernel collects keys of ended processes later
  await vi.waitFor(() => expect(keyrings()).toBeLessThanOrEqual(keys), 20_000)
})

test.for<[string, { [path: string]: unknown }]>([
  ['1 MiB of memory', { 'linux.resources.memory.limit': 1 << 20 }],
  ['1 MiB of memory without swap', { 'linux.resources.memory': { limit: 1 << 20, swap: 1 << 20 } }],
  ['one process', { 'linux.resources.pids.limit': 1 }],
])('a static program starts with a limit of %s', ([, limits]) => {
  const id = ground.newId()
  const output = `${ground.path}/${id}.out`
  writeFileSync(output, '')
  const bundle = ground.bundle(id, { ...limits, 'process.args': ['echo', 'ran'] })
  expect(call(['run', '--bundle', bundle, id])).toEqual({ status: 0, stdout: 'ran\n', stderr: '' })
})

test('of several creations with one cgroupsPath at once, those that fail say that it is in use', async () => {
  for (let round = 0; round < 4; round++) {
    const path = `/${ground.newId()}`
    const ids = Array.from({ length: 4 }, () => ground.newId())
    const results = await Promise.all(
      ids.map((id) => begin(['create', '--bundle', ground.bundle(id, { 'linux.cgroupsPath': path }), id])),
    )
    for (const { status, stderr } of results)
      expect([status, stderr]).toEqual(
        status === 0 ? [0, ''] : [1, expect.stringMatching(/container's cgroup is not empty/)],
      )
    const made = ids.filter((_, i) => results[i]!.status === 0)
    expect(made.length).toBeGreaterThan(0)
    for (const id of made) expect(ground.status(id)).toBe('created')
    for (const id of ids) expect(call(['delete', '--force', id])).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(groupsOf(path.slice(1))).toEqual([])
  }
})
