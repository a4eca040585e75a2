// SPDX-License-Identifier: Apache-2.0
// Fifty jobs that end in ten ways, and what `why` says of each.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import {
  Cgroup,
  type Explanation,
  type Job,
  type Result,
  type RunOptions,
  run,
  type StartOptions,
  start,
  type WhyCause,
  why,
} from '../../../src/index.ts'
import { buildDirectory } from '../../../src/system/native.ts'
import { readLog } from '../../../src/why/kernel-log.ts'
import { becomes } from '../../cli/hutch.ts'
import { requires } from '../../support/requires.ts'

const hog = `${buildDirectory}/bin/hutch`
const top = `/hutch-test-${process.pid}`
const work = mkdtempSync(`${tmpdir()}/hutch-why-`)
const children = new Set<ChildProcess>()
let serial = 0

beforeAll(async () => {
  await Cgroup.create(top)
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Cgroup.open(top).remove({ recursive: true, kill: true })
  rmSync(work, { recursive: true })
})

const group = (files: object, parent = top) => Cgroup.create(`${parent}/${++serial}`, { files: files as never })
const tight = { 'memory.max': '8M', 'memory.swap.max': 0 }

/** A shell script that first enters a group. */
function inside({ directories }: Cgroup, script: string): ReturnType<typeof begin> {
  const join = [...new Set(Object.values(directories))].map((at) => `echo 0 > ${at}/cgroup.procs`).join(';')
  return begin('sh', ['-c', `${join}; ${script}`])
}

function begin(
  command: string,
  args: string[],
): { child: ChildProcess; ended: Promise<void>; output: Promise<string> } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  children.add(child)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const output = new Promise<string>((resolve) => child.stdout!.once('data', (data) => resolve(String(data))))
  return { child, ended, output }
}

/** A process that sleeps, with a number of which the kernel's log tells nothing yet: on a busy machine numbers come round again. */
async function unheardOf(): Promise<ReturnType<typeof begin>> {
  const { kills, faults } = readLog()
  const told = new Set([...kills, ...faults].map(({ pid }) => pid))
  for (;;) {
    const one = begin('sleep', ['60'])
    if (!told.has(one.child.pid!)) return one
    one.child.kill('SIGKILL')
    await one.ended
  }
}

/** Until a process is over, and its parent has not asked for it. */
async function overUnasked(pid: number): Promise<void> {
  await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^State:\tZ/m), 30_000)
}

/** The kernel leaves out reports above ten in five seconds, of whoever's: then the same is done again, a little later. */
async function untilLogged(attempt: () => Promise<Explanation | undefined>): Promise<Explanation> {
  for (let tries = 0; tries < 12; tries++) {
    const found = await attempt()
    if (found) return found
    await pause(1000)
  }
  throw new Error('the kernel logged none of twelve kills')
}

/** `why`, or undefined when the log has nothing for it. */
function tryWhy(target: string | number): Explanation | undefined {
  try {
    const found = why(target)
    const { cause, whose } = found.causes[0]!
    return cause === 'not-kernel' || (cause === 'oom' && whose === undefined) ? undefined : found
  } catch (error) {
    expect(error).toMatchObject({ code: 'WHY_TARGET_UNKNOWN' })
    return undefined
  }
}

/** A job that stays while it is looked at: `script` says ready when it is so far. */
async function looked(options: StartOptions, script: string, look: (job: Job) => Explanation): Promise<Explanation> {
  await using job = await start('sh', ['-c', script], options)
  await new Promise<void>((resolve) => job.stdout!.on('data', (data) => String(data).includes('ready') && resolve()))
  const found = look(job)
  job.kill()
  await job.result
  return found
}

const sh = (script: string, options: RunOptions = {}) => run('sh', ['-c', script], options)
const told = async (result: Promise<Result>) => why(await result)

/** The way of a report on disk. */
async function saved(result: Promise<Result>): Promise<Explanation> {
  const file = `${work}/${++serial}.json`
  writeFileSync(file, JSON.stringify(await result))
  return why(file)
}

