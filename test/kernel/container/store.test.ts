// SPDX-License-Identifier: Apache-2.0
// Directories of containers: created, locked, changed and removed by several processes, which are killed at random moments.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { buildSync } from 'esbuild'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { isRunning, readContainerProcess } from '../../../src/container/process.ts'
import { type ContainerState, stateVersion } from '../../../src/container/state.ts'
import {
  type ContainerStatus,
  containerProcesses,
  containerStatus,
  creationFile,
  startFile,
} from '../../../src/container/status.ts'
import {
  containerDirectory,
  createContainer,
  isChanging,
  type LockedContainer,
  listContainers,
  lockContainer,
  readContainer,
  withContainer,
} from '../../../src/container/store.ts'
import { readHost } from '../../../src/host/host.ts'
import { repetitions } from '../../support/sample.ts'

const place = mkdtempSync(`${tmpdir()}/hutch-store-`)
afterAll(() => rmSync(place, { recursive: true, force: true }))
let root = ''
let count = 0
beforeEach(() => {
  root = `${place}/root-${++count}/below`
})

type Details = { count: number }
const stateOf = (id: string): ContainerState<Details> => ({
  version: stateVersion,
  id,
  created: '2026-11-30T12:00:00Z',
  owner: 0,
  annotations: {},
  rootfs: '/',
  driver: 'cgroupfs',
  groups: [],
  details: { count: 0 },
})

test('a container is created once, read, changed and removed', async () => {
  const made: LockedContainer<Details> = createContainer(root, stateOf('a'))
  expect(made.directory).toBe(containerDirectory(root, 'a'))
  expect(statSync(root).mode & 0o777).toBe(0o700)
  expect(statSync(made.directory).mode & 0o777).toBe(0o700)
  expect(made.isNew).toBe(true)
  expect(() => createContainer(root, stateOf('a'))).toThrow(expect.objectContaining({ code: 'CONTAINER_EXISTS' }))
  expect(() => lockContainer(root, 'a', { waits: false })).toThrow(expect.objectContaining({ code: 'CONTAINER_BUSY' }))
  expect(isChanging(root, 'a')).toBe(true)
  made.close()
  made.close()
  expect(isChanging(root, 'a')).toBe(false)
  await withContainer<Details, void>(root, 'a', (container) => {
    expect([container.isNew, container.state]).toEqual([false, stateOf('a')])
    container.save({ ...container.state!, details: { count: 7 } })
  })
  expect(readContainer(root, 'a')).toEqual({ ...stateOf('a'), details: { count: 7 } })
  expect(listContainers(root)).toEqual(['a'])
  await withContainer(root, 'a', (container) => container.remove())
  expect(readdirSync(root)).toEqual([])
  for (const open of [readContainer, lockContainer])
    expect(() => open(root, 'a')).toThrow(expect.objectContaining({ code: 'CONTAINER_NOT_FOUND' }))
  expect(listContainers(`${root}/no`)).toEqual([])
  for (const id of ['..', 'a/b', 'x'.repeat(256)])
    expect(() => lockContainer(root, id)).toThrow(expect.objectContaining({ code: 'CONTAINER_ID_INVALID' }))
})

test('a directory without a state, or with the empty file of a crash, is removed by its id', async () => {
  mkdirSync(`${root}/half/more`, { recursive: true })
  mkdirSync(`${root}/crashed`)
  writeFileSync(`${root}/crashed/state.json`, '')
  for (const id of ['half', 'crashed']) {
    expect(() => readContainer(root, id)).toThrow(expect.objectContaining({ code: 'CONTAINER_NOT_FOUND' }))
    expect(() => createContainer(root, stateOf(id))).toThrow(expect.objectContaining({ code: 'CONTAINER_EXISTS' }))
    await withContainer(root, id, (container) => {
      expect(container.state).toBe(undefined)
      container.remove()
    })
  }
  expect(readdirSync(root)).toEqual([])
})

