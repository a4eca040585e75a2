// SPDX-License-Identifier: Apache-2.0
// What a runtime leaves behind: only processes of the container, children of the caller's subreaper, with no descriptor of the runtime. The
// descriptors that callers pass on, terminals, and closed streams.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import { compileProgram } from '../../support/compile.ts'
import { makeGround } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'

const ground = makeGround('hutch')
const { call } = ground
const terminals: ChildProcess[] = []
afterAll(() => {
  for (const child of terminals) child.kill()
  ground.remove()
})
beforeEach((context) => requires(context, 'root', 'busybox'))

const quiet = { status: 0, stdout: '', stderr: '' }
const descriptorsOf = (pid: number) =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`)
const statusOf = (pid: number) => readFileSync(`/proc/${pid}/status`, 'utf8')
const childrenOf = (pid: number) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)

test('create leaves one process, a child of the subreaper, without a descriptor above its streams', async () => {
  const id = ground.newId()
  const held = await ground.hold(['create', '--bundle', ground.bundle(id), id])
  expect(await held.result).toEqual(quiet)
  const pid = ground.pid(id)
  expect(childrenOf(held.subreaper)).toEqual([String(pid)])
  expect(call(['start', id])).toEqual(quiet)
  expect(childrenOf(held.subreaper)).toEqual([String(pid)])
  expect(statusOf(pid)).toMatch(new RegExp(`^PPid:\\s+${held.subreaper}$`, 'm'))
  expect(descriptorsOf(pid).map((line) => line.split(' ')[0])).toEqual(['0', '1', '2'])
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('sleep\x001000\0')
  // signals are neither blocked nor ignored
  expect(statusOf(pid)).toMatch(/^SigBlk:\s+0+$/m)
  expect(statusOf(pid)).toMatch(/^SigIgn:\s+0+$/m)
  expect(call(['kill', id, 'KILL'])).toEqual(quiet)
  expect(await held.ended(pid)).toBe(9)
  expect(call(['delete', id])).toEqual(quiet)
})

test.for([
  ['with an own pid namespace', 'pid', ''],
  ['in the pid namespace of another', 'pid', 'joined'],
  ["in the caller's pid namespace", '', ''],
])('the exit status of a container %s reaches the subreaper', async ([, own, joined]) => {
  const other = joined ? ground.pid(ground.started()) : 0
  const types = ['mount', 'uts', 'ipc', ...(own ? ['pid'] : [])]
  const namespaces = types.map((type) => ({ type, ...(type === 'pid' && joined && { path: `/proc/${other}/ns/pid` }) }))
  const mounts = [{ destination: '/proc', type: 'bind', source: '/proc', options: ['rbind'] }]
  const id = ground.newId()
  const bundle = ground.bundle(id, { 'linux.namespaces': namespaces, mounts, 'process.args': ['sh', '-c', 'exit 42'] })
  const held = await ground.hold(['create', '--bundle', bundle, id])
  expect(await held.result).toEqual(quiet)
  const pid = ground.pid(id)
  expect(childrenOf(held.subreaper)).toEqual([String(pid)])
  expect(call(['start', id])).toEqual(quiet)
  expect(await held.ended(pid)).toBe(42 << 8)
  expect(call(['delete', id])).toEqual(quiet)
})

test('a parent-death signal of the caller does not reach the container', async (context) => {
  requires(context, 'setpriv(1)')
  const id = ground.newId()
  const words = [...ground.words, 'create', '--bundle', ground.bundle(id), id]
  const caller = spawn('setpriv', ['--pdeathsig', 'KILL', ...words], { stdio: 'ignore' })
  expect((await once(caller, 'exit'))[0]).toBe(0)
  expect(ground.status(id)).toBe('created')
  expect(call(['start', id])).toEqual(quiet)
  expect(ground.status(id)).toBe('running')
})

test('nothing that outlives start, exec --detach, update, pause and delete holds the streams of the caller', () => {
  const id = ground.newId()
  expect(call(['create', '--bundle', ground.bundle(id), id])).toEqual(quiet)
  // through pipes: spawnSync waits for their end
  const piped = (...words: string[]) => {
    const [file = '', ...args] = [...ground.words, ...words]
    const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 20_000 })
    return { status, stdout, stderr }
  }
  for (const words of [
    ['start', id],
    ['update', '--pids-limit', '9', id],
    ['pause', id],
    ['resume', id],
  ])
    expect(piped(...words)).toEqual(quiet)
  const silent = ['sh', '-c', 'exec sleep 1000 > /dev/null 2>&1']
  expect(piped('exec', '--detach', id, ...silent)).toEqual(quiet)
  expect(piped('delete', '--force', id)).toEqual(quiet)
})

const listing = 'ls /proc/self/fd | tr "\\n" " "; echo; cat <&3; echo $LISTEN_FDS $LISTEN_PID'

test.for<[string, string[], { [name: string]: string }, number, string]>([
  ['no further descriptor', [], {}, 2, '0 1 2 3'],
  ['--preserve-fds', ['--preserve-fds', '2'], {}, 2, '0 1 2 3 4 5'],
  ['LISTEN_FDS', [], { LISTEN_FDS: '1' }, 2, '0 1 2 3 4'],
  ['both', ['--preserve-fds', '1'], { LISTEN_FDS: '1' }, 2, '0 1 2 3 4 5'],
])('run and exec with %s', ([, options, more, count, expected]) => {
  const file = `${ground.path}/passed`
  writeFileSync(file, 'passed\n')
  const extra = Array.from({ length: count }, () => openSync(file, 'r'))
  const env = { PATH: process.env.PATH!, ...more }
  const script = expected === '0 1 2 3' ? listing.replace('cat <&3; ', '') : listing
  const id = ground.newId()
  const bundle = ground.bundle(id, { 'process.args': ['sh', '-c', script] })
  const listened = more.LISTEN_FDS ? `${more.LISTEN_FDS} 1` : ''
  const output = `${expected} \n${expected === '0 1 2 3' ? '' : 'passed\n'}${listened}\n`
  expect(call(['run', ...options, '--bundle', bundle, id], { env, extra })).toEqual({ ...quiet, stdout: output })
  const long = ground.started()
  const again = Array.from({ length: count }, () => openSync(file, 'r'))
  const found = call(['exec', ...options, long, 'sh', '-c', script], { env, extra: again })
  expect(found).toEqual({ ...quiet, stdout: output })
})

test('descriptors that are not open are refused before anything is made', () => {
  const id = ground.newId()
  const { status, stderr } = call(['create', '--preserve-fds', '3', '--bundle', ground.bundle(id), id])
  expect([status, stderr]).toEqual([1, expect.stringMatching(/descriptor 3 is not open/)])
  expect(existsSync(`${ground.root}/${id}`)).toBe(false)
})

test.for([
  ['stdin', '<&-'],
  ['stdout', '>&-'],
  ['stderr', '2>&-'],
  ['all streams', '<&- >&- 2>&-'],
])('a caller whose %s is closed gets a container with no foreign descriptor in place of it', ([, closed]) => {
  const id = ground.newId()
  const words = [...ground.words, 'create', '--bundle', ground.bundle(id), id]
  const { status } = spawnSync('sh', ['-c', `exec "$@" ${closed}`, 'sh', ...words], { stdio: 'ignore' })
  expect(status).toBe(0)
  expect(call(['start', id])).toEqual(quiet)
  for (const line of descriptorsOf(ground.pid(id))) expect(line).toMatch(/^[012] \/dev\/null$/)
})

/** Listens for a terminal; resolves when it does. */
async function listenForTerminal(path: string): Promise<{ read: () => string }> {
  const program = `${ground.path}/receive-terminal`
  if (!existsSync(program)) compileProgram('receive-terminal', program)
  const child = spawn(program, [path], { stdio: ['ignore', 'pipe', 'inherit'] })
  terminals.push(child)
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part) => {
    text += part
  })
  await vi.waitUntil(() => text.startsWith('listens\n'), 10_000)
  return { read: () => text }
}

const withTerminal = {
  'process.terminal': true,
  'process.consoleSize': { height: 33, width: 99 },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
  ],
}

test('a console socket receives the terminal of create, and that of exec --detach', async () => {
  const id = ground.newId()
  const args = ['sh', '-c', 'tty; stty size; exec sleep 1000']
  const bundle = ground.bundle(id, { ...withTerminal, 'process.args': args })
  const first = await listenForTerminal(`${ground.path}/console`)
  expect(call(['create', '--console-socket', `${ground.path}/console`, '--bundle', bundle, id])).toEqual(quiet)
  expect(call(['start', id])).toEqual(quiet)
  await vi.waitFor(() => expect(first.read()).toMatch(/ 33 99\n\/dev\/pts\/0\r\n33 99\r\n$/), 10_000)
  expect(descriptorsOf(ground.pid(id))).toEqual(['0', '1', '2'].map((fd) => `${fd} /dev/pts/0`))
  const second = await listenForTerminal(`${ground.path}/console-exec`)
  const socket = ['--console-socket', `${ground.path}/console-exec`]
  expect(call(['exec', '--detach', '--tty', ...socket, id, 'tty'])).toEqual(quiet)
  await vi.waitFor(() => expect(second.read()).toMatch(/\/dev\/pts\/1\r\n$/), 10_000)
})

test.for<[string, object, string[]]>([
  ['a terminal without a console socket', withTerminal, []],
  ['a console socket without a terminal', {}, ['--console-socket', '/none']],
  ['a console socket that nobody listens on', withTerminal, ['--console-socket', '/none']],
])('%s is refused, and leaves nothing', ([, changes, options]) => {
  const id = ground.newId()
  const { status } = call(['create', ...options, '--bundle', ground.bundle(id, { ...changes }), id])
  expect(status).toBe(1)
  expect(existsSync(`${ground.root}/${id}`)).toBe(false)
})

test('run and exec with a terminal follow the size of the terminal of the caller', (context) => {
  requires(context, 'script(1)')
  const id = ground.newId()
  const wait = 'stty size; while [ "$(stty size)" = "24 80" ]; do sleep 0.02; done; stty size; exit 6'
  const bundle = ground.bundle(id, {
    ...withTerminal,
    'process.args': ['sh', '-c', wait],
    'process.consoleSize': undefined,
  })
  const line = (words: string[]) => {
    const command = [...ground.words, ...words].map((word) => `'${word}'`).join(' ')
    const script = `stty rows 24 cols 80; (sleep 1; stty rows 40 cols 120 < /dev/tty) & ${command}`
    mkdirSync(`${ground.path}/script`, { recursive: true })
    writeFileSync(`${ground.path}/script/run`, script)
    return spawnSync('script', ['-qec', `bash ${ground.path}/script/run`, '/dev/null'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 30_000,
    })
  }
  expect(line(['run', '--bundle', bundle, id])).toMatchObject({
    status: 6,
    stdout: expect.stringMatching(/24 80.*40 120/s),
  })
  const long = ground.started({ mounts: withTerminal.mounts })
  const found = line(['exec', '--tty', long, 'sh', '-c', wait])
  expect(found).toMatchObject({ status: 6, stdout: expect.stringMatching(/24 80.*40 120/s) })
})