const forks = 'for i in 1 2 3 4 5 6; do sleep 1 & done; wait'
/** So little that it is used up on a busy machine, too; where all takes ten times as long, the start alone would use it up. */
const cpus = process.env.VM ? 0.2 : 0.05
const spin = 'while :; do :; done & pid=$!; sleep 0.6; kill $pid'
const overflow = 'ulimit -s 256; f() { f; }; f'
const fill = (directory: string) => `dd if=/dev/zero of=${directory}/full bs=64k 2>/dev/null; echo ready; sleep 60`

/** Most of the machine's memory is taken away, so that who wants much meets its end. */
async function scarcely<T>(act: () => Promise<T>): Promise<T> {
  if (!process.env.VM) throw new Error('never on a machine that others live on')
  const file = '/proc/sys/vm/nr_hugepages'
  const free = Number(/^MemAvailable: +(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))![1]) / 1024
  const generations = '/sys/kernel/mm/lru_gen'
  const kept = existsSync(generations)
  writeFileSync(file, String(Math.max(0, Math.floor((free - 250) / 2))))
  // what was used in the last minute stays (multi-gen LRU): no minute of thrashing before the kernel gives up
  if (kept) writeFileSync(`${generations}/enabled`, 'y')
  if (kept) writeFileSync(`${generations}/min_ttl_ms`, '60000')
  try {
    return await act()
  } finally {
    if (kept) writeFileSync(`${generations}/min_ttl_ms`, '0')
    if (kept) writeFileSync(`${generations}/enabled`, 'n')
    writeFileSync(file, '0')
  }
}

/** Whom the kernel picks first when the host has no memory left, or is told so by hand, which takes no minute of thrashing. */
const first = 'echo 1000 > /proc/self/oom_score_adj;'
const greedy = `${first} exec ${hog} hog 900M`
const patient = `${first} exec ${hog} hog 4M --hold 60s`
function pressKey(): void {
  if (process.env.VM) writeFileSync('/proc/sysrq-trigger', 'f')
  else throw new Error('never on a machine that others live on')
}

async function pressedUpon({ child, ended }: ReturnType<typeof begin>): Promise<number> {
  await new Promise<void>((resolve) => child.stdout!.on('data', (data) => String(data).includes('\n') && resolve()))
  pressKey()
  await ended
  return child.pid!
}

type Ways = { [way: string]: { [job: string]: () => Promise<Explanation> } }
type Expected = Partial<WhyCause>

const hostOrBelow: Ways = process.env.VM
  ? {
      'the host’s memory': {
        'a group on a machine without memory': () =>
          scarcely(async () => {
            const own = await group({})
            await inside(own, greedy).ended
            return why(own.path)
          }),
        'a group with a limit of its own': async () => {
          const own = await group({ 'memory.max': '100M' })
          await pressedUpon(inside(own, patient))
          return why(own.path)
        },
        'a run': async () => {
          const job = await start('sh', ['-c', patient])
          await new Promise<void>((resolve) =>
            job.stdout!.on('data', (data) => String(data).includes('\n') && resolve()),
          )
          pressKey()
          return why(await job.result)
        },
        'a process that is gone': () =>
          untilLogged(async () => tryWhy(await pressedUpon(begin('sh', ['-c', patient])))),
        'a group that is gone': () =>
          untilLogged(async () => {
            const own = await group({})
            await pressedUpon(inside(own, patient))
            await own.remove()
            return tryWhy(own.path)
          }),
      },
    }
  : {
      'a limit below': {
        'a child': async () => {
          const own = await group({})
          await inside(await group(tight, own.path), `exec ${hog} hog 20M`).ended
          return why(own.path)
        },
        'a grandchild': async () => {
          const own = await group({})
          const child = await group({}, own.path)
          await inside(await group(tight, child.path), `exec ${hog} hog 20M`).ended
          return why(own.path)
        },
        'one of three': async () => {
          const own = await group({})
          const three = [await group(tight, own.path), await group(tight, own.path), await group(tight, own.path)]
          await inside(three[1]!, `exec ${hog} hog 20M`).ended
          return why(own.path)
        },
        twice: async () => {
          const own = await group({})
          await inside(await group(tight, own.path), `${hog} hog 20M; ${hog} hog 20M`).ended
          return why(own.path)
        },
        gone: () =>
          untilLogged(async () => {
            const own = await group({})
            await inside(await group(tight, own.path), `exec ${hog} hog 20M`).ended
            await own.remove({ recursive: true })
            return tryWhy(own.path)
          }),
      },
    }

