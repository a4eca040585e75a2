// SPDX-License-Identifier: Apache-2.0
// What a container needs of a plan: a group that stays, a command that outlives who started it, the rest in another process, and entering.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { walkGroups } from '../../../src/cgroup/files.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import type { GroupPlace } from '../../../src/options/spec.ts'
import { compileRest } from '../../../src/plan/compile-rest.ts'
import { startSpec } from '../../../src/run/job.ts'
import { runRest } from '../../../src/run/rest.ts'
import { hutchArgs, hutchFile } from '../../support/command.ts'
import { killsHutches } from '../../support/leaks.ts'
import { ended, type Inputs, type Made, make } from '../../support/maker.ts'
import { requires } from '../../support/requires.ts'
import { readStartTime } from '../../support/start-time.ts'

killsHutches()

const sleep = ['sleep', '600']
let made: Made[] = []
let count = 0

/** Starts a container: its group stays, and it outlives its maker. */
async function makeContainer(options: RunOptions, command = sleep): Promise<Made> {
  const group = { name: `hutch-test-${process.pid}-${++count}`, lifetime: 'container' } as const
  return remember(await make(command, options, { group, dieWithParent: false, rest: 'nobody' }))
}

function remember(one: Made): Made {
  made.push(one)
  return one
}

/** Ends the maker, and runs another hutch, which cleans up what it finds stale. */
async function killMaker({ maker }: Made): Promise<void> {
  maker.kill('SIGKILL')
  await ended(maker)
  runAnother()
}

function runAnother(): void {
  execFileSync(hutchFile, [...hutchArgs, 'run', '--isolate', 'none', '--', 'true'])
}

const lives = (pid: number) => readStartTime(String(pid)) !== undefined
const directories = ({ plan }: Made) => plan.groups.map(({ directory }) => directory)
const present = (one: Made) => directories(one).filter((directory) => existsSync(directory)).length
const restOf = (one: Made, removes: boolean) =>
  compileRest(one.plan, { pid: one.pid, started: Number(readStartTime(String(one.pid))) }, removes)

afterEach(async () => {
  for (const one of made) {
    one.maker.stdin!.end('x')
    await ended(one.maker)
    if (lives(one.pid)) process.kill(one.pid, 'SIGKILL')
    for (const directory of directories(one).flatMap((path) => (existsSync(path) ? walkGroups(path).reverse() : [])))
      await expect.poll(() => tryRemove(directory)).toBe(true)
  }
  made = []
})

function tryRemove(directory: string): boolean {
  try {
    rmdirSync(directory)
    return true
  } catch (error) {
    return (error as { code: string }).code === 'ENOENT'
  }
}

test('the group of a container, and what is in it, stay when its maker is killed and another hutch cleans up', async (context) => {
  requires(context, 'root')
  const container = await makeContainer({ isolate: 'none' })
  const job = remember(await make(sleep, { isolate: 'none' }, { dieWithParent: false }))
  await killMaker(job)
  await killMaker(container)
  // the control: the same process in a job's group is stale
  await expect.poll(() => [lives(job.pid), present(job)]).toEqual([false, 0])
  expect([lives(container.pid), present(container)]).toEqual([true, directories(container).length])
  // also when nothing is in it any more
  process.kill(container.pid, 'SIGKILL')
  await expect.poll(() => lives(container.pid)).toBe(false)
  runAnother()
  expect(present(container)).toBe(directories(container).length)
})

