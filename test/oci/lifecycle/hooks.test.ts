// SPDX-License-Identifier: Apache-2.0
// Hooks of six kinds: their order, what they get, their failures and timeouts. runc 1.1 runs poststart hooks at the end of create, and no further
// poststop hook after a failed one: there it is no control.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeGround, runtimeNames } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'

const points = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const
type Point = (typeof points)[number]

const proc = { destination: '/proc', type: 'proc', source: 'proc' }

describe.each(runtimeNames)('%s', (name) => {
  const ground = makeGround(name)
  const { call, begin } = ground
  afterAll(ground.remove)
  beforeEach((context) => requires(context, 'root', 'busybox', ...(name === 'runc' ? (['runc(8)'] as const) : [])))

  /** A container whose hooks append to a file; the file is also at /log in it. */
  function hooked(scripts: { [point in Point]?: string }, timeout?: number) {
    const id = ground.newId()
    const log = `${ground.path}/${id}.log`
    writeFileSync(log, '', { mode: 0o666 })
    const hooksOf = (point: Point) => {
      const inside = point === 'startContainer'
      const script = `cat > /tmp/state-$PPID; ${scripts[point] ?? 'true'}; s=$?; echo ${point} $s $A $0 >> ${inside ? '/log' : log}; exit $s`
      const own = { env: ['PATH=/bin:/usr/bin', 'A=b'], ...(timeout !== undefined && { timeout }) }
      return [
        // busybox takes its name for that of a tool
        { path: inside ? '/bin/busybox' : '/bin/sh', args: [inside ? 'sh' : 'name', '-c', script], ...own },
        {
          path: inside ? '/bin/busybox' : '/bin/sh',
          args: [inside ? 'sh' : 'second', '-c', `echo ${point} second >> ${inside ? '/log' : log}`],
          env: own.env,
        },
      ]
    }
    const bind = { destination: '/log', type: 'bind', source: log, options: ['bind'] }
    const mounts = [proc, bind]
    const bundle = ground.bundle(id, { mounts, hooks: Object.fromEntries(points.map((one) => [one, hooksOf(one)])) })
    const isCounted = (line: string) => line !== '' && (name === 'hutch' || !line.startsWith('poststart'))
    const read = () => readFileSync(log, 'utf8').split('\n').filter(isCounted)
    return { id, bundle, read }
  }

  const both = (...of: Point[]) =>
    of.flatMap((point) => [`${point} 0 b ${point === 'startContainer' ? 'sh' : 'name'}`, `${point} second`])

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

  test.for(['prestart', 'createRuntime', 'createContainer'] as const)(
    'a failure of %s fails create, and the hooks of the end run',
    (point) => {
      const { id, bundle, read } = hooked({ [point]: '(echo why >&2; exit 3)' })
      const { status, stderr } = call(['create', '--bundle', bundle, id])
      expect([status, stderr]).toEqual([1, expect.stringMatching(/exit status 3.*why/s)])
      expect(read().slice(-3)).toEqual([`${point} 3 b name`, ...both('poststop')])
      expect(call(['state', id]).stderr).toMatch(/does not exist/)
    },
  )

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

  test('a timeout ends a hook in the container as early as one outside', { timeout: 60_000 }, () => {
    const elapsed = (point: Point) => {
      const { id, bundle } = hooked({ [point]: 'exec sleep 1000' }, 1)
      const began = performance.now()
      expect(call(['create', '--bundle', bundle, id]).status).toBe(1)
      return performance.now() - began
    }
    // other processes of the machine delay one or the other
    const later = [1, 2, 3].some(() => elapsed('createContainer') - elapsed('createRuntime') < 500)
    expect(later).toBe(true)
  })

  /** A hook that writes to a file, which is also at /log in the container. */
  const writing = (point: Point, script: string, log: string) => [
    point === 'startContainer'
      ? { path: '/bin/busybox', args: ['sh', '-c', `(${script}) > /log`], env: ['PATH=/bin'] }
      : { path: '/bin/sh', args: ['sh', '-c', `(${script}) > ${log}`], env: ['PATH=/bin:/usr/bin'] },
  ]

  test.for([
    ['prestart', 'creating'],
    ['createRuntime', 'creating'],
    ['createContainer', 'creating'],
    ['startContainer', 'created'],
    ['poststart', name === 'runc' ? 'created' : 'running'],
    ['poststop', 'stopped'],
  ] as const)('a hook of %s gets the state as JSON: %s', async ([point, status]) => {
    const id = ground.newId()
    const log = `${ground.path}/${id}.log`
    writeFileSync(log, '')
    const bundle = ground.bundle(id, {
      [`hooks.${point}`]: writing(point, 'cat', log),
      annotations: { 'a/b': 'c' },
      mounts: [proc, { destination: '/log', type: 'bind', source: log, options: ['bind'] }],
    })
    expect(call(['create', '--bundle', bundle, id]).status).toBe(0)
    const pid = point.endsWith('Container') ? 1 : ground.pid(id)
    expect(call(['start', id]).status).toBe(0)
    await ground.becomes(id, 'running')
    expect(call(['delete', '--force', id]).status).toBe(0)
    const text = readFileSync(log, 'utf8')
    expect(JSON.parse(text)).toEqual({
      ociVersion: expect.any(String),
      id,
      status,
      bundle,
      annotations: { 'a/b': 'c' },
      // the process id in the namespace of the hook
      ...(status !== 'stopped' && { pid }),
    })
    expect(text).toContain('"a/b":"c"')
  })

  /** What state and exec answer, in one line each. */
  const asked = (id: string) => {
    const runtime = ground.words.map((word) => `'${word}'`).join(' ')
    const state = `${runtime} state ${id} 2>&1 | grep -oE '"status": "[a-z]+"|does not exist' | head -n 1`
    return `${state}; ${runtime} exec ${id} true 2>&1 | grep -oE 'does not exist|being created|stopped' | head -n 1`
  }

  test.for([
    ['prestart', '"status": "creating"\nbeing created\n'],
    ['createRuntime', '"status": "creating"\nbeing created\n'],
    ['createContainer', '"status": "creating"\nbeing created\n'],
    ['poststart', '"status": "running"\n'],
    ['poststop', 'does not exist\ndoes not exist\n'],
  ] as const)('state and exec while a hook of %s runs', async ([point, answers]) => {
    const id = ground.newId()
    const log = `${ground.path}/${id}.log`
    const [hook] = writing(point, asked(id), log)
    const env = [`PATH=${process.env.PATH}`]
    const bundle = ground.bundle(id, { [`hooks.${point}`]: [{ ...hook, env }] })
    expect(call(['create', '--bundle', bundle, id]).status).toBe(0)
    expect(call(['start', id]).status).toBe(0)
    await ground.becomes(id, 'running')
    expect(call(['delete', '--force', id]).status).toBe(0)
    // runc stores a container after these hooks, and runs poststart in create
    const ofRunc = point === 'poststart' ? '"status": "created"\n' : 'does not exist\ndoes not exist\n'
    expect(readFileSync(log, 'utf8')).toBe(name === 'runc' ? ofRunc : answers)
  })

  test('a container is created while a hook of startContainer runs', async () => {
    const id = ground.newId()
    const pipe = `${ground.path}/${id}.pipe`
    execFileSync('mkfifo', [pipe])
    const hook = { path: '/bin/busybox', args: ['cat', '/pipe'], env: ['PATH=/bin'] }
    const bundle = ground.bundle(id, {
      'hooks.startContainer': [hook],
      mounts: [proc, { destination: '/pipe', type: 'bind', source: pipe, options: ['bind'] }],
    })
    expect(call(['create', '--bundle', bundle, id]).status).toBe(0)
    const starting = begin(['start', id])
    // opens when the hook reads
    const writer = await open(pipe, 'w')
    expect(ground.status(id)).toBe('created')
    await writer.close()
    expect((await starting).status).toBe(0)
    await ground.becomes(id, 'running')
  })

  test.for(['createRuntime', 'createContainer'] as const)(
    'a process that a hook of %s leaves in the background does not hold create, and can write on',
    async (point) => {
      const id = ground.newId()
      const [pipe, log] = [`${ground.path}/${id}.pipe`, `${ground.path}/${id}.log`]
      execFileSync('mkfifo', [pipe])
      // opened before the root changes
      const script = `exec 3<>${pipe} 4>${log}; (read line <&3; echo "$line"; echo "$line" >&4) &`
      const hook = { path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin:/usr/bin'] }
      const bundle = ground.bundle(id, { [`hooks.${point}`]: [hook] })
      let isOver = false
      const creating = begin(['create', '--bundle', bundle, id]).finally(() => {
        isOver = true
      })
      if (name === 'hutch') expect((await creating).status).toBe(0)
      await vi.waitUntil(() => existsSync(log), { timeout: 10_000, interval: 10 })
      // runc waits until nobody has the hook's streams
      expect(isOver).toBe(name === 'hutch')
      const writer = await open(pipe, 'r+')
      await writer.write('alive\n')
      expect((await creating).status).toBe(0)
      await vi.waitFor(() => expect(readFileSync(log, 'utf8')).toBe('alive\n'), 10_000)
      await writer.close()
    },
  )

  test('a hook of startContainer has the rights of the command, and one of createContainer those of root', async () => {
    const id = ground.newId()
    const log = `${ground.path}/${id}.log`
    const command = `${log}.command`
    for (const path of [log, command]) {
      writeFileSync(path, '')
      chmodSync(path, 0o666)
    }
    const shown =
      "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; pwd; grep -E ':(pids|memory):|^0' /proc/self/cgroup"
    const own = `${log}.own`
    const hooks = {
      startContainer: writing('startContainer', shown, log),
      createContainer: writing('createContainer', shown, own),
    }
    const bundle = ground.bundle(id, {
      hooks,
      mounts: [
        proc,
        { destination: '/log', type: 'bind', source: log, options: ['bind'] },
        { destination: '/command', type: 'bind', source: command, options: ['bind'] },
      ],
      'process.args': ['sh', '-c', `(${shown}) > /command; exec sleep 1000`],
      'process.cwd': '/bin',
      'process.user': { uid: 7, gid: 8 },
      'process.noNewPrivileges': true,
      'process.capabilities': { bounding: ['CAP_KILL'], effective: [], permitted: [], inheritable: [], ambient: [] },
      'linux.seccomp': { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['acct'], action: 'SCMP_ACT_ERRNO' }] },
    })
    expect(call(['create', '--bundle', bundle, id])).toMatchObject({ status: 0 })
    expect(call(['start', id]).status).toBe(0)
    await vi.waitFor(() => expect(readFileSync(command, 'utf8')).toBe(readFileSync(log, 'utf8')), 10_000)
    const ofCommand = readFileSync(log, 'utf8')
    expect(ofCommand).toMatch(/^Uid:\t7\t.*CapEff:\t0{16}\n.*NoNewPrivs:\t1\nSeccomp:\t2\n\/bin\n/s)
    const groups = (text: string) => text.split('\n').slice(6)
    const ofRoot = readFileSync(own, 'utf8')
    expect(ofRoot).toMatch(/^Uid:\t0\t.*NoNewPrivs:\t0\n/s)
    expect(ofRoot.split('\n')[5]).toBe(ground.image)
    expect(groups(ofRoot)).toEqual(groups(ofCommand))
    expect(groups(ofRoot).join('\n')).toContain(id)
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
