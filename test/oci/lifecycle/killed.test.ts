// SPDX-License-Identifier: Apache-2.0
// The runtime is killed at random moments, and at moments that a pipe in place of its pid file holds: list, delete --force and a new container
// of the same id work afterwards, nothing is left, and no living container is lost.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { afterAll, expect, test, vi } from 'vitest'
import { makeGround } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'
import { repetitions } from '../../support/sample.ts'
import {
  expectDeletable,
  expectHits,
  expectNoOrphan,
  killIfThere,
  listed,
  membersOf,
  ownMounts,
  random,
  seed,
  succeed,
} from './kills.ts'

const ground = makeGround('hutch')
afterAll(ground.remove)

const rounds = Number(process.env.KILLS ?? repetitions(300, 16, 6))

const sigkill = 9

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
  { words: (id) => ['exec', id, 'true'], after: ['create', 'start'], leaves: ['running'] },
  { words: (id) => ['exec', '-d', id, 'sleep', '1000'], after: ['create', 'start'], leaves: ['running'] },
  {
    words: (id) => ['update', '--memory', '64M', '--pids-limit', '40', id],
    after: ['create', 'start'],
    leaves: ['running'],
  },
  { words: (id) => ['delete', id], after: ['create'], leaves: ['', 'created', 'stopped'] },
  { words: (id) => ['delete', '--force', id], after: ['create', 'start'], leaves: ['', 'running', 'stopped'] },
]

/** Returns the names of programs in a container's groups. */
const programsOf = (id: string) =>
  [...new Set(membersOf(id))].map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]
    } catch {
      return ''
    }
  })

test(`${rounds} commands that are killed at random moments`, { timeout: 1_200_000 }, async (context) => {
  requires(context, 'root', 'busybox')
  const times: number[] = []
  const hits = victims.map(() => 0)
  // in the first rounds nothing is killed: they show how long each takes
  for (let round = -victims.length; round < rounds; round++) {
    const kind = (round + victims.length) % victims.length
    const { words, after, leaves } = victims[kind]!
    const id = ground.newId()
    const bundle = ground.bundle(id)
    for (const command of after) succeed(ground, command, ...(command === 'create' ? ['--bundle', bundle, id] : [id]))
    const held = await ground.hold(words(id, bundle))
    const begun = performance.now()
    const timer = setTimeout(() => round < 0 || killIfThere(held.pid), random() * (times[kind] ?? 0))
    const status = await held.ended(held.pid)
    clearTimeout(timer)
    times[kind] ??= performance.now() - begun
    if ((status & 0x7f) === sigkill) hits[kind]!++
    expect(leaves, `seed ${seed}, round ${round}`).toContain(listed(ground, id))
    expectDeletable(ground, id, bundle)
    await expectNoOrphan(held)
  }
  expectHits(hits, rounds)
  expect(ownMounts(ground)).toEqual([])
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
  succeed(ground, 'start', id)
  expect(ground.status(id)).toBe('running')
  expectDeletable(ground, id, bundle)
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
  expectDeletable(ground, id, ground.bundle(id))
})