const ways: Ways = {
  'its own memory limit': {
    'a run': () => told(run(hog, ['hog', '20M'], { limits: { memory: '8M', swap: 0 } })),
    // pure v1 cannot kill it as a whole
    'a run that is killed as a whole': () =>
      saved(
        sh(`${hog} hog 20M; true`, { limits: { memory: '8M', swap: 0, oomGroup: readHost().unified !== undefined } }),
      ),
    'a group': async () => {
      const own = await group(tight)
      await inside(own, `${hog} hog 20M; ${hog} hog 20M`).ended
      return why(own.path)
    },
    'a group that is gone': () =>
      untilLogged(async () => {
        const own = await group(tight)
        await inside(own, `exec ${hog} hog 20M`).ended
        await own.remove()
        return tryWhy(own.path)
      }),
    'a process that is gone': () =>
      untilLogged(async () => {
        const own = await group(tight)
        const { child, ended } = inside(own, `exec ${hog} hog 20M`)
        await ended
        return tryWhy(child.pid!)
      }),
  },
  'a limit above': {
    'a run': async () => {
      const above = await group(tight)
      return told(run(hog, ['hog', '20M'], { parent: above.path, limits: { memory: '16M' } }))
    },
    'a child': async () => {
      const own = await group({}, (await group(tight)).path)
      await inside(own, `exec ${hog} hog 20M`).ended
      return why(own.path)
    },
    'a grandchild with a limit of its own': async () => {
      const own = await group({ 'memory.max': '100M' }, (await group({}, (await group(tight)).path)).path)
      await inside(own, `exec ${hog} hog 20M`).ended
      return why(own.path)
    },
    'a child that is gone': () =>
      untilLogged(async () => {
        const own = await group({}, (await group(tight)).path)
        await inside(own, `exec ${hog} hog 20M`).ended
        await own.remove()
        return tryWhy(own.path)
      }),
    'a process that is gone': () =>
      untilLogged(async () => {
        const own = await group({}, (await group(tight)).path)
        const { child, ended } = inside(own, `exec ${hog} hog 20M`)
        await ended
        return tryWhy(child.pid!)
      }),
  },
  ...hostOrBelow,
  'too many tasks': {
    'a run': () => told(sh(forks, { limits: { pids: 4 } })),
    'a group': async () => {
      const own = await group({ 'pids.max': 3 })
      await inside(own, forks).ended
      return why(own.path)
    },
    'a limit above': async () => {
      const own = await group({}, (await group({ 'pids.max': 3 })).path)
      await inside(own, forks).ended
      return why(own.path)
    },
    'a limit below': async () => {
      const own = await group({})
      await inside(await group({ 'pids.max': 3 }, own.path), forks).ended
      return why(own.path)
    },
    "a user's limit": () =>
      looked(
        { user: String(100_000 + process.pid), init: false, ulimits: { nproc: 3 } },
        'sleep 60 & sleep 60 & echo ready; wait',
        (job) => why(job.pid),
      ),
  },
  timeout: {
    'ends on SIGTERM': () => told(run('sleep', ['10'], { timeout: 100 })),
    'has to be killed': () => told(sh('trap "" TERM; while :; do sleep 1; done', { timeout: 100, killAfter: 50 })),
    'is its own PID 1': () => told(run('sleep', ['10'], { timeout: 100, killAfter: 50, init: false })),
    'without namespaces': () => told(run('sleep', ['10'], { timeout: 100, isolate: 'none' })),
    'as a report': () => saved(run('sleep', ['10'], { timeout: 100 })),
  },
  throttled: {
    'a run': () => told(sh(spin, { limits: { cpus } })),
    'as a report': () => saved(sh(spin, { limits: { cpus } })),
    'a group': async () => {
      const own = await group({ 'cpu.max': `${cpus * 100_000} 100000` })
      await inside(own, spin).ended
      return why(own.path)
    },
    'a limit above': async () => {
      const own = await group({}, (await group({ 'cpu.max': `${cpus * 100_000} 100000` })).path)
      await inside(own, spin).ended
      return why(own.path)
    },
    'a process that runs': async () => {
      const own = await group({ 'cpu.max': `${cpus * 100_000} 100000` })
      const { child, ended } = inside(own, 'while :; do :; done')
      await vi.waitFor(() => expect(own.stats().cpu!.throttledPeriods).toBeGreaterThan(0), 30_000)
      const found = why(child.pid!)
      child.kill('SIGKILL')
      await ended
      return found
    },
  },
  'a fault': {
    'a run': () => told(sh(overflow)),
    'its own PID 1': () => saved(sh(overflow, { init: false })),
    'without namespaces': () => told(sh(overflow, { isolate: 'none' })),
    'an abort': () => told(sh('kill -ABRT $$')),
    'a process that is gone': () =>
      untilLogged(async () => {
        const { child, ended } = begin('sh', ['-c', overflow])
        await ended
        return tryWhy(child.pid!)
      }),
  },
  'a signal from outside': {
    'PID 1 of a run': async () => killed(await start('sleep', ['60'])),
    'a command that is PID 1': async () => killed(await start('sleep', ['60'], { init: false })),
    'without namespaces': async () => killed(await start('sleep', ['60'], { isolate: 'none' })),
    'a group': async () => {
      const own = await group(tight)
      const { child, ended } = inside(own, 'exec sleep 60')
      await becomes(child.pid!, 'sleep')
      child.kill('SIGKILL')
      await ended
      return why(own.path)
    },
    'a process that is gone': async () => {
      const { child, ended } = await unheardOf()
      child.kill('SIGKILL')
      await ended
      return why(child.pid!)
    },
  },
  'no start': {
    'not found in PATH': () => told(run('no-such-command')),
    'not found': () => saved(run('/no/such/command')),
    'no rights': () => told(run(script('plain', 'echo', 0o644))),
    'no interpreter': () => told(run(script('foreign', '#!/no/such/shell\n', 0o755))),
    'no program': () => told(run(script('odd', '\x7fELFnonsense', 0o755))),
  },
  'a full disk': {
    'its process': () => looked({ mounts: [{ tmpfs: '/mnt:size=1M' }] }, fill('/mnt'), (job) => why(job.pid)),
    'its group': () =>
      looked({ mounts: [{ tmpfs: '/mnt:size=1M' }], limits: { memory: '32M' } }, fill('/mnt'), (job) =>
        why(groupOf(job)),
      ),
    'the second of two': () =>
      looked({ mounts: [{ tmpfs: '/tmp:size=1M' }, { tmpfs: '/mnt:size=1M' }] }, fill('/mnt'), (job) => why(job.pid)),
    'not of hutch': () => alone('size=1m', 'dd if=/dev/zero of=/mnt/full bs=64k 2>/dev/null'),
    'no inodes': () =>
      alone('nr_inodes=8', 'touch /mnt/1 /mnt/2 /mnt/3 /mnt/4 /mnt/5 /mnt/6 /mnt/7 /mnt/8 /mnt/9 2>/dev/null'),
  },
}

