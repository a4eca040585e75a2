// SPDX-License-Identifier: Apache-2.0
// Commands of an OCI runtime as its callers use them: hutch and runc give the same answers.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeGround, runtimeNames } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'
import { readStartTime } from '../../support/start-time.ts'

const quiet = { status: 0, stdout: '', stderr: '' }

describe.each(runtimeNames)('%s', (name) => {
  const ground = makeGround(name)
  const { call, image } = ground
  afterAll(ground.remove)
  beforeEach((context) => requires(context, 'root', 'busybox', ...(name === 'runc' ? (['runc(8)'] as const) : [])))

  writeFileSync(`${image}/bin/bad-interpreter`, '#!/bin/none\n', { mode: 0o755 })
  writeFileSync(`${image}/bin/no-format`, '\0\0', { mode: 0o755 })
  writeFileSync(`${image}/bin/not-executable`, '#!/bin/sh\n', { mode: 0o644 })
  symlinkSync('loop', `${image}/bin/loop`)

  test('all commands of a life say nothing but what they are asked for', async () => {
    const id = ground.newId()
    const bundle = ground.bundle(id, { annotations: { 'a.b': 'c' } })
    const pidFile = `${ground.path}/${id}.pid`
    expect(call(['create', '--bundle', bundle, '--pid-file', pidFile, id])).toEqual(quiet)
    const state = JSON.parse(call(['state', id]).stdout)
    expect(state).toEqual({
      ociVersion: expect.stringMatching(/^1\./),
      id,
      pid: expect.any(Number),
      status: 'created',
      bundle,
      rootfs: image,
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/),
      annotations: { 'a.b': 'c' },
      owner: expect.any(String),
    })
    expect(readFileSync(pidFile, 'utf8')).toBe(String(state.pid))
    expect(call(['start', id])).toEqual(quiet)
    expect(call(['update', '--pids-limit', '20', id])).toEqual(quiet)
    expect(call(['pause', id])).toEqual(quiet)
    expect(ground.status(id)).toBe('paused')
    expect(call(['resume', id])).toEqual(quiet)
    expect(JSON.parse(call(['ps', '--format', 'json', id]).stdout)).toEqual([state.pid])
    expect(call(['ps', id]).stdout).toMatch(/^UID +PID .*\n\S+ +\d+ .* sleep 1000\n$/)
    expect(call(['ps', id, '-o', 'pid,comm']).stdout).toMatch(/^ *PID COMMAND\n *\d+ \S+\n$/)
    expect(call(['list', '-q']).stdout).toContain(`${id}\n`)
    expect(call(['list']).stdout).toMatch(/^ID +PID +STATUS +BUNDLE +CREATED +OWNER\n/)
    const listed = JSON.parse(call(['list', '--format', 'json']).stdout) as { id: string }[]
    expect(listed.find((one) => one.id === id)).toMatchObject({ id, pid: state.pid, status: 'running', bundle })
    expect(JSON.parse(call(['events', '--stats', id]).stdout)).toMatchObject({
      type: 'stats',
      id,
      data: { pids: { current: 1, limit: 20 }, memory: { usage: {} }, cpu: { usage: {} } },
    })
    expect(call(['kill', id, 'KILL'])).toEqual(quiet)
    await ground.becomes(id, 'stopped')
    expect(JSON.parse(call(['state', id]).stdout).pid).toBe(0)
    expect(call(['delete', id])).toEqual(quiet)
    expect(existsSync(`${ground.root}/${id}`)).toBe(false)
  })

  test('update changes the limits of its document, and leaves the rules of devices as they are', () => {
    // a device without a driver: what may not be used is refused before that is known
    const number = { major: 240, minor: 240 }
    const devices = [{ allow: true, type: 'c', ...number, access: 'rwm' }]
    const made = (allowed: object[]) =>
      ground.started({
        'linux.devices': [{ type: 'c', path: '/dev/x', ...number }],
        'linux.resources': { devices: [{ allow: false, access: 'rwm' }, ...allowed], pids: { limit: 50 } },
      })
    const opened = (id: string) => call(['exec', id, 'cat', '/dev/x']).stderr
    expect(opened(made(devices))).toMatch(/No such device/)
    const id = made([])
    expect(opened(id)).toMatch(/Operation not permitted/)
    expect(
      call(['update', '--resources', '-', id], { input: JSON.stringify({ devices, pids: { limit: 40 } }) }),
    ).toEqual(quiet)
    expect(opened(id)).toMatch(/Operation not permitted/)
    expect(JSON.parse(call(['events', '--stats', id]).stdout)).toMatchObject({ data: { pids: { limit: 40 } } })
  })

  test.for<[string, string[]]>([
    ['a name', ['USR1']],
    ['a whole name', ['SIGUSR1']],
    ['a name in small letters', ['sigusr1']],
    ['a number', ['10']],
    ['--all', ['--all', 'USR1']],
  ])('kill by %s', async ([, words]) => {
    const script = 'trap "echo got; exit 5" USR1; echo ready; while :; do sleep 0.05; done'
    const output = `${ground.path}/${ground.newId()}.out`
    writeFileSync(output, '')
    const bind = { destination: '/output', type: 'bind', source: output, options: ['bind'] }
    const mounts = [{ destination: '/proc', type: 'proc', source: 'proc' }, bind]
    const id = ground.started({ mounts, 'process.args': ['sh', '-c', `exec > /output; ${script}`] })
    await vi.waitFor(() => expect(readFileSync(output, 'utf8')).toBe('ready\n'), 10_000)
    const given = words[0] === '--all' ? ['kill', '--all', id, ...words.slice(1)] : ['kill', id, ...words]
    expect(call(given)).toEqual(quiet)
    await ground.becomes(id, 'stopped')
    // with --all, sleep ends, too, and the shell says so
    expect(readFileSync(output, 'utf8')).toMatch(/got\n$/)
  })

  test('kill --all reaches the processes of a container without a pid namespace, and fails when none is left', async () => {
    const namespaces = ['mount', 'uts', 'ipc'].map((type) => ({ type }))
    const mounts = [{ destination: '/proc', type: 'bind', source: '/proc', options: ['rbind'] }]
    const args = ['sh', '-c', 'sleep 1000 & sleep 1000 & wait']
    const id = ground.started({ 'linux.namespaces': namespaces, mounts, 'process.args': args })
    const pids = () => JSON.parse(call(['ps', '--format', 'json', id]).stdout) as number[]
    await vi.waitFor(() => expect(pids()).toHaveLength(3), 10_000)
    const all = pids()
    expect(call(['kill', '--all', id, 'KILL'])).toEqual(quiet)
    const left = () => all.filter((pid) => readStartTime(String(pid)) !== undefined)
    await vi.waitFor(() => expect(left()).toEqual([]), 10_000)
    expect(call(['delete', id])).toEqual(quiet)
  })

  describe('programs that cannot be executed', () => {
    const rows: [program: string, words: RegExp][] = [
      ['none', /executable file not found in/],
      ['/bin/none', /no such file or directory/],
      ['/bin/not-executable', /permission denied/],
      ['/bin/loop', /too many levels of symbolic links/],
      ['/etc', /permission denied|is a directory/],
      ['/etc/passwd/x', /not a directory/],
    ]
    /** Found only by the kernel, at the start. */
    const later: typeof rows = [
      ['/bin/bad-interpreter', /no such file or directory/],
      ['/bin/no-format', /exec format error/],
    ]

    test.for(rows)('create of %s', ([program, words]) => {
      const id = ground.newId()
      const bundle = ground.bundle(id, { 'process.args': [program] })
      const { status, stderr } = call(['create', '--bundle', bundle, id])
      expect([status, stderr]).toEqual([1, expect.stringMatching(words)])
      expect(call(['state', id]).stderr).toMatch(/does not exist/)
    })

    test.for(later)('start of %s', ([program, words]) => {
      const id = ground.newId()
      const bundle = ground.bundle(id, { 'process.args': [program] })
      expect(call(['create', '--bundle', bundle, id])).toEqual(quiet)
      const { status, stderr } = call(['start', id])
      // runc 1.1 does not hear of it: the container says so in its own output
      if (name === 'hutch') expect([status, stderr]).toEqual([1, expect.stringMatching(words)])
      expect(call(['delete', '--force', id]).status).toBe(0)
    })

    test.for([...rows, ...later])('exec of %s', ([program, words]) => {
      const id = ground.started()
      const { status, stderr } = call(['exec', id, program])
      // what only the kernel finds, runc 1.1 says after it has become the command
      const expected = name === 'runc' && later.some(([one]) => one === program) ? 1 : 255
      expect([status, stderr]).toEqual([expected, expect.stringMatching(words)])
      expect(ground.status(id)).toBe('running')
    })
  })

  test.for<[string, string[], number, string | RegExp]>([
    ['a status', ['sh', '-c', 'exit 7'], 7, ''],
    ['a signal', ['sh', '-c', 'kill -9 $$'], 137, ''],
    ['a variable', ['--env', 'A=b', '@', 'sh', '-c', 'echo $A $PATH'], 0, 'b /bin\n'],
    ['a directory', ['--cwd', '/tmp', '@', 'pwd'], 0, '/tmp\n'],
    ['a user', ['--user', '1', '@', 'id', '-u'], 0, '1\n'],
    ['a user and a group', ['--user', '1:2', '@', 'sh', '-c', 'id -u; id -g'], 0, '1\n2\n'],
    ['the home of a user', ['--user', '1', '@', 'sh', '-c', 'echo $HOME'], 0, '/home/user\n'],
    ['further groups', ['-g', '7', '-g', '8', '@', 'id', '-G'], 0, '0 7 8\n'],
    ['a missing directory', ['--cwd', '/none', '@', 'true'], 255, ''],
    ['an option of the command', ['@', 'echo', '-n', '--user'], 0, '--user'],
  ])('exec with %s', ([, words, status, stdout]) => {
    const id = ground.started()
    const given = words.includes('@') ? words.map((word) => (word === '@' ? id : word)) : [id, ...words]
    expect(call(['exec', ...given])).toMatchObject({ status, stdout })
  })

  test('exec --detach writes a pid file, and its process keeps the streams', async () => {
    const id = ground.started()
    const pidFile = `${ground.path}/${id}.exec`
    const process = `${ground.path}/${id}.json`
    const args = ['sh', '-c', 'echo $A; id -u; exec sleep 1000']
    writeFileSync(
      process,
      JSON.stringify({ args, cwd: '/tmp', env: ['PATH=/bin', 'A=b'], user: { uid: 1, gid: 1 }, terminal: false }),
    )
    const result = ground.hold(['exec', '--detach', '--pid-file', pidFile, '--process', process, id])
    const held = await result
    expect((await held.result).status).toBe(0)
    const pid = Number(readFileSync(pidFile, 'utf8'))
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(new RegExp(`^PPid:\\s+${held.subreaper}$`, 'm'))
    expect(JSON.parse(call(['ps', '--format', 'json', id]).stdout)).toContain(pid)
    expect(call(['kill', id, 'KILL'])).toEqual(quiet)
    expect(await held.ended(pid)).toBe(9)
  })

  test('run gives the exit status, and leaves the container only with --keep', () => {
    const [one, other] = [ground.newId(), ground.newId()]
    const args = ['sh', '-c', 'echo out; echo err >&2; exit 9']
    const expected = { status: 9, stdout: 'out\n', stderr: 'err\n' }
    expect(call(['run', '--bundle', ground.bundle(one, { 'process.args': args }), one])).toEqual(expected)
    expect(call(['state', one]).stderr).toMatch(/does not exist/)
    if (name === 'runc') return // 1.1 has no --keep
    expect(call(['run', '--keep', '--bundle', ground.bundle(other, { 'process.args': args }), other])).toEqual(expected)
    expect(ground.status(other)).toBe('stopped')
    expect(call(['delete', other])).toEqual(quiet)
  })

  test('run passes its stdin on', () => {
    const id = ground.newId()
    const bundle = ground.bundle(id, { 'process.args': ['cat'] })
    expect(call(['run', '--bundle', bundle, id], { input: 'in\n' })).toEqual({ ...quiet, stdout: 'in\n' })
  })

  test('run --detach leaves a running container', async () => {
    const id = ground.newId()
    expect(call(['run', '--detach', '--bundle', ground.bundle(id), id])).toEqual(quiet)
    expect(ground.status(id)).toBe('running')
    expect(call(['delete', '--force', id])).toEqual(quiet)
    expect(call(['delete', '--force', id])).toEqual(quiet)
  })

  test('a pid file that cannot be written fails create, and leaves nothing', () => {
    const id = ground.newId()
    const bundle = ground.bundle(id)
    const { status, stdout } = call(['create', '--bundle', bundle, '--pid-file', `${ground.path}/none/pid`, id])
    expect([status, stdout]).toEqual([1, ''])
    if (name === 'hutch') expect(existsSync(`${ground.root}/${id}`)).toBe(false)
    call(['delete', '--force', id])
  })

  test('a pid file is not written through a link that has the name of its part', () => {
    const id = ground.newId()
    const [victim, pidFile] = [`${ground.path}/victim-${id}`, `${ground.path}/pid-${id}`]
    writeFileSync(victim, 'kept')
    symlinkSync(victim, `${ground.path}/.pid-${id}`)
    const { status } = call(['create', '--bundle', ground.bundle(id), '--pid-file', pidFile, id])
    expect(readFileSync(victim, 'utf8')).toBe('kept')
    expect([status, existsSync(pidFile)]).toEqual([1, false])
    call(['delete', '--force', id])
  })

  test('the log has one line of JSON for a failed command, and none for others', () => {
    const id = ground.newId()
    const log = `${ground.path}/${id}.log`
    const logged = (...words: string[]) => call(['--log', log, '--log-format', 'json', ...words])
    const bundle = ground.bundle(id)
    for (const words of [
      ['create', '--bundle', bundle, id],
      ['start', id],
      ['state', id],
      ['exec', id, 'true'],
    ])
      expect(logged(...words).status).toBe(0)
    expect(existsSync(log) ? readFileSync(log, 'utf8') : '').toBe('')
    expect(logged('start', id).status).toBe(1)
    const entry = JSON.parse(readFileSync(log, 'utf8'))
    expect(entry).toEqual({ level: 'error', msg: expect.any(String), time: expect.stringMatching(/^\d{4}-.*Z$/) })
    expect(entry.msg).toContain('cannot start an already running container')
  })

  test.for(['with space', 'new\nline', 'quote"\\', "it's", 'ünïcode', '-dash', '%s', 'x'.repeat(200)])(
    'a bundle in a directory named %j',
    (odd) => {
      const id = ground.newId()
      const bundle = `${ground.path}/${odd}`
      mkdirSync(bundle, { recursive: true })
      execFileSync('cp', ['-a', `${ground.bundle(id, { root: { path: 'root fs\n' } })}/config.json`, bundle])
      execFileSync('cp', ['-a', image, `${bundle}/root fs\n`])
      chmodSync(bundle, 0o755)
      expect(call(['create', id], { cwd: bundle })).toEqual(quiet)
      expect(JSON.parse(call(['state', id]).stdout).bundle).toBe(bundle)
      expect(call(['start', id])).toEqual(quiet)
      expect(call(['exec', id, 'true'])).toEqual(quiet)
      expect(call(['delete', '--force', id])).toEqual(quiet)
      spawnSync('rm', ['-rf', bundle])
    },
  )
})