test('an empty directory is replaced, and a file is not', () => {
  mkdirSync(`${root}/empty`, { recursive: true })
  writeFileSync(`${root}/file`, '')
  createContainer(root, stateOf('empty')).close()
  expect(() => createContainer(root, stateOf('file'))).toThrow(expect.objectContaining({ code: 'CONTAINER_EXISTS' }))
  expect(() => lockContainer(root, 'file')).toThrow(expect.objectContaining({ code: 'CONTAINER_NOT_FOUND' }))
  expect(readdirSync(root).sort()).toEqual(['empty', 'file'])
})

test('who waited for the lock of a removed container does not find it, or finds its successor', async () => {
  const first = createContainer(root, stateOf('a'))
  const waiting = [1, 2].map(() => worker('lock', root, 'a'))
  for (const one of waiting) await expect.poll(() => waitsForLock(one)).toBe(true)
  first.remove()
  const second = createContainer(root, { ...stateOf('a'), details: { count: 5 } })
  first.close()
  await expect.poll(() => waiting.every(waitsForLock)).toBe(true)
  second.close()
  expect(await Promise.all(waiting.map(outputOf))).toEqual(['5', '5'])
  const third = lockContainer(root, 'a')
  const late = worker('lock', root, 'a')
  await expect.poll(() => waitsForLock(late)).toBe(true)
  third.remove()
  third.close()
  expect(await outputOf(late)).toBe('CONTAINER_NOT_FOUND')
})

test('changes of several processes exclude each other', async () => {
  createContainer(root, stateOf('a')).close()
  const workers = [1, 2, 3, 4].map(() => worker('count', root, 'a', '40'))
  await Promise.all(workers.map(outputOf))
  expect(readContainer<Details>(root, 'a').details.count).toBe(160)
})

/** `npm run test:kernels` tries more. KILL_SEED repeats the moments of an earlier run. */
const rounds = repetitions(400, 60, 10)
const seed = Number(process.env.KILL_SEED ?? Date.now() % 2 ** 32)

test(`${rounds} processes killed at random moments leave whole containers, free locks and free ids`, async () => {
  const random = randomFrom(seed)
  let whole = 0
  for (let round = 0; round < rounds; round++) {
    const workers = ['a', 'a', 'b'].map((id) => worker('churn', root, id))
    await Promise.all(workers.map((one) => once(one.stdout!, 'data')))
    await pause(random() * 12)
    for (const one of workers) one.kill('SIGKILL')
    await Promise.all(workers.map((one) => once(one, 'close')))
    for (const id of listContainers(root)) {
      const container = lockContainer<Details>(root, id, { waits: false })
      expect(container.state, `seed ${seed}`).toMatchObject({ id, details: { count: expect.any(Number) } })
      expect(containerStatus(root, container.state!), `seed ${seed}`).toBe('creating')
      whole++
      container.remove()
      container.close()
    }
    // a removal clears up after the killed processes
    createContainer(root, stateOf('c')).close()
    await withContainer(root, 'c', (container) => container.remove())
    expect(readdirSync(root), `seed ${seed}`).toEqual([])
  }
  expect(whole).toBeGreaterThan(0)
})