const expectations: { [way: string]: Expected } = {
  'its own memory limit': { cause: 'oom', limit: 'memory.max', whose: 'own' },
  'a limit above': { cause: 'oom', limit: 'memory.max', whose: 'ancestor' },
  'a limit below': { cause: 'oom', limit: 'memory.max', whose: 'below' },
  'the host’s memory': { cause: 'oom', whose: 'host' },
  'too many tasks': { cause: 'pids', limit: 'pids.max' },
  timeout: { cause: 'timeout' },
  throttled: { cause: 'throttled', limit: 'cpu.max', whose: 'own' },
  'a fault': { cause: 'fault' },
  'a signal from outside': { cause: 'signal' },
  'no start': { cause: 'not-executable' },
  'a full disk': { cause: 'disk-full' },
}

const exceptions: { [job: string]: Expected } = {
  'too many tasks: a group': { cause: 'pids', limit: 'pids.max', whose: 'own' },
  'too many tasks: a limit above': { cause: 'pids', limit: 'pids.max', whose: 'ancestor' },
  'too many tasks: a limit below': { cause: 'pids', limit: 'pids.max', whose: 'below' },
  "too many tasks: a user's limit": { cause: 'pids', limit: 'RLIMIT_NPROC', whose: 'own' },
  'throttled: a limit above': { cause: 'throttled', limit: 'cpu.max', whose: 'ancestor' },
  'a signal from outside: a group': { cause: 'not-kernel' },
  'a signal from outside: a process that is gone': { cause: 'not-kernel' },
  'no start: not found in PATH': { cause: 'not-found' },
  'no start: not found': { cause: 'not-found' },
}

