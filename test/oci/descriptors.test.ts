// SPDX-License-Identifier: Apache-2.0
// Descriptors that the runtime sends to sockets of its caller: listeners of filters to agents, and pidfds.
import { afterAll, beforeEach, expect, test } from 'vitest'
import { compileTimeout } from '../support/compile.ts'
import { requires } from '../support/requires.ts'
import { containers, receiver } from './containers.ts'

beforeEach((context) => requires(context, 'root', 'busybox'))

const { path, oci, bundle, remove } = containers()
afterAll(remove)

const succeeded = { status: 0, stdout: '', stderr: '' }

/** A filter that asks an agent about mkdir. */
const asking = (listenerPath: string, ...names: string[]) => ({
  'linux.seccomp': {
    defaultAction: 'SCMP_ACT_ALLOW',
    flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],
    listenerPath,
    listenerMetadata: 'meta "data"',
    syscalls: [{ names: ['mkdir', 'mkdirat', ...names], action: 'SCMP_ACT_NOTIFY' }],
  },
})

const pidOf = (id: string) => JSON.parse(oci('state', id).stdout).pid as number

test('an agent gets the listener of the first process, and of one that exec starts', {
  timeout: compileTimeout,
}, async () => {
  const socket = `${path}/agent.sock`
  const agent = await receiver(socket)
  try {
    const { id, directory } = bundle('agent', {
      ...asking(socket),
      annotations: { 'a.b': 'c' },
      'process.args': ['sh', '-c', 'mkdir /data/a 2>/data/said; while :; do sleep 1; done'],
    })
    expect(oci('create', '--bundle', directory, id)).toEqual(succeeded)
    const pid = pidOf(id)
    expect(oci('start', id)).toEqual(succeeded)
    const state = { ociVersion: '1.2.0', id, bundle: directory, annotations: { 'a.b': 'c' }, pid }
    expect(JSON.parse(await agent.line())).toEqual({
      ociVersion: '1.2.0',
      fds: ['seccompFd'],
      pid,
      metadata: 'meta "data"',
      state: { ...state, status: 'created' },
    })
    expect([await agent.line(), await agent.line()]).toEqual(['end', expect.stringMatching(/^call \d+ of \d+$/)])
    const { status, stdout } = oci(
      'exec',
      id,
      'sh',
      '-c',
      'mkdir /data/b 2>&1; cat /data/said; grep Seccomp: /proc/self/status',
    )
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout:
        "mkdir: can't create directory '/data/b': Wrong medium type\nmkdir: can't create directory '/data/a': Wrong medium type\nSeccomp:\t2\n",
    })
    const second = JSON.parse(await agent.line())
    expect(second).toMatchObject({ fds: ['seccompFd'], state: { ...state, status: 'running' } })
    expect(second.pid).not.toBe(pid)
  } finally {
    await agent.end()
  }
})

test('calls that hutch needs to send the listener can be asked about', { timeout: compileTimeout }, async () => {
  const socket = `${path}/wide.sock`
  const agent = await receiver(socket)
  try {
    const { id, directory } = bundle('wide', {
      ...asking(socket, 'sendmsg', 'sendto', 'seccomp', 'close'),
      'process.args': ['sh', '-c', 'mkdir /data/a 2>&1; echo end'],
    })
    const { status, stdout } = oci('run', '--bundle', directory, id)
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: "mkdir: can't create directory '/data/a': Wrong medium type\nend\n",
    })
  } finally {
    await agent.end()
  }
})

test('without an agent, a container is not created, and a created one does not start', {
  timeout: compileTimeout,
}, async () => {
  const socket = `${path}/gone.sock`
  const absent = bundle('absent', { ...asking(socket), 'process.args': ['true'] })
  const { status, stderr } = oci('create', '--bundle', absent.directory, absent.id)
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(/no such file or directory.*listenerPath/),
  })
  expect(oci('state', absent.id).status).toBe(1)
  const agent = await receiver(socket)
  const { id, directory } = bundle('left', { ...asking(socket), 'process.args': ['true'] })
  expect(oci('create', '--bundle', directory, id)).toEqual(succeeded)
  await agent.end()
  const refused = oci('start', id)
  expect({ status: refused.status, stderr: refused.stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining('ECONNREFUSED'),
  })
  expect(JSON.parse(oci('state', id).stdout).status).toBe('created')
})

test('an action that runc refuses is refused', () => {
  for (const [changes, words] of [
    [asking(''), 'seccomp listenerPath is not set'],
    [asking('/a', 'write'), 'SCMP_ACT_NOTIFY cannot be used for the write syscall'],
    [{ 'linux.seccomp': { defaultAction: 'SCMP_ACT_NOTIFY' } }, 'SCMP_ACT_NOTIFY cannot be used as default action'],
  ] as const) {
    const { id, directory } = bundle(`refused-${words.length}`, changes)
    const { status, stderr } = oci('create', '--bundle', directory, id)
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(words) })
  }
})

test('--pidfd-socket gets a pidfd of the process', { timeout: compileTimeout }, async () => {
  const socket = `${path}/pidfd.sock`
  const caller = await receiver(socket)
  try {
    const { id, directory } = bundle('pidfd', { 'process.args': ['sleep', '600'] })
    expect(oci('run', '--detach', '--pidfd-socket', socket, '--bundle', directory, id)).toEqual(succeeded)
    const lines = async () => [await caller.line(), await caller.line(), await caller.line()]
    expect(await lines()).toEqual(['standard', 'end', `Pid:\t${pidOf(id)}`])
    expect(oci('exec', '--pidfd-socket', socket, id, 'true')).toEqual(succeeded)
    expect(await lines()).toEqual(['setns', 'end', expect.stringMatching(/^Pid:\t(-1|\d+)$/)])
    // a process that cannot be started does not stay
    const { status, stderr } = oci('exec', '--pidfd-socket', `${path}/missing`, id, 'true')
    expect({ status, stderr }).toEqual({ status: 255, stderr: expect.stringContaining('no such file or directory') })
    await expect.poll(() => JSON.parse(oci('ps', '--format', 'json', id).stdout)).toEqual([pidOf(id)])
  } finally {
    await caller.end()
  }
})