test('the status is that of the process, the file and the lock', async () => {
  const container = createContainer(root, stateOf('a'))
  const creating: ContainerStatus = 'creating'
  expect(containerStatus(root, container.state!)).toBe(creating)
  expect(containerStatus(root, container.state!, () => false)).toBe('stopped')
  const child = spawn('sleep', ['600'])
  const first = readContainerProcess(child.pid!)!
  const state = { ...stateOf('a'), process: first }
  container.save(state)
  expect(containerStatus(root, state)).toBe('running')
  writeFileSync(`${container.directory}/${startFile}`, '')
  expect(containerStatus(root, state)).toBe('created')
  writeFileSync(`${container.directory}/${creationFile}`, '')
  expect(containerStatus(root, state)).toBe(creating)
  // a creation that was killed
  expect(containerStatus(root, state, () => false)).toBe('created')
  rmSync(`${container.directory}/${creationFile}`)
  expect(containerStatus(root, { ...state, process: { ...first, started: first.started - 1 } })).toBe('stopped')
  // the process of another pid namespace cannot be checked, and no group has processes
  expect(containerStatus(root, { ...state, process: { ...first, pidNamespace: '1' } })).toBe('stopped')
  expect(isRunning({ ...first, pidNamespace: '1' })).toBe(undefined)
  // a group that has processes tells of them, too: this process's own
  const own = { controller: '', directory: ownGroup() }
  expect(containerStatus(root, { ...state, groups: [own], process: { ...first, pidNamespace: '1' } })).toBe('created')
  expect(containerProcesses({ groups: [own, own] }).filter((pid) => pid === process.pid)).toEqual([process.pid])
  const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = (await once(parent.stdout!, 'data')) as [Buffer]
  const zombie = readContainerProcess(Number(line))!
  // the shell would wait for it
  await expect.poll(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8')).toBe('sleep\n')
  process.kill(zombie.pid, 'SIGKILL')
  await expect.poll(() => isRunning(zombie)).toBe(false)
  expect(existsSync(`/proc/${zombie.pid}`)).toBe(true)
  child.kill('SIGKILL')
  parent.kill('SIGKILL')
  await Promise.all([once(child, 'exit'), once(parent, 'exit')])
  expect(containerStatus(root, state)).toBe('stopped')
  container.close()
})

/** Returns a group of this process, in any hierarchy. */
function ownGroup(): string {
  const host = readHost()
  return (host.unified ?? Object.values(host.v1)[0])!.own
}

const code = `
import { createContainer, lockContainer, withContainer } from './src/container/store.ts'
import { pause } from './src/system/clock.ts'
const [what, root, id, times] = process.argv.slice(2)
const state = { version: 1, id, created: '', owner: 0, annotations: {}, rootfs: '/', driver: 'cgroupfs', groups: [], details: { count: 0 } }
const actions = {
  lock() {
    try {
      console.log(lockContainer(root, id).state.details.count)
    } catch (error) {
      console.log(error.code)
    }
  },
  async count() {
    for (let i = 0; i < Number(times); i++)
      await withContainer(root, id, async (container) => {
        const { count } = container.state.details
        await pause(0)
        container.save({ ...container.state, details: { count: count + 1 } })
      })
  },
  churn() {
    console.log('begun')
    for (;;)
      try {
        const container = createContainer(root, state)
        for (let count = 0; count < 3; count++) container.save({ ...state, details: { count } })
        container.close()
        const again = lockContainer(root, id)
        again.remove()
        again.close()
      } catch (error) {
        if (!['CONTAINER_EXISTS', 'CONTAINER_NOT_FOUND'].includes(error.code)) throw error
      }
  },
}
await actions[what]()
`

let bundled: string | undefined

/** Starts a process that uses the store. */
function worker(...words: string[]): ChildProcess {
  if (bundled === undefined) {
    bundled = `${place}/dist/worker.mjs`
    mkdirSync(`${place}/dist`)
    symlinkSync(resolve('build'), `${place}/build`)
    buildSync({
      stdin: { contents: code, resolveDir: process.cwd(), loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: bundled,
    })
  }
  return spawn(process.execPath, [bundled, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function outputOf(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout!.on('data', (bytes: Buffer) => {
    text += String(bytes)
  })
  const [status] = (await once(child, 'close')) as [number | null]
  expect(status).toBe(0)
  return text.trim()
}

/** Returns true if the kernel lists the process among those that wait for a lock of a file. */
function waitsForLock({ pid }: ChildProcess): boolean {
  return new RegExp(`-> FLOCK .* ${pid} `).test(execFileSync('cat', ['/proc/locks'], { encoding: 'utf8' }))
}

/** Returns a function that returns numbers from 0 to 1 (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