function script(name: string, text: string, mode: number): string {
  writeFileSync(`${work}/${name}`, text)
  chmodSync(`${work}/${name}`, mode)
  return `${work}/${name}`
}

async function killed(job: Job): Promise<Explanation> {
  process.kill(job.pid, 'SIGKILL')
  return why(await job.result)
}

/** The group of a job that runs, in memory's hierarchy. */
function groupOf(job: Job): string {
  const lines = readFileSync(`/proc/${job.pid}/cgroup`, 'utf8')
  return (/^\d+:memory:(.*)$/m.exec(lines) ?? /^0::(.*)$/m.exec(lines))![1]!
}

/** A mount namespace that hutch has not made. */
async function alone(options: string, script: string): Promise<Explanation> {
  const inside = `mount -t tmpfs -o ${options} none /mnt; ${script}; echo ready; exec sleep 60`
  const { child, output, ended } = begin('unshare', ['--mount', 'sh', '-c', inside])
  await output
  const found = why(child.pid!)
  child.kill('SIGKILL')
  await ended
  return found
}

const jobs = Object.entries(ways).flatMap(([way, list]) =>
  Object.entries(list).map(
    ([job, make]) => [`${way}: ${job}`, make, exceptions[`${way}: ${job}`] ?? expectations[way]!] as const,
  ),
)

test('there are fifty jobs, which end in ten ways', () => {
  expect([jobs.length, Object.keys(ways).length]).toEqual([50, 10])
})

test.each(jobs)('why names the cause of %s', async (_, make, expected) => {
  const { causes } = await make()
  expect(causes[0]).toMatchObject(expected)
})

test('victims have their sizes and times', async () => {
  const { causes } = await untilLogged(async () => {
    const own = await group(tight)
    await inside(own, `exec ${hog} hog 20M`).ended
    const found = why(own.path)
    return found.causes[0]!.victims ? found : undefined
  })
  const { victims, count, last, evidence, remedy, group: path } = causes[0]!
  expect(victims).toHaveLength(1)
  expect(victims![0]).toMatchObject({ name: 'hutch', group: path })
  expect(victims![0]!.anon).toBeGreaterThan(6 * 2 ** 20)
  expect(victims![0]!.anon).toBeLessThan(9 * 2 ** 20)
  expect(Math.abs(Date.parse(last!) - Date.now())).toBeLessThan(30_000)
  expect(count).toBe(1)
  expect(Object.fromEntries(evidence)['memory.max']).toMatch(/^8\.0 MiB {3}peak 8\.0 MiB.* oom_kill 1$/)
  expect(remedy).toMatch(/^measure how much it needs: hutch cgroup set \S+ memory\.max=\d+[MG];/)
  expect(remedy).toContain(`hutch cgroup set ${path} memory.max=`)
  expect(remedy).toContain(`hutch cgroup get ${path} memory.peak`)
})