test.for<[string, RunOptions]>([
  ['without namespaces', { isolate: 'none' }],
  ['with hutch-init as PID 1', { isolate: ['pid', 'mount'], limits: { memory: '64M' } }],
])(
  'another process runs the rest of a container %s: waits, signals, reads the figures, removes',
  async ([, options], context) => {
    requires(context, 'root')
    const container = await makeContainer(options)
    container.maker.stdin!.end('x')
    await ended(container.maker)
    expect(lives(container.pid)).toBe(true)
    const rest = restOf(container, true)
    const adopted = runRest(rest)
    expect(adopted.signal(15)).toBe(true)
    const { figures } = await adopted.end
    const read = [...figures.keys()].map((step) => (rest.outer[step] as { path: string }).path.replace(/.*\//, ''))
    expect(read).toContain('cpu.stat')
    expect([lives(container.pid), present(container)]).toEqual([false, 0])
  },
)

test('the rest without removal leaves the group; a process that has ended, or another one with its pid, cannot be adopted', async (context) => {
  requires(context, 'root')
  const container = await makeContainer({ isolate: 'none' })
  const rest = restOf(container, false)
  const late = { ...rest, outer: [{ ...rest.outer[0]!, started: 1 } as (typeof rest.outer)[0], ...rest.outer.slice(1)] }
  expect(() => runRest(late)).toThrow(/take over the process.*ESRCH/s)
  const adopted = runRest(rest)
  process.kill(container.pid, 'SIGKILL')
  await adopted.end
  expect(present(container)).toBe(directories(container).length)
  // until its parent, which made it, has waited for it, it is a process that has ended, and can be adopted
  await vi.waitFor(() => expect(existsSync(`/proc/${container.pid}`)).toBe(false), 10_000)
  expect(() => runRest(rest)).toThrow(/take over the process.*ESRCH/s)
})

test.each<[string, Inputs, RegExp]>([
  ["a job that nobody watches in a job's group", { rest: 'nobody', dieWithParent: false }, /cannot use rest nobody/],
  ['a name that is a path', { group: { name: 'a/b', lifetime: 'job' } }, /not a file name/],
  [
    'a name that the clean-up removes',
    { group: { name: 'hutch-1-2-3-4', lifetime: 'container' } },
    /gives such names itself/,
  ],
  ['limits of an entered group', { group: { enter: [] } }, /an existing group/],
])('refuses %s', (_, inputs, why) => {
  const spec = { ...parseOptions('true', [], { limits: { pids: 5 } }, 'library'), ...inputs }
  expect(() => startSpec(spec, { stdio: 'ignore' })).toThrow(why)
})

const kinds = ['pid', 'mnt', 'uts', 'ipc', 'cgroup'] as const

test('a command enters the groups, namespaces and root of a running container, and its end leaves both', async (context) => {
  requires(context, 'root')
  const container = await makeContainer({
    isolate: ['pid', 'mount', 'uts', 'ipc', 'cgroup'],
    mounts: [{ tmpfs: '/mnt' }],
  })
  const children = () => readFileSync(`/proc/${container.pid}/task/${container.pid}/children`, 'utf8').trim()
  await vi.waitFor(() => expect(children()).not.toBe(''), 10_000)
  const inside = children()
  const enter = container.plan.groups.map(({ controller, directory }): GroupPlace => ({ controller, directory }))
  const join = Object.fromEntries(['pid', 'mount', 'uts', 'ipc', 'cgroup'].map((kind) => [kind, Number(inside)]))
  const show = `cat /proc/self/cgroup; readlink ${kinds.map((kind) => `/proc/self/ns/${kind}`).join(' ')}; grep -c ' /mnt tmpfs' /proc/self/mounts; grep CapBnd /proc/self/status`
  const options = { isolate: 'none', join, capDrop: ['ALL'], capAdd: ['KILL'], timeout: 60_000 } as const
  const spec = { ...parseOptions('sh', ['-c', show], options, 'library'), group: { enter } }
  const entered = startSpec(spec, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const line of entered) text += `${line}\n`
  expect((await entered.result).exitCode).toBe(0)
  const links = kinds.map((kind) => readlinkSync(`/proc/${inside}/ns/${kind}`))
  // in its own cgroup namespace, each group of the container is the root
  const own = enter.map(({ controller }) => (controller === '' ? '0::/' : `${controller}:/`))
  for (const line of own) expect(text).toMatch(new RegExp(`${line}$`, 'm'))
  expect(text).toContain(`${links.join('\n')}\n1\nCapBnd:\t0000000000000020\n`)
  expect([lives(container.pid), present(container)]).toEqual([true, enter.length])
})
