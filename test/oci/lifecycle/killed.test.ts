// SPDX-License-Identifier: Apache-2.0
// The runtime is killed at random moments, and at moments that a pipe in place of its pid file holds: list, delete --force and a new container
// of the same id work afterwards, nothing is left, and no living container is lost.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { afterAll, expect, test, vi } from 'vitest'
import { hierarchyMounts } from '../../support/oci-groups.ts'
import { makeGround } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'
import { repetitions } from '../../support/sample.ts'
import { readStartTime } from '../../support/start-time.ts'

const ground = makeGround('hutch')
afterAll(ground.remove)

const rounds = Number(process.env.KILLS ?? repetitions(300, 16, 6))
/** KILL_SEED repeats the moments and commands of an earlier run. */
const seed = Number(process.env.KILL_SEED ?? Date.now() % 2 ** 32)

let state = seed
/** Returns a number from 0 to 1 (mulberry32). */
function random(): number {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

interface Victim {
  words: (id: string, bundle: string) => string[]
  /** What runs before: create, or create and start. */
  after: readonly ('create' | 'start')[]
  /** The statuses that the container can have afterwards; '' if it need not exist. */
  leaves: readonly string[]
}

const victims: readonly Victim[] = [
  { words: (id, bundle) => ['create', '--bundle', bundle, id], after: [], leaves: ['', 'created', 'stopped'] },
  {
    words: (id, bundle) => ['run', '-d', '--bundle', bundle, id],
    after: [],
    leaves: ['', 'created', 'running', 'stopped'],
  },
  { words: (id) => ['start', id], after: ['create'], leaves: ['created', 'running'] },
  { words: (id) => ['exec', id, 'sleep', '1000'], after: ['create', 'start'], leaves: ['running'] },
  { words: (id) => ['exec', '-d', id, 'sleep', '1000'], after: ['create', 'start'], leaves: ['running'] },
  {
    words: (id) => ['update', '--memory', '64M', '--pids-limit', '40', id],
    after: ['create', 'start'],
    leaves: ['running'],
  },
  { words: (id) => ['delete', id], after: ['create'], leaves: ['', 'created', 'stopped'] },
  { words: (id) => ['delete', '--force', id], after: ['create', 'start'], leaves: ['', 'running', 'stopped'] },
]

/** Returns the groups of a container in all hierarchies. */
const groupsOf = (id: string) =>
  hierarchyMounts()
    .map((mount) => `${mount}/${id}`)
    .filter(existsSync)

const membersOf = (id: string) =>
  groupsOf(id).flatMap((group) => readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean))

/** Returns the names of programs in a container's groups. */
const programsOf = (id: string) =>
  [...new Set(membersOf(id))].map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]
    } catch {
      return ''
    }
  })

function succeed(...words: string[]): string {
  const { status, stdout, stderr } = ground.call(words)
  if (status !== 0) throw new Error(`${words[0]}, seed ${seed}: ${stderr}`)
  return stdout
}

/** Runs a command, and kills it after some milliseconds. Returns true if it had not ended. */
async function killed(words: readonly string[], after: number): Promise<boolean> {
  const [file = '', ...args] = [...ground.words, ...words]
  const child = spawn(file, args, { stdio: 'ignore' })
  const timer = setTimeout(() => child.kill('SIGKILL'), after)
  const [, signal] = await once(child, 'exit')
  clearTimeout(timer)
  return signal === 'SIGKILL'
}

/** Deletes a container that a killed command has left, and checks that nothing of it is left and its id is free. */
function expectDeletable(id: string, bundle: string): void {
  const members = membersOf(id).map((pid) => [pid, readStartTime(pid)] as const)
  succeed('list')
  succeed('delete', '--force', id)
  expect(groupsOf(id), `seed ${seed}`).toEqual([])
  const survivors = members.filter(([pid, time]) => time !== undefined && readStartTime(pid) === time)
  expect(survivors, `seed ${seed}`).toEqual([])
  succeed('create', '--bundle', bundle, id)
  expect(ground.status(id)).toBe('created')
  succeed('delete', '--force', id)
  expect(readdirSync(ground.root).filter((name) => name === id || name.startsWith('~'))).toEqual([])
}