test('a program of Node is told of its heap', async () => {
  const grow = 'const all = []; for (;;) all.push(new Array(1e5).fill(1.5))'
  const options = { limits: { memory: '80M', swap: 0 } }
  const cause = why(await run(process.execPath, ['--max-old-space-size=2000', '-e', grow], options)).causes[0]!
  expect(cause).toMatchObject({ cause: 'oom', whose: 'own' })
  expect(cause.remedy).toContain('--max-old-space-size=32')
  expect(Object.fromEntries(cause.evidence)['node heap']).toContain('--max-old-space-size=2000 lets V8 grow to 2.0 GiB')
})

test('a group that was made by mkdir and entered by cgexec is as good as any', async (context) => {
  requires(context, 'cgroup-tools')
  const { layout, unified, v1 } = readHost()
  const name = `hutch-test-${process.pid}-by-hand`
  const directory = `${layout === 'v2' ? unified!.mount : v1.memory!.mount}/${name}`
  mkdirSync(directory)
  try {
    writeFileSync(`${directory}/${layout === 'v2' ? 'memory.max' : 'memory.limit_in_bytes'}`, '8M')
    spawnSync('cgexec', ['-g', `memory:${name}`, hog, 'hog', '20M'])
    for (const target of [name, `/${name}`, directory])
      expect(why(target)).toMatchObject({
        target: { kind: 'group', name: target, there: true },
        causes: [{ cause: 'oom', whose: 'own', count: 1, group: `/${name}` }],
      })
  } finally {
    rmdirSync(directory)
  }
})

test('who ended by itself is told as such', async () => {
  const own = await group(tight)
  await inside(own, 'exit 3').ended
  expect(why(own.path).causes).toMatchObject([{ cause: 'not-kernel' }])
  expect(why(await sh('exit 3')).causes).toMatchObject([{ cause: 'exit' }])
})

test('a group in which nothing happened, and a process that runs well', async () => {
  const own = await group({ ...tight, 'pids.max': 10 })
  const { child, ended } = inside(own, 'exec sleep 60')
  await becomes(child.pid!, 'sleep')
  for (const target of [own.path, child.pid!]) expect(why(target).causes).toMatchObject([{ cause: 'none' }])
  child.kill('SIGKILL')
  await ended
})

test('a group whose processes wait for the CPUs of its cpuset is reported as slowed', async () => {
  const own = await group({ 'cpuset.cpus': '0' })
  const { child, ended } = inside(own, 'while :; do :; done & while :; do :; done & wait')
  await vi.waitFor(
    () => expect(why(own.path).causes[0]).toMatchObject({ kind: 'slowed', limit: 'cpuset.cpus' }),
    30_000,
  )
  await own.kill()
  child.kill('SIGKILL')
  await ended
})

test('what is neither process nor group nor report is refused, with the nearest name', async () => {
  await Cgroup.create(`${top}/builder`)
  expect(() => why(`${top}/bulider`)).toThrowError(
    expect.objectContaining({ code: 'WHY_TARGET_UNKNOWN', remedy: `did you mean ${top}/builder?` }),
  )
})

test('a whole machine that has no room for a task is told by threads-max', () => {
  const file = '/proc/sys/kernel/threads-max'
  const before = readFileSync(file, 'utf8')
  const tasks = Number(/\/(\d+) /.exec(readFileSync('/proc/loadavg', 'utf8'))![1])
  // where others live on this machine it would end them; a few of the kernel's own may end meanwhile
  if (process.env.VM) writeFileSync(file, String(Math.max(20, tasks - 20)))
  try {
    const refused = spawnSync('true').error as NodeJS.ErrnoException | undefined
    const found = why(process.pid).causes.filter(({ limit }) => limit === 'threads-max')
    expect([refused?.code, found.length]).toEqual(process.env.VM ? ['EAGAIN', 1] : [undefined, 0])
  } finally {
    writeFileSync(file, before)
  }
})

