// SPDX-License-Identifier: Apache-2.0
// Hooks of six kinds: their order, what they get, their failures and timeouts. runc 1.1 runs poststart hooks at the end of create, and no further
// poststop hook after a failed one: there it is no control.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeGround, runtimeNames } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'

const points = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const
type Point = (typeof points)[number]

describe.each(runtimeNames)('%s', (name) => {
  const ground = makeGround(name)
  const { call } = ground
  afterAll(ground.remove)
  beforeEach((context) => requires(context, 'root', 'busybox', ...(name === 'runc' ? (['runc(8)'] as const) : [])))

  /** A container whose hooks append to a file; the file is also at /log in it. */
  function hooked(scripts: { [point in Point]?: string }, timeout?: number) {
    const id = ground.newId()
    const log = `${ground.path}/${id}.log`
    writeFileSync(log, '', { mode: 0o666 })
    const hooksOf = (point: Point) => {
      const inside = point === 'startContainer'
      const script = `cat > /tmp/state-$PPID; ${scripts[point] ?? 'true'}; s=$?; echo ${point} $s $A ${point.endsWith('Container') ? 'name' : '$0'} >> ${inside ? '/log' : log}; exit $s`
      const own = { env: ['PATH=/bin:/usr/bin', 'A=b'], ...(timeout !== undefined && { timeout }) }
      return [
        { path: '/bin/sh', args: [inside ? 'sh' : 'name', '-c', script], ...own },
        {
          path: '/bin/sh',
          args: [inside ? 'sh' : 'second', '-c', `echo ${point} second >> ${inside ? '/log' : log}`],
          env: own.env,
        },
      ]
    }
    const bind = { destination: '/log', type: 'bind', source: log, options: ['bind'] }
    const mounts = [{ destination: '/proc', type: 'proc', source: 'proc' }, bind]
    const bundle = ground.bundle(id, { mounts, hooks: Object.fromEntries(points.map((one) => [one, hooksOf(one)])) })
    const isCounted = (line: string) => line !== '' && (name === 'hutch' || !line.startsWith('poststart'))
    const read = () => readFileSync(log, 'utf8').split('\n').filter(isCounted)
    return { id, bundle, read }
  }

  const both = (...of: Point[]) => of.flatMap((point) => [`${point} 0 b name`, `${point} second`])

  test('all run in their order, with their own environment and name', async () => {
    const { id, bundle, read } = hooked({})
    expect(call(['create', '--bundle', bundle, id])).toMatchObject({ status: 0, stdout: '' })
    const created = both('prestart', 'createRuntime', 'createContainer')
    expect(read()).toEqual(created)
    expect(call(['start', id]).status).toBe(0)
    const started = [...created, ...both('startContainer', ...(name === 'hutch' ? (['poststart'] as const) : []))]
    // runc's start ends before them
    if (name === 'hutch') expect(read()).toEqual(started)
    await vi.waitFor(() => expect(read()).toEqual(started), 10_000)
    expect(call(['delete', '--force', id]).status).toBe(0)
    expect(read().slice(started.length)).toEqual(both('poststop'))
  })

  test.for(['prestart', 'createRuntime', 'createContainer'] as const)('a failure of %s fails create', (point) => {
    const { id, bundle, read } = hooked({ [point]: '(echo why >&2; exit 3)' })
    const { status, stderr } = call(['create', '--bundle', bundle, id])
    expect([status, stderr]).toEqual([1, expect.stringMatching(/exit status 3.*why/s)])
    expect(read().findLast((line) => !line.startsWith('poststop'))).toBe(`${point} 3 b name`)
    expect(call(['state', id]).stderr).toMatch(/does not exist/)
  })

  test('a failure of startContainer fails the start, and the command does not run', async () => {
    const { id, bundle, read } = hooked({ startContainer: '(exit 3)' })
    expect(call(['create', '--bundle', bundle, id]).status).toBe(0)
    const { status } = call(['start', id])
    // runc 1.1 does not hear of it
    if (name === 'hutch') expect(status).toBe(1)
    await ground.becomes(id, 'stopped')
    expect(read().some((line) => line.startsWith('startContainer second'))).toBe(false)
    expect(call(['delete', id]).status).toBe(0)
  })

  test('a failure of poststart stops the container', async () => {
    if (name === 'runc') return
    const { id, bundle } = hooked({ poststart: '(exit 3)' })
    expect(call(['create', '--bundle', bundle, id]).status).toBe(0)
    expect(call(['start', id])).toMatchObject({ status: 1, stderr: expect.stringMatching(/exit status 3/) })
    await ground.becomes(id, 'stopped')
    expect(call(['delete', id]).status).toBe(0)
  })

  test('a failure of poststop is no failure of delete, and the others run', () => {
    const { id, bundle, read } = hooked({ poststop: '(exit 3)' })
    expect(call(['create', '--bundle', bundle, id]).status).toBe(0)
    expect(call(['delete', '--force', id]).status).toBe(0)
    expect(read()).toContain('poststop 3 b name')
    if (name === 'hutch') expect(read().at(-1)).toBe('poststop second')
  })

  test.for(['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const)(
    'a hook of %s that does not end is killed after its timeout',
    async (point) => {
      const { id, bundle } = hooked({ [point]: 'exec sleep 1000' }, 1)
      // runc 1.1 waits for startContainer in the container, without result
      if (name === 'runc' && ['startContainer', 'poststart'].includes(point)) return
      const { status } = call(['create', '--bundle', bundle, id])
      const early = ['prestart', 'createRuntime', 'createContainer'].includes(point)
      expect(status === 0).toBe(!early)
      if (early) return
      const started = call(['start', id])
      if (name === 'hutch') expect(started.status).toBe(point === 'poststop' ? 0 : 1)
      expect(call(['delete', '--force', id]).status).toBe(0)
    },
  )

  test('a hook gets the state as JSON', async () => {
    const id = ground.newId()
    const seen = `${ground.path}/${id}.seen`
    const hook = { path: '/bin/sh', args: ['sh', '-c', `cat > ${seen}; echo >> ${seen}`] }
    const bundle = ground.bundle(id, { 'hooks.createRuntime': [hook], annotations: { 'a/b': 'c' } })
    expect(call(['create', '--bundle', bundle, id]).status).toBe(0)
    const state = JSON.parse(readFileSync(seen, 'utf8'))
    const pid = ground.pid(id)
    expect(state).toMatchObject({ id, bundle, pid, status: 'creating', annotations: { 'a/b': 'c' } })
    expect(readFileSync(seen, 'utf8')).toContain('"a/b":"c"')
  })

  test('a hook that does not read its input, and one that closes its streams, do not fail', () => {
    const id = ground.newId()
    const hooks = ['exec true', 'exec <&- >&- 2>&-; exit 0'].map((script) => ({
      path: '/bin/sh',
      args: ['sh', '-c', script],
    }))
    const annotations = { large: 'x'.repeat(300_000) }
    const changes = Object.fromEntries(points.map((point) => [`hooks.${point}`, hooks]))
    const bundle = ground.bundle(id, { ...changes, annotations })
    expect(call(['create', '--bundle', bundle, id]).status).toBe(0)
    expect(call(['start', id]).status).toBe(0)
    expect(call(['delete', '--force', id]).status).toBe(0)
  })
})
