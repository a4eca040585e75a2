// SPDX-License-Identifier: Apache-2.0
// Real processes, real groups: rules apply and rules watch, and cgrulesengd beside them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { removeTree } from '../../../src/cgroup/files.ts'
import { readHost } from '../../../src/host/host.ts'
import { collect, hutch, ticks } from '../../cli/hutch.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../../support/command.ts'
import { compileProgram } from '../../support/compile.ts'
import { requires } from '../../support/requires.ts'
import { repetitions } from '../../support/sample.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-rules-test-`)
const base = `hutch-test-${process.pid}-rules`
const { unified, v1 } = readHost()
const mountOf = (controller: string) => v1[controller]?.mount ?? unified!.mount
const roots = [...new Set([mountOf('cpu'), mountOf('pids')])].map((mount) => `${mount}/${base}`)
const socket = `${directory}/socket`
const patience = { timeout: process.env.VM ? 60_000 : 20_000, interval: 20 }

/** Users of every Debian, whom nothing else runs as. */
const users = { games: 5, man: 6, lp: 7, mail: 8, news: 9, proxy: 13 }
/** A user without a name. */
const nobodys = 61_234

const started = new Set<ChildProcess>()
/** What those left behind. */
const orphans = new Set<number>()

beforeAll(() => {
  for (const root of roots) for (const name of ['a', 'b', 'c']) mkdirSync(`${root}/${name}`, { recursive: true })
})

afterEach(async () => {
  for (const child of started) await end(child)
  for (const pid of orphans)
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  orphans.clear()
})