test('a process that nobody has asked for yet is told by its own end', async () => {
  const parent = begin('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'])
  const pid = Number(await parent.output)
  // The shell would still ask for its child; what it becomes never does.
  await becomes(parent.child.pid!, 'sleep')
  process.kill(pid, 'SIGKILL')
  await overUnasked(pid)
  expect(why(pid)).toMatchObject({ target: { there: false }, causes: [{ cause: 'signal' }] })
  expect(why(pid).causes[0]!.headline).toContain('was ended by SIGKILL')
  parent.child.kill('SIGKILL')
  await parent.ended
})

test('what the log has of an earlier process of the same number is not told of a later one', async (context) => {
  const next = '/proc/sys/kernel/ns_last_pid'
  const up = Number.parseFloat(readFileSync('/proc/uptime', 'utf8'))
  // the clock of the log is trusted to a ten-thousandth of that
  if (!existsSync(next) || up > 86_400) context.skip('needs ns_last_pid, and a boot of today')
  const own = await group(tight)
  const victim = inside(own, `exec ${hog} hog 20M`)
  await victim.ended
  const pid = victim.child.pid!
  expect(readLog().kills.findLast((one) => one.pid === pid)).toMatchObject({ name: 'hutch' })
  await pause(1500 + up / 10)
  const again = `until echo ${pid - 1} > ${next}; sleep 60 & [ $! = ${pid} ]; do kill -9 $!; wait $!; done; echo ready; exec sleep 60`
  const parent = begin('sh', ['-c', again])
  await parent.output
  await becomes(parent.child.pid!, 'sleep')
  process.kill(pid, 'SIGKILL')
  await overUnasked(pid)
  expect(why(pid)).toMatchObject({ target: { there: false }, causes: [{ cause: 'signal' }] })
  parent.child.kill('SIGKILL')
  await parent.ended
})

test('what is there and does not run is told why: frozen, by a group above, stopped by a signal', async () => {
  const above = await group({})
  const own = await group({}, above.path)
  const { child, ended } = inside(own, 'exec sleep 60')
  const look = (target: number | string) => why(target).causes[0]!
  await becomes(child.pid!, 'sleep')
  await above.freeze()
  for (const target of [child.pid!, own.path])
    expect(look(target)).toMatchObject({ cause: 'stuck', whose: 'ancestor', group: above.path })
  expect(look(above.path)).toMatchObject({ whose: 'own', remedy: `thaw it: hutch cgroup thaw ${above.path}` })
  await above.thaw()
  child.kill('SIGSTOP')
  await vi.waitFor(() => expect(look(own.path)).toMatchObject({ cause: 'stuck', count: 1 }), 30_000)
  expect(look(child.pid!).remedy).toBe(`continue it: kill -CONT ${child.pid}`)
  child.kill('SIGKILL')
  await ended
})

test('what systemd-oomd killed is told by what it notes on the group', async (context) => {
  requires(context, 'a v2 tree', 'python3')
  const own = await group({})
  const set =
    "import os, sys; os.setxattr(sys.argv[1], 'user.oomd_kill', b'2'); os.setxattr(sys.argv[1], 'user.oomd_ooms', b'1')"
  expect(why(own.path).causes[0]!.cause).toBe('not-kernel')
  spawnSync('python3', ['-c', set, own.directories['']!])
  expect(why(own.path).causes[0]).toMatchObject({ cause: 'oomd', whose: 'own', count: 2, group: own.path })
})

test('a daemon that kills for want of memory is named as a possibility', async () => {
  const daemon = `${work}/systemd-oomd`
  copyFileSync('/bin/sleep', daemon)
  const { child, ended } = await unheardOf()
  const killer = begin(daemon, ['60'])
  await becomes(killer.child.pid!, 'systemd-oomd')
  child.kill('SIGKILL')
  await ended
  expect(why(child.pid!).causes[0]!.evidence).toContainEqual(['could be', expect.stringContaining('systemd-oomd')])
  killer.child.kill('SIGKILL')
  await killer.ended
  expect(why(child.pid!).causes[0]!.evidence.map(([label]) => label)).toEqual(['who did'])
})
