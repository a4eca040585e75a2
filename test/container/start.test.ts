// SPDX-License-Identifier: Apache-2.0
// The life of a container's process: it waits twice, outlives its creator, and is started by another process.
import { existsSync, readlinkSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { startWaiting } from '../../src/run/start-waiting.ts'
import { create, endCreated, parentOf } from '../support/creator.ts'
import { killsHutches } from '../support/leaks.ts'
import { requires } from '../support/requires.ts'
import { readStartTime } from '../support/start-time.ts'

killsHutches()
afterEach(endCreated)

const lives = (pid: number) => readStartTime(String(pid)) !== undefined
const names = (pid: number) => readlinkSync(`/proc/${pid}/exe`)

test('a container that waits for its start outlives its creator, and begins when another process starts it', async (context) => {
  requires(context, 'root')
  const one = await create(['sh', '-c', 'echo begun; exec sleep 600'], {
    options: { isolate: ['pid', 'mount', 'uts'] },
  })
  expect(await one.next({ kind: 'ready' })).toMatchObject({ waitsFor: 'start' })
  const creator = parentOf(one.pid)
  one.tell('exit')
  await one.next({ reaped: creator })
  // the subreaper, which called the creator, is its parent now, and will see its end
  expect([lives(one.pid), parentOf(one.pid), one.read()]).toEqual([true, one.subreaper.pid, ''])
  expect(startWaiting(one.socket)).toEqual({ kind: 'started' })
  await vi.waitFor(() => expect(one.read()).toBe('begun\n'))
  expect(startWaiting(one.socket)).toEqual({ kind: 'absent', errno: 'ECONNREFUSED' })
  process.kill(one.pid, 'SIGKILL')
  expect(await one.next({ reaped: one.pid })).toMatchObject({ status: 9 })
})

test('a connection without GO starts nothing', async (context) => {
  requires(context, 'root', 'socat(1)')
  const { execFileSync } = await import('node:child_process')
  const one = await create(['sleep', '600'])
  await one.next({ kind: 'ready' })
  execFileSync('socat', ['-u', '/dev/null', `UNIX-CONNECT:${one.socket},type=5`])
  expect(names(one.pid)).not.toMatch(/sleep/)
  expect(startWaiting(one.socket)).toEqual({ kind: 'started' })
  await vi.waitFor(() => expect(names(one.pid)).toMatch(/sleep|busybox|coreutils/))
})

test('who starts a container learns why its command cannot be executed', async (context) => {
  requires(context, 'root')
  const one = await create(['/etc/passwd', 'x'])
  await one.next({ kind: 'ready' })
  const creator = parentOf(one.pid)
  one.tell('exit')
  await one.next({ reaped: creator })
  expect(startWaiting(one.socket)).toMatchObject({
    kind: 'failed',
    errno: 'EACCES',
    part: 0,
    looks: [{ path: '/etc/passwd', access: 'EACCES' }],
  })
  expect(await one.next({ reaped: one.pid })).toMatchObject({ status: 125 << 8 })
})

test('a container waits for its release before its root is made, and then goes on to its start', async (context) => {
  requires(context, 'root')
  const one = await create(['sh', '-c', 'cat /proc/sys/kernel/hostname'], {
    options: { isolate: ['pid', 'mount', 'uts'], hostname: 'inside' },
    container: { waitsBeforeRoot: true },
  })
  expect(await one.next({ kind: 'ready' })).toMatchObject({ waitsFor: 'root' })
  const own = readlinkSync('/proc/self/ns/uts')
  expect(readlinkSync(`/proc/${one.pid}/ns/uts`)).not.toBe(own)
  one.tell('release')
  expect(await one.next({ kind: 'ready', waitsFor: 'start' })).toBeDefined()
  expect(startWaiting(one.socket)).toEqual({ kind: 'started' })
  await one.next({ kind: 'ended' })
  expect(one.read()).toBe('inside\n')
})

test.for(['before its root is made', 'while it is set up'])(
  'nothing is left of a container whose creator is killed %s',
  async (when, context) => {
    requires(context, 'root')
    const early = when === 'before its root is made'
    const one = await create(['sleep', '600'], {
      options: { isolate: ['pid', 'mount'] },
      container: { waitsBeforeRoot: true },
    })
    await one.next({ kind: 'ready', waitsFor: 'root' })
    const creator = parentOf(one.pid)
    if (!early) {
      // it continues only after its creator's end
      process.kill(one.pid, 'SIGSTOP')
      one.tell('release')
      await one.next({ kind: 'released' })
    }
    process.kill(creator, 'SIGKILL')
    await one.next({ reaped: creator })
    if (!early) process.kill(one.pid, 'SIGCONT')
    await one.next({ reaped: one.pid })
    expect(existsSync(`/proc/${one.pid}`)).toBe(false)
  },
)

test('a signal to end ends a container that waits for its start', async (context) => {
  requires(context, 'root')
  const one = await create(['sleep', '600'], { options: { isolate: ['pid'] } })
  await one.next({ kind: 'ready' })
  process.kill(one.pid, 'SIGTERM')
  await one.next({ kind: 'ended' })
  expect(startWaiting(one.socket)).toEqual({ kind: 'absent', errno: 'ECONNREFUSED' })
})