test(`${rounds} commands that are killed at random moments`, { timeout: 1_200_000 }, async (context) => {
  requires(context, 'root', 'busybox')
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  const before = performance.now()
  succeed('list')
  // a command that makes or starts a process takes some times as long as one that only reads
  let longest = 4 * (performance.now() - before)
  let hits = 0
  for (let round = 0; round < rounds; round++) {
    const { words, after, leaves } = victims[round % victims.length]!
    const id = ground.newId()
    const bundle = ground.bundle(id)
    for (const command of after) succeed(command, ...(command === 'create' ? ['--bundle', bundle, id] : [id]))
    if (await killed(words(id, bundle), random() * longest)) hits++
    else longest = Math.max(longest / 1.1, 20)
    const found = JSON.parse(succeed('list', '--format', 'json')) as { id: string; status: string }[]
    expect(leaves, `seed ${seed}, round ${round}`).toContain(found.find((one) => one.id === id)?.status ?? '')
    expectDeletable(id, bundle)
  }
  expect(hits).toBeGreaterThan(rounds / 10)
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts)
})

/** Runs a command until it writes its pid file, which is a pipe that nobody reads, and kills it there. */
async function killedAtPidFile(id: string, words: readonly string[], isThere: () => boolean): Promise<void> {
  const pidFile = `${ground.path}/${id}.pid`
  const pipe = `${ground.path}/.${id}.pid`
  execFileSync('mkfifo', [pipe])
  const [command = '', ...rest] = words
  const [file = '', ...args] = [...ground.words, command, '--pid-file', pidFile, ...rest]
  const child = spawn(file, args, { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await vi.waitUntil(() => isThere() && /pipe_wait|wait_for_partner|fifo_open/.test(wchanOf(child.pid!)), 30_000)
  child.kill('SIGKILL')
  await ended
}

const wchanOf = (pid: number) => readFileSync(`/proc/${pid}/wchan`, 'utf8')

test('a process that exec has prepared ends with an exec that is killed before it starts the process', async (context) => {
  requires(context, 'root', 'busybox')
  const id = ground.started()
  await killedAtPidFile(id, ['exec', id, 'sleep', '1000'], () => membersOf(id).length > 1)
  await vi.waitFor(() => expect(programsOf(id)).toEqual(['sleep']), 10_000)
  expect(ground.status(id)).toBe('running')
  expect(ground.call(['exec', id, 'echo', 'hi'])).toEqual({ status: 0, stdout: 'hi\n', stderr: '' })
})

test('a container whose creator is killed when it waits for its start can be started', async (context) => {
  requires(context, 'root', 'busybox')
  const id = ground.newId()
  const bundle = ground.bundle(id)
  await killedAtPidFile(id, ['create', '--bundle', bundle, id], () => existsSync(`${ground.root}/${id}/start`))
  expect(ground.status(id)).toBe('created')
  succeed('start', id)
  expect(ground.status(id)).toBe('running')
  expectDeletable(id, bundle)
})

test('a creator that is killed while a hook runs leaves a container that can be deleted, and no process', async (context) => {
  requires(context, 'root', 'busybox')
  const id = ground.newId()
  const pipe = `${ground.path}/${id}.hook`
  execFileSync('mkfifo', [pipe])
  const hook = { path: '/bin/sh', args: ['sh', '-c', `cat > /dev/null; exec cat ${pipe}`] }
  const bundle = ground.bundle(id, { 'hooks.createRuntime': [hook] })
  const [file = '', ...args] = [...ground.words, 'create', '--bundle', bundle, id]
  const child = spawn(file, args, { stdio: 'ignore' })
  const ended = once(child, 'exit')
  // opens when the hook reads
  const writer = await new Promise<number>((resolve) => void setImmediate(() => resolve(openSync(pipe, 'w'))))
  expect(['creating', 'created']).toContain(ground.status(id))
  child.kill('SIGKILL')
  await ended
  expect(writer).toBeGreaterThan(2)
  await ground.becomes(id, 'stopped')
  await vi.waitFor(() => expect(membersOf(id)).toEqual([]), 10_000)
  expectDeletable(id, ground.bundle(id))
})