afterAll(async () => {
  // a job has groups in every hierarchy
  const mounts = [...Object.values(v1), ...(unified ? [unified] : [])].map(({ mount }) => `${mount}/${base}`)
  for (let tries = 0; !mounts.every(removeTree) && tries < 500; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  expect(mounts.filter((root) => existsSync(root))).toEqual([])
  rmSync(directory, { recursive: true })
})

async function end(child: ChildProcess): Promise<void> {
  started.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

function launch(command: string, args: string[], options: object = {}): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  started.add(child)
  return child
}

/** A process of that user that stays: sleep(1), or another program by its path. */
const sleeper = (uid: number, { gid = 60, program = 'sleep' } = {}) => launch(program, ['600'], { uid, gid })

function conf(text: string, name = 'rules'): string {
  const path = `${directory}/${name}`
  writeFileSync(path, text.replaceAll('BASE', base))
  return path
}

/** Where a process is below our groups: `cpu` and `pids`, which are one on v2. */
function placeOf(child: { pid?: number | undefined }, controller = 'cpu'): string | undefined {
  const line = readFileSync(`/proc/${child.pid}/cgroup`, 'utf8')
    .split('\n')
    .find((text) => (v1[controller] ? text.split(':')[1]!.split(',').includes(controller) : text.startsWith('0::')))
  return line?.split(`/${base}/`)[1]
}

interface Watching {
  child: ChildProcess
  said: { stdout: string; stderr: string }
}

async function watch(file: string, ...more: string[]): Promise<Watching> {
  const child = launch(hutchFile, [...hutchArgs, 'rules', 'watch', '--file', file, '--socket', socket, ...more])
  const said = { stdout: '', stderr: '' }
  for (const key of ['stdout', 'stderr'] as const)
    child[key]!.on('data', (data: Buffer) => {
      said[key] += data
    })
  await expect.poll(() => said.stderr, patience).toContain('watching')
  return { child, said }
}

test('apply moves by user, group, program and template, and a dry run nothing', async (context) => {
  requires(context, 'root')
  const file = conf(`
    ${nobodys}:sleep cpu BASE/a
    @users cpu BASE/t/%g-%U-%p
    man cpu BASE/nosuch
    lp * BASE/b
  `)
  const [byProgram, byGroup, lost, everywhere, other] = [
    sleeper(nobodys),
    sleeper(users.mail, { gid: 100 }),
    sleeper(users.man),
    sleeper(users.lp),
    sleeper(users.news),
  ]
  const pids = [byProgram, byGroup, lost, everywhere, other].map(({ pid }) => String(pid))
  const dry = await hutch(['rules', 'apply', '--file', file, '--dry-run', ...pids])
  expect(dry.stdout.match(/^would move \d+ \S+sleep to .*\(.*\/rules:\d\)$/gm)).toHaveLength(4)
  expect([byProgram, byGroup, everywhere].map((child) => placeOf(child))).toEqual([undefined, undefined, undefined])

  const { status, stdout, stderr } = await hutch(['rules', 'apply', '--file', file, '--json', ...pids])
  expect(status).toBe(1)
  expect([byProgram, byGroup, lost, everywhere, other].map((child) => placeOf(child))).toEqual([
    'a',
    't/users-8-sleep',
    undefined,
    'b',
    undefined,
  ])
  expect(placeOf(everywhere, 'pids')).toBe('b')
  expect(stderr).toBe('')
  const told = JSON.parse(stdout)
  expect(told).toHaveLength(4)
  expect(told[2]).toMatchObject({ uid: 6, moved: [], failed: [{ code: 'CGROUP_REFUSED', errno: 'ENOENT' }] })

  const again = await hutch(['rules', 'apply', '--file', file, String(byProgram.pid), '999999999'])
  expect(again).toEqual({ status: 0, stdout: '', stderr: '' })
})

test('a job of root keeps its groups; a group that only has such a name does not keep its processes', async (context) => {
  requires(context, 'root')
  const file = conf(`${nobodys} * BASE/a`)
  const named = roots.map((root) => `${root}/c/hutch-1-1-1-1`)
  for (const group of named) mkdirSync(group)
  const plain = sleeper(nobodys)
  for (const group of named) writeFileSync(`${group}/cgroup.procs`, String(plain.pid))
  const pids = ['--parent', `${base}/c`, '--cpus', '0.5', '--pids', '10']
  launch(hutchFile, [...hutchArgs, 'run', ...pids, '--user', String(nobodys), '--', 'sleep', '600'])
  const jobs = () =>
    readdirSync(`${roots[0]}/c`).filter((name) => name.startsWith('hutch-') && name !== 'hutch-1-1-1-1')
  const members = () =>
    jobs().flatMap((job) => readFileSync(`${roots[0]}/c/${job}/cgroup.procs`, 'utf8').match(/\d+/g) ?? [])
  await expect.poll(members, patience).not.toEqual([])
  const running = members().map((pid) => ({ pid: Number(pid) }))
  await hutch(['rules', 'apply', '--file', file, String(plain.pid), ...members()])
  expect(placeOf(plain)).toBe('a')
  expect(running.map((process) => placeOf(process))).toEqual(running.map(() => expect.stringMatching(/^c\/hutch-/)))
})

test('neither kernel threads nor hutch itself are moved', async (context) => {
  requires(context, 'root')
  const file = conf('* cpu BASE/a\n')
  // only processes that may be moved without harm, should it be done after all: itself, and one that the kernel refuses to move
  const others = readFileSync('/proc/2/comm', 'utf8') === 'kthreadd\n' ? '2' : ''
  const script = `exec "$@" rules apply --file ${file} $$ ${others} 999999999`
  expect(await collect('sh', ['-c', script, 'sh', ...hutchCommand])).toEqual({ status: 0, stdout: '', stderr: '' })
})

test('outside of the first namespaces there is a clear error', async (context) => {
  requires(context, 'root', 'process connector')
  const file = conf(`${nobodys} cpu BASE/a\n`)
  for (const [flags, errno] of [
    [['--pid', '--fork', '--mount-proc'], 'ETIMEDOUT'],
    [['--net'], 'ECONNREFUSED'],
  ] as const) {
    const command = [...flags, ...hutchCommand, 'rules', 'watch', '--no-socket', '--file', file]
    const { status, stderr } = await collect('unshare', command)
    expect(stderr).toContain(`cannot watch the processes of this machine: the kernel refused (${errno})`)
    expect(stderr).toContain('remedy: run it outside of containers')
    expect(status).toBe(125)
  }
})

test('a group of a template on v2 has the controllers of its rule', async (context) => {
  requires(context, 'root')
  const child = sleeper(nobodys)
  const file = conf(`${nobodys} cpu,pids BASE/made/%u/deep`)
  expect(await hutch(['rules', 'apply', '--file', file, String(child.pid)])).toMatchObject({ status: 0, stderr: '' })
  expect([placeOf(child), placeOf(child, 'pids')]).toEqual([`made/${nobodys}/deep`, `made/${nobodys}/deep`])
  for (const controller of ['cpu', 'pids']) {
    const file =
      controller === 'cpu' && !v1.cpu ? 'cpu.weight' : `${controller}.${controller === 'cpu' ? 'shares' : 'max'}`
    expect(existsSync(`${mountOf(controller)}/${base}/made/${nobodys}/deep/${file}`)).toBe(true)
  }
})

test('a template of cgconfig.conf sets the groups that its rule makes, and says whose they are', async (context) => {
  requires(context, 'root')
  const file = conf(`${nobodys} pids BASE/set/%u\n`)
  const templates = `${directory}/templates`
  writeFileSync(
    templates,
    `template ${base}/set/%u { perm { admin { uid = games; gid = games; } task { uid = mail; } } pids { pids.max = 77; } }`,
  )
  const args = ['rules', 'apply', '--file', file, '--templates', templates]
  const child = sleeper(nobodys)
  expect(await hutch([...args, String(child.pid)])).toMatchObject({ status: 0, stderr: '' })
  const group = `${mountOf('pids')}/${base}/set/${nobodys}`
  expect(placeOf(child, 'pids')).toBe(`set/${nobodys}`)
  expect(readFileSync(`${group}/pids.max`, 'utf8')).toBe('77\n')
  expect([group, `${group}/pids.max`, `${group}/cgroup.procs`].map((path) => statSync(path).uid)).toEqual([5, 5, 8])
  // what cannot be set is not made
  writeFileSync(templates, `template ${base}/set/%u { pids { pids.max = lots; } }`)
  const other = sleeper(users.man)
  const wrong = conf(`man pids BASE/set/%u\n`)
  const { status, stderr } = await hutch([
    'rules',
    'apply',
    '--file',
    wrong,
    '--templates',
    templates,
    String(other.pid),
  ])
  expect([status, stderr]).toEqual([1, expect.stringMatching(/cannot set pids\.max to lots in .*EINVAL/)])
  expect(existsSync(`${mountOf('pids')}/${base}/set/man`)).toBe(false)
})

test('a template that cannot be set in one hierarchy leaves nothing in any, and the process where it is', async (context) => {
  requires(context, 'root')
  const file = conf(`${nobodys} cpu,pids BASE/deep/er/%u\n`)
  const templates = `${directory}/templates`
  writeFileSync(templates, `template ${base}/deep/er/%u { cpu { } pids { pids.max = lots; } }`)
  const child = sleeper(nobodys)
  const args = ['rules', 'apply', '--file', file, '--templates', templates, String(child.pid)]
  expect(await hutch(args)).toMatchObject({ status: 1, stderr: expect.stringMatching(/cannot set pids\.max to lots/) })
  expect([placeOf(child), placeOf(child, 'pids')]).toEqual([undefined, undefined])
  for (const controller of ['cpu', 'pids']) expect(existsSync(`${mountOf(controller)}/${base}/deep`)).toBe(false)
})

test('ignore with the destination * leaves a process where it is, wherever that is', async (context) => {
  requires(context, 'root')
  const [ignored, moved] = [sleeper(nobodys), sleeper(users.man)]
  const rules = (first: string) => conf(`${first}\n* cpu BASE/a\n`)
  const apply = (file: string, ...children: ChildProcess[]) =>
    hutch(['rules', 'apply', '--file', file, ...children.map((child) => String(child.pid))])
  expect(await apply(rules(`${nobodys} * * ignore`), ignored, moved)).toMatchObject({ status: 0, stderr: '' })
  expect([placeOf(ignored), placeOf(moved)]).toEqual([undefined, 'a'])
  expect(await apply(rules(`# ${nobodys} * * ignore`), ignored)).toMatchObject({ status: 0 })
  expect(placeOf(ignored)).toBe('a')
})

test('watch moves what is there, what comes and what changes its user', async (context) => {
  requires(context, 'root', 'process connector')
  const before = sleeper(nobodys)
  const { said } = await watch(conf(`${nobodys} cpu BASE/a\ngames:sleep cpu BASE/b\n`))
  expect(placeOf(before)).toBe('a')
  const after = sleeper(nobodys)
  await expect.poll(() => placeOf(after), patience).toBe('a')
  const setuid = launch('setpriv', ['--reuid', 'games', '--clear-groups', 'sleep', '600'])
  await expect.poll(() => placeOf(setuid), patience).toBe('b')
  // it is told after it was done
  const line = new RegExp(`^moved ${after.pid} \\S+ to cpu:/${base}/a \\(.*/rules:1\\)$`, 'm')
  await expect.poll(() => said.stdout, patience).toMatch(line)
})

test('a child born while its parent is moved is moved too, also when the parent is gone', async (context) => {
  requires(context, 'root', 'process connector')
  const fifo = `${directory}/fifo`
  execFileSync('mkfifo', ['-m', '666', fifo])
  chmodSync(directory, 0o755)
  await watch(conf(`${nobodys} cpu BASE/a\n`))
  // the children run no program of their own, so only their birth tells of them
  for (const then of ['exit', 'wait'])
    for (let round = 0; round < 10; round++) {
      const parent = launch('sh', ['-c', `(read -r line < ${fifo}) & echo $!; ${then}`], { uid: nobodys, gid: 60 })
      const pid = Number(String(await new Promise((resolve) => parent.stdout!.once('data', resolve))))
      orphans.add(pid)
      await expect.poll(() => placeOf({ pid }), patience).toBe('a')
    }
})

test('a signal reads the rules again; of a bad file nothing is used', async (context) => {
  requires(context, 'root', 'process connector')
  const file = conf(`${nobodys} cpu BASE/a\n`)
  const { child, said } = await watch(file, '--json')
  const first = sleeper(nobodys)
  await expect.poll(() => placeOf(first), patience).toBe('a')
  conf(`${nobodys} cpu BASE/b\n% ../x y\n`)
  child.kill('SIGUSR2')
  await expect.poll(() => said.stderr, patience).toContain('the rules stay as they were')
  await expect.poll(() => said.stderr, patience).toContain('/rules:2')
  const second = sleeper(nobodys)
  await expect.poll(() => placeOf(second), patience).toBe('a')
  conf(`${nobodys} cpu BASE/b\n`)
  child.kill('SIGHUP')
  await expect.poll(() => [placeOf(first), placeOf(second)], patience).toEqual(['b', 'b'])
  const told = () =>
    said.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  const moved = { uid: nobodys, moved: [{ controllers: ['cpu'], group: `${mountOf('cpu')}/${base}/b` }] }
  await expect
    .poll(told, patience)
    .toContainEqual(expect.objectContaining({ ...moved, moved: [expect.objectContaining(moved.moved[0]!)] }))
  const ended = new Promise((resolve) => child.once('exit', (status) => resolve(status)))
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(existsSync(socket)).toBe(false)
})

test('a second watch on the same socket is refused, a dead one’s socket is taken over', async (context) => {
  requires(context, 'root', 'process connector')
  const file = conf(`${nobodys} cpu BASE/a\n`)
  const { child } = await watch(file)
  const second = await hutch(['rules', 'watch', '--file', file, '--socket', socket])
  expect(second).toMatchObject({ status: 125, stderr: expect.stringContaining('another program is listening there') })
  await end(child)
  expect(existsSync(socket)).toBe(true)
  await end((await watch(file)).child)
  rmSync(socket)
  writeFileSync(socket, 'precious')
  const third = await hutch(['rules', 'watch', '--file', file, '--socket', socket])
  expect(third).toMatchObject({ status: 125, stderr: expect.stringContaining('exists and is not a socket') })
  expect(readFileSync(socket, 'utf8')).toBe('precious')
  rmSync(socket)
})

test('of many programs at once under load every one is found', async (context) => {
  requires(context, 'root', 'process connector')
  await watch(conf(`${nobodys} cpu BASE/a\n`))
  // each waits until it was moved, half a minute at most: how soon that is depends on what else the machine does
  const [count, parallel] = [repetitions(1000, 300, 40), process.env.VM ? 4 : 16]
  const look = `while read -r l; do case $l in */${base}/a) echo in; exit;; esac; done < /proc/self/cgroup`
  const say = `i=0; while [ $i -lt 300 ]; do ${look}; sleep 0.1; i=$((i + 1)); done; echo out`
  const line = `seq ${count} | xargs -P ${parallel} -n 1 setpriv --reuid ${nobodys} --clear-groups sh -c '${say}'`
  const { stdout, stderr } = await collect('sh', ['-c', line])
  expect(stderr).toBe('')
  expect(stdout.match(/in/g)?.length).toBe(count)
})

test('an idle watch costs no CPU', async (context) => {
  requires(context, 'root', 'process connector')
  const { child } = await watch(conf(`${nobodys} cpu BASE/a\n`))
  // each process that starts elsewhere on the machine costs a little: at most 1 ms, a tenth of a tick
  const forks = () => Number(/^processes (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))![1])
  let excess = Number.POSITIVE_INFINITY
  for (let span = 0; span < 6 && excess > 0; span++) {
    const before = [ticks(child.pid!), forks()] as const
    await new Promise((resolve) => setTimeout(resolve, 2000))
    excess = Math.min(excess, ticks(child.pid!) - before[0] - (forks() - before[1]) / 10)
  }
  expect(excess).toBeLessThanOrEqual(0)
})

test('lost events are noticed and made good', async (context) => {
  requires(context, 'root', 'process connector', 'not a VM')
  compileProgram('forks', `${directory}/forks`)
  const { child, said } = await watch(conf(`${nobodys} cpu BASE/a\n`))
  child.kill('SIGSTOP')
  expect((await collect(`${directory}/forks`, ['20000'])).status).toBe(0)
  const late = sleeper(nobodys)
  await new Promise((resolve) => setTimeout(resolve, 200))
  child.kill('SIGCONT')
  await expect.poll(() => placeOf(late), patience).toBe('a')
  await expect.poll(() => said.stderr, patience).toContain('events were lost')
}, 300_000)
