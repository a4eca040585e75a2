// SPDX-License-Identifier: Apache-2.0
// Why containers ended: what delete keeps, and what hutch why says of a container that exists, and of one that is deleted.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import type { Explanation } from '../../src/index.ts'
import { hutch } from '../cli/hutch.ts'
import { hutchArgs, hutchFile } from '../support/command.ts'
import { makeImage, workplace } from '../support/image.ts'
import { removeEverywhere } from '../support/planned-groups.ts'
import { requires } from '../support/requires.ts'
import { minimal } from './config-documents.ts'

const { path: work, remove } = workplace()
const root = `${work}/state`
const image = makeImage(`${work}/image`)
const MiB = 2 ** 20
let serial = 0

afterEach(() => {
  for (const id of existsSync(root) ? readdirSync(root).filter((name) => name.startsWith('hutch-test')) : [])
    oci('delete', '--force', id)
})
afterAll(remove)

/** Runs the runtime to the end of its command; a container that it leaves may go on. */
function oci(...args: string[]): { status: number | null; output: string } {
  // not a pipe, which the container would hold
  const fd = openSync(`${work}/output`, 'w')
  const { status } = spawnSync(hutchFile, [...hutchArgs, 'oci', '--root', root, ...args], {
    stdio: ['ignore', fd, fd],
    timeout: 30_000,
  })
  closeSync(fd)
  return { status, output: readFileSync(`${work}/output`, 'utf8') }
}

/** Writes a bundle, and returns the words that name it and its new id. */
function bundle(args: string[], changes: { [path: string]: unknown } = {}): [id: string, ...words: string[]] {
  const id = `hutch-test-${process.pid}-end${serial++}`
  mkdirSync(`${work}/${id}`)
  const document = minimal({
    root: { path: image },
    'process.env': ['PATH=/bin'],
    'process.args': args,
    'linux.cgroupsPath': `/${id}`,
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    ...changes,
  })
  writeFileSync(`${work}/${id}/config.json`, JSON.stringify(document))
  return [id, '--bundle', `${work}/${id}`]
}

const memory = (limit: number) => ({ 'linux.resources.memory': { limit, swap: limit } })
const statusOf = (id: string) => JSON.parse(oci('state', id).output).status as string
const stops = (id: string) => vi.waitFor(() => expect(statusOf(id)).toBe('stopped'), { timeout: 40_000, interval: 20 })

/** Creates and starts a container, as podman and containerd do. */
function start([id, ...words]: ReturnType<typeof bundle>): string {
  expect(oci('create', ...words, id)).toEqual({ status: 0, output: '' })
  expect(oci('start', id)).toEqual({ status: 0, output: '' })
  return id
}

function removed(id: string): void {
  expect(oci('delete', id)).toEqual({ status: 0, output: '' })
}

async function why(id: string, ...more: string[]) {
  const words = ['why', '--root', root, ...more, id]
  const [text, json] = [await hutch(words), await hutch([...words, '--json'])]
  expect(text.stderr).toBe('')
  expect(json.status).toBe(text.status)
  return { status: text.status, text: text.stdout, found: JSON.parse(json.stdout) as Explanation }
}

const recordOf = (id: string) => `${root}/.ended/${id}.json`
const tail = ['busybox', 'tail', '/dev/zero']

