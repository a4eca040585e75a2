// SPDX-License-Identifier: Apache-2.0
// Events of groups: none is lost, and an idle watch costs nothing.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import type { GroupEvent } from '../../../src/cgroup/event-sources.ts'
import { Cgroup } from '../../../src/index.ts'
import { watching } from '../../cli/hutch.ts'
import { hutchArgs, hutchFile } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'

const top = `/hutch-test-${process.pid}`

afterEach(() => Cgroup.open(top).remove({ recursive: true, kill: true }))

/** A shell script inside a group. */
function inside(group: Cgroup, script: string): Promise<number | null> {
  const join = [...new Set(Object.values(group.directories))].map((at) => `echo 0 > ${at}/cgroup.procs`).join(';')
  const child = spawn('sh', ['-c', `${join}; ${script}`], { stdio: 'ignore' })
  return new Promise((resolve) => child.once('exit', resolve))
}

/** `hutch cgroup watch`, its events as they come. */
function watch(args: string[]): {
  child: ChildProcess
  events: GroupEvent[]
  ready: Promise<void>
  end: () => Promise<void>
} {
  const child = spawn(hutchFile, [...hutchArgs, 'cgroup', 'watch', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const events: GroupEvent[] = []
  let rest = ''
  child.stdout.on('data', (data: Buffer) => {
    const lines = (rest + data).split('\n')
    rest = lines.pop()!
    for (const line of lines) events.push(JSON.parse(line))
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    child,
    events,
    ready: watching(child.pid!),
    end: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Returns how often the threads of a process have waited, and so were woken. */
function wakeups(pid: number): number {
  const waits = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
    return Number(/^voluntary_ctxt_switches:\t(\d+)$/m.exec(status)![1])
  })
  return waits.reduce((sum, count) => sum + count, 0)
}

const until = (holds: () => boolean) => vi.waitFor(() => expect(holds()).toBe(true), { timeout: 40_000, interval: 20 })

const sum = (events: GroupEvent[], kind: string) =>
  events.filter((event) => event.kind === kind).reduce((total, event) => total + event.count, 0)

test('the life of a group, as the library tells it', async (context) => {
  requires(context, 'a v2 tree')
  await Cgroup.create(top)
  const group = await Cgroup.create(`${top}/life`, {
    files: { 'memory.max': '10M', 'memory.swap.max': 0, 'pids.max': 20 },
  })
  const seen: GroupEvent[] = []
  const over = (async () => {
    for await (const event of group.events()) seen.push(event)
  })()
  // what is over before it was looked at is no event
  const told = (kind: string, count: number) =>
    until(() => seen.some((one) => one.kind === kind && one.count === count))
  const ended = inside(group, 'build/bin/hutch hog 30M; exec sleep 600')
  await told('populated', 1)
  await told('oom_kill', 1)
  await group.freeze()
  await told('frozen', 1)
  await group.thaw()
  await group.kill()
  await ended
  await told('populated', 0)
  await group.remove({ kill: true })
  await over
  expect(seen.map(({ kind, count }) => [kind, count])).toContainEqual(['removed', 1])
  expect(sum(seen, 'oom_kill')).toBe(1)
})

test('500 idle groups cost no CPU', async () => {
  // the directory above a watched group is watched too: it is one that nobody else uses
  const idle = `${top}/idle`
  for (let i = 0; i < 500; i++) await Cgroup.create(`${idle}/g${i}`, { controllers: ['memory', 'pids'] })
  const { child, ready, end } = watch(['--recursive', idle])
  await ready
  // V8 may still work after the start: it has to become quiet
  const idleFor2Seconds = async () => {
    const before = wakeups(child.pid!)
    await pause(2000)
    return wakeups(child.pid!) === before
  }
  await vi.waitFor(async () => expect(await idleFor2Seconds()).toBe(true), { timeout: 50_000 })
  await end()
})

// an emulated machine forks a hundred times slower
const forks = process.env.VM ? 110 : 510

test('of 10,000 refused forks and 100 kills in twenty groups none is lost', async () => {
  await Cgroup.create(top)
  const groups: Cgroup[] = []
  for (let i = 0; i < 20; i++)
    groups.push(
      await Cgroup.create(`${top}/g${i}`, { files: { 'pids.max': 12, 'memory.max': '24M', 'memory.swap.max': 0 } }),
    )
  const { events, ready, end } = watch(['--recursive', top])
  await ready
  // fills the group, so that all that follows is refused
  const fork = `while (defined($k = fork())) { sleep 100 if $k == 0; push @k, $k } for (1..${forks}) { fork() } kill 'KILL', @k; wait for @k`
  await Promise.all(
    groups.map((group) =>
      inside(
        group,
        `for i in 1 2 3 4 5; do build/bin/hutch hog 60M; done; exec perl -e '${fork.replaceAll("'", '"')}'`,
      ),
    ),
  )
  const counted = groups.reduce((total, group) => total + group.stats().pids!.denied!, 0)
  const killed = groups.reduce((total, group) => total + group.stats().memory!.oomKills!, 0)
  const refusals = () => events.filter((event) => event.file === 'pids.events')
  const told = () => ({ refused: sum(refusals(), 'max'), killed: sum(events, 'oom_kill') })
  await vi.waitFor(() => expect(told()).toEqual({ refused: counted, killed }), { timeout: 40_000, interval: 50 })
  // nor is any told twice
  await pause(700)
  await end()
  const pids = refusals()
  expect(told()).toEqual({ refused: counted, killed })
  expect([counted >= (forks - 10) * 20, killed >= 100]).toEqual([true, true])
  for (const group of groups)
    expect(
      sum(
        pids.filter((event) => event.group === group.path),
        'max',
      ),
    ).toBe(group.stats().pids!.denied)
})

test('groups that are made and removed later are told of, and a trigger fires under pressure', async (context) => {
  requires(context, 'a v2 tree')
  await Cgroup.create(top)
  const { events, ready, end } = watch(['--recursive', '--pressure', 'cpu:some:20ms/2s', top])
  await ready
  const late = await Cgroup.create(`${top}/late`, { files: { 'cpu.max': '5000 100000' } })
  const kinds = () => events.filter((event) => event.group === late.path).map(({ kind }) => kind)
  await until(() => kinds().includes('created'))
  const ended = inside(late, 'while :; do :; done')
  await until(() => events.some(({ file, kind }) => file === 'cpu.pressure' && kind === 'some'))
  await late.kill()
  await ended
  await late.remove()
  await until(() => kinds().includes('removed'))
  await end()
  expect(kinds().at(-1)).toBe('removed')
})

test('a trigger that the kernel refuses is explained', async (context) => {
  requires(context, 'a v2 tree')
  await Cgroup.create(top)
  const group = Cgroup.open(top)
  const events = group.events({
    pressure: [{ resource: 'memory', kind: 'some', stallUsec: 1000, windowUsec: 60_000_000 }],
  })
  await expect(events.next()).rejects.toMatchObject({ code: 'CGROUP_WRITE_REFUSED', errno: 'EINVAL' })
})