test('the first process was killed for memory: its limit, peak and remedy are in the words of config.json', async (context) => {
  requires(context, 'root', 'busybox')
  const id = start(bundle(tail, memory(16 * MiB)))
  await stops(id)
  const before = await why(id)
  removed(id)
  expect(statSync(recordOf(id)).mode & 0o777).toBe(0o600)
  const { status, text, found } = await why(id)
  expect(status).toBe(0)
  expect(text).toMatch(`1 process was killed (OOM): container ${id} asked for more than memory.max allows\n`)
  expect(text).toMatch(/\n {2}memory\.max +16\.0 MiB {3}peak 1[56]\.\d MiB {3}/)
  expect(text).toMatch(/\n {2}whose limit +the container's own/)
  expect(text).toMatch(/\n {2}victim +.*\(busybox\) /)
  expect(text).toMatch(/\n {2}first process +was killed\n/)
  expect(text).toMatch(`\n  deleted        2`)
  expect(text).toMatch(
    new RegExp(
      `\\n  remedy +raise linux\\.resources\\.memory\\.limit in config\\.json, now 16\\.0 MiB; to measure .*: hutch why ${id} `,
    ),
  )
  expect(found.target).toMatchObject({ kind: 'container', name: id, there: false })
  expect(found.cause).toMatchObject({
    kind: 'oom',
    confidence: 'certain',
    limit: { file: 'memory.max', value: 16 * MiB, level: 'own' },
    counts: { oomKills: 1 },
    peak: expect.any(Number),
    victims: [{ name: 'busybox' }],
    end: { status: null, signal: 'SIGKILL', from: 'kernel' },
  })
  expect(found.cause.remedies[0]!.reason).toContain('linux.resources.memory.limit')
  // before its deletion, from its groups, the same
  expect(before.found.target.there).toBe(true)
  expect(before.found.cause).toEqual(found.cause)
})

test('a child was killed for memory, and the container went on: both are told', async (context) => {
  requires(context, 'root', 'busybox')
  const [id, ...words] = bundle(['sh', '-c', `${tail.join(' ')}; exit 3`], memory(16 * MiB))
  expect(oci('run', ...words, id).status).toBe(3)
  const { text, found } = await why(id)
  expect(text).toMatch(/\n {2}first process +exited with status 3\n/)
  expect(text).toContain(`\ncontainer ${id} exited with status 3\n`)
  expect(text).not.toContain('not known: the exit status')
  expect(found.causes.map(({ cause }) => cause)).toEqual(['oom', 'exit'])
  expect(found.cause).toMatchObject({ kind: 'oom', counts: { oomKills: 1 }, end: { status: 3, signal: null } })
})

test('whose child was killed while only the caller saw the exit status is told in words', async (context) => {
  requires(context, 'root', 'busybox')
  // the shell would say that the child was killed, perhaps before start has ended
  const id = start(bundle(['sh', '-c', `exec 2>/dev/null; ${tail.join(' ')}; exit 3`], memory(16 * MiB)))
  await stops(id)
  removed(id)
  const { text, found } = await why(id)
  expect(text).toMatch(/\n {2}first process +how it ended is unknown here\n/)
  expect(text).toContain('not known: the exit status: only the caller of hutch-oci saw it')
  expect(found.cause).toMatchObject({ kind: 'oom', end: { status: null, signal: null } })
})

test('a fork was refused: the limit of tasks, and where it is set', async (context) => {
  requires(context, 'root', 'busybox')
  const forks = 'for i in 1 2 3 4 5 6; do busybox sleep 60 & done; exit 0'
  const [id, ...words] = bundle(['sh', '-c', forks], { 'linux.resources.pids': { limit: 3 } })
  oci('run', ...words, id)
  const { status, text, found } = await why(id)
  expect(status).toBe(0)
  expect(text).toMatch(new RegExp(`refused: container ${id} needs more tasks than pids\\.max allows\\n`))
  expect(text).toMatch(
    /\n {2}remedy +raise linux\.resources\.pids\.limit in config\.json, now 3; processes and threads count\n/,
  )
  expect(found.cause).toMatchObject({ kind: 'fork-refused', limit: { file: 'pids.max', value: 3, level: 'own' } })
})

test('a timeout of the caller: its signals and their times', async (context) => {
  requires(context, 'root', 'busybox')
  const id = start(bundle(['sh', '-c', 'trap "" TERM; while :; do busybox sleep 0.1; done']))
  expect(oci('kill', id, 'WINCH').status).toBe(0)
  expect(oci('kill', id, 'TERM').status).toBe(0)
  expect(oci('kill', id, '9').status).toBe(0)
  await stops(id)
  removed(id)
  const { status, text, found } = await why(id)
  expect(status).toBe(0)
  expect(text).toMatch(`container ${id} ended after its caller sent SIGKILL\n`)
  expect([...text.matchAll(/\n {2}signal +[\d-]+ [\d:]+ {2}(\w+) from the caller/g)].map(([, name]) => name)).toEqual([
    'SIGWINCH',
    'SIGTERM',
    'SIGKILL',
  ])
  expect(text).toMatch(/\n {2}memory\.max +no limit {3}peak /)
  expect(found.cause).toMatchObject({
    kind: 'signal',
    confidence: 'likely',
    end: { status: null, signal: 'SIGKILL', from: 'caller' },
  })
})

test.each([
  ['exits', ['sh', '-c', 'exit 7'], 7, 'exited with status 7', 'exited', { status: 7, signal: null }, 1],
  [
    'kills itself',
    ['sh', '-c', 'kill -SEGV $$'],
    139,
    'was ended by SIGSEGV',
    'signal',
    { signal: 'SIGSEGV', from: 'inside' },
    0,
  ],
] as const)('of a container that %s, run knows the end', async (_, args, code, words, kind, end, answer) => {
  // the first process of a pid namespace gets no fatal signal of its own
  const [id, ...more] = bundle([...args], { 'linux.namespaces': [{ type: 'mount' }] })
  expect(oci('run', ...more, id).status).toBe(code)
  const { status, text, found } = await why(id)
  expect([status, text]).toEqual([answer, expect.stringContaining(`container ${id} ${words}\n`)])
  expect(text).not.toContain('not known')
  expect(found.cause).toMatchObject({ kind, confidence: 'certain', end })
})

test('a container that ended by itself: no limit, and the exit status is unknown in words', async (context) => {
  requires(context, 'root', 'busybox')
  const id = start(bundle(['true']))
  await stops(id)
  // as containerd does: what is sent to an ended container did not end it
  expect(oci('kill', '--all', id, 'KILL').status).toBe(0)
  removed(id)
  const { status, text, found } = await why(id)
  expect(status).toBe(1)
  expect(text).toMatch(`container ${id} ended, and no limit ended it: the kernel counted no kill and no refused fork\n`)
  expect(text).toMatch(/\n {2}memory\.max +no limit {3}peak \d.*\n {2}pids\.max +no limit/)
  expect(text).toContain('not known: the exit status: only the caller of hutch-oci saw it; the program that created it')
  expect(found.cause).toMatchObject({ kind: 'not-kernel', end: { status: null, signal: null } })
})

test('what was deleted by force while it ran, or before its start, is told as that', async (context) => {
  requires(context, 'root', 'busybox')
  const running = start(bundle(['busybox', 'sleep', '60']))
  expect((await why(running)).text).toMatch(`nothing stops or slows container ${running}: `)
  expect(oci('delete', '--force', running)).toEqual({ status: 0, output: '' })
  expect((await why(running)).text).toMatch(`container ${running} was deleted by force while it was running\n`)
  const [created, ...words] = bundle(['true'])
  oci('create', ...words, created)
  removed(created)
  expect((await why(created)).text).toMatch(`container ${created} was deleted before it was started\n`)
})

test('groups that were removed before the deletion: the kernel’s log tells', async (context) => {
  requires(context, 'root', 'busybox')
  const id = start(bundle(tail, memory(16 * MiB)))
  await stops(id)
  removeEverywhere(`/${id}`)
  removed(id)
  const { text, found } = await why(id)
  expect(text).toMatch(`1 process was killed (OOM): container ${id} asked for more`)
  expect(text).toMatch(/\n {2}counters +its groups were already removed/)
  expect(found.cause).toMatchObject({ kind: 'oom', limit: { value: 16 * MiB }, end: { signal: 'SIGKILL' } })
})

test('short ids, an ambiguous and an unknown one', async (context) => {
  requires(context, 'root', 'busybox')
  const [id, ...words] = bundle(['true'])
  oci('run', ...words, id)
  for (const other of ['short-aa', 'short-ab', 'only-a'])
    writeFileSync(recordOf(other), readFileSync(recordOf(id), 'utf8').replaceAll(id, other))
  expect((await why('only')).found.target.name).toBe('only-a')
  expect((await why('short-ab')).found.target.name).toBe('short-ab')
  const ambiguous = await hutch(['why', '--root', root, 'short-a'])
  expect([ambiguous.status, ambiguous.stderr]).toEqual([125, expect.stringContaining('2 have this ID')])
  const unknown = await hutch(['why', '--root', root, 'nothing'])
  expect([unknown.status, unknown.stderr]).toEqual([125, expect.stringContaining('cannot find the container nothing')])
})

test('the default root of a user is searched, also for its own records', async (context) => {
  requires(context, 'root', 'busybox')
  const env = { ...process.env, XDG_RUNTIME_DIR: work, USER: 'someone' }
  const id = 'hutch-test-default-root'
  const [made, ...words] = bundle(['true'])
  oci('run', ...words, made)
  // real root takes /run/hutch-oci: its place is made by hand
  const place = `/run/user/${process.pid}9/hutch-oci`
  mkdirSync(`${place}/.ended`, { recursive: true })
  try {
    writeFileSync(`${place}/.ended/${id}.json`, readFileSync(recordOf(made), 'utf8').replaceAll(made, id))
    const { status, stdout } = await hutch(['why', id], { env })
    expect([status, stdout]).toEqual([1, expect.stringContaining(`container ${id} exited with status 0`)])
  } finally {
    rmSync(`/run/user/${process.pid}9`, { recursive: true })
  }
})

test('hostile records are refused, and the others are still found', async (context) => {
  requires(context, 'root', 'busybox')
  const [id, ...words] = bundle(tail, memory(16 * MiB))
  oci('run', ...words, id)
  const [plain, ...more] = bundle(['true'])
  oci('run', ...more, plain)
  const good = readFileSync(recordOf(id), 'utf8')
  type Edit = (record: { explanation: Explanation; plain: { [key: string]: unknown } }) => void
  /** Writes a changed record under another id. */
  const change = (edit: Edit, from: string, to: string) => {
    const record = JSON.parse(readFileSync(recordOf(from), 'utf8'))
    edit(record)
    writeFileSync(recordOf(to), JSON.stringify(record).replaceAll(from, to))
  }
  const hostileEdits: { [name: string]: [from: string, edit: Edit] } = {
    'no-cause': [id, ({ explanation }) => delete (explanation as Partial<Explanation>).cause],
    'no-causes': [id, ({ explanation }) => Object.assign(explanation, { causes: [] })],
    'odd-evidence': [id, ({ explanation }) => Object.assign(explanation.causes[0]!, { evidence: [1] })],
    'no-signals': [plain, (record) => delete record.plain.signals],
    'odd-time': [plain, (record) => Object.assign(record.plain, { signals: [{ signal: 9, at: 1e300 }] })],
    'odd-groups': [plain, (record) => Object.assign(record.plain, { groups: [null] })],
    'odd-figures': [plain, (record) => Object.assign(record.plain, { figures: { 'pids.max': 1 } })],
  }
  const hostile: { [name: string]: (path: string) => void } = {
    empty: (path) => writeFileSync(path, ''),
    list: (path) => writeFileSync(path, '[]'),
    deep: (path) => writeFileSync(path, '['.repeat(100_000)),
    'other-id': (path) => writeFileSync(path, good),
    fifo: (path) => spawnSync('mkfifo', [path]),
    zero: (path) => symlinkSync('/dev/zero', path),
    passwd: (path) => symlinkSync('/etc/passwd', path),
    directory: (path) => mkdirSync(path),
    huge: (path) => {
      writeFileSync(path, good)
      truncateSync(path, 2 ** 40)
    },
  }
  for (const [name, make] of Object.entries(hostile)) make(recordOf(name))
  for (const [name, [from, edit]] of Object.entries(hostileEdits)) change(edit, from, name)
  for (const name of [...Object.keys(hostile), ...Object.keys(hostileEdits)]) {
    const { status, stdout, stderr } = await hutch(['why', '--root', root, name])
    expect([name, status, stdout]).toEqual([name, 125, ''])
    expect(stderr).toMatch(/^hutch: cannot use .*\.json as the end of a container: .*\n {2}remedy: /)
  }
  expect((await why(id)).status).toBe(0)
  expect((await why(plain)).status).toBe(1)
  // what a record says cannot steer a terminal
  const steer = '\u001b]0;x\u0007'
  change(({ explanation }) => Object.assign(explanation.causes[0]!, { headline: steer }), id, 'escapes')
  change((record) => Object.assign(record.plain, { figures: { 'memory.max': steer } }), plain, 'more-escapes')
  for (const name of ['escapes', 'more-escapes']) expect((await why(name)).text).not.toMatch(/[\u001b\u0007]/)
})

test('a state of another user cannot make hutch read outside the control groups', async (context) => {
  requires(context, 'root')
  const id = 'hutch-test-foreign'
  mkdirSync(`${root}/${id}`, { recursive: true })
  mkdirSync(`${work}/trap`)
  spawnSync('mkfifo', [`${work}/trap/memory.events`, `${work}/trap/cgroup.procs`])
  const state = {
    version: 1,
    id,
    created: 'x',
    owner: 1,
    annotations: {},
    rootfs: '/',
    driver: 'cgroupfs',
    details: { bundle: '/b' },
  }
  for (const directory of [`${work}/trap`, `/sys/fs/cgroup/../../..${work}/trap`]) {
    writeFileSync(`${root}/${id}/state.json`, JSON.stringify({ ...state, groups: [{ controller: '', directory }] }))
    expect((await why(id)).status).toBe(1)
  }
  for (const odd of [{ groups: [1] }, { groups: 'x' }, { annotations: { a: 1 } }, { details: null }]) {
    writeFileSync(`${root}/${id}/state.json`, JSON.stringify({ ...state, groups: [], ...odd }))
    expect((await hutch(['why', '--root', root, id])).stderr).toMatch(/^hutch: cannot find the container /)
  }
  // to delete it would follow the state, which the runtime trusts
  rmSync(`${root}/${id}`, { recursive: true })
})

test('a record is not written through a link, nor into a directory of others, and the deletion goes on', async (context) => {
  requires(context, 'root', 'busybox')
  mkdirSync(`${work}/elsewhere`)
  for (const [prepare, undo] of [
    [() => symlinkSync(`${work}/elsewhere`, `${root}/.ended`), () => rmSync(`${root}/.ended`)],
    [() => writeFileSync(`${root}/.ended`, ''), () => rmSync(`${root}/.ended`)],
    [() => chmodSync(root, 0o777), () => chmodSync(root, 0o700)],
  ] as const) {
    const id = start(bundle(['true']))
    await stops(id)
    if (existsSync(`${root}/.ended`)) renameSync(`${root}/.ended`, `${work}/kept`)
    prepare()
    removed(id)
    undo()
    if (existsSync(`${work}/kept`)) {
      rmSync(`${root}/.ended`, { recursive: true, force: true })
      renameSync(`${work}/kept`, `${root}/.ended`)
    }
    expect(readdirSync(`${work}/elsewhere`)).toEqual([])
    expect(existsSync(recordOf(id))).toBe(false)
    expect(existsSync(`${root}/${id}`)).toBe(false)
  }
})

test('the newest 200 records are kept', async (context) => {
  requires(context, 'root', 'busybox')
  mkdirSync(`${root}/.ended`, { recursive: true })
  for (let i = 0; i < 250; i++) {
    writeFileSync(recordOf(`old${i}`), '')
    utimesSync(recordOf(`old${i}`), i, i)
  }
  const [id, ...words] = bundle(['true'])
  oci('run', ...words, id)
  const names = readdirSync(`${root}/.ended`)
  expect(names).toHaveLength(200)
  expect(names).toContain(`${id}.json`)
  expect(names).not.toContain('old0.json')
  expect(names).toContain('old249.json')
})
