// SPDX-License-Identifier: Apache-2.0
// Events of groups: none is lost, and an idle watch costs nothing.
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { GroupEvent } from '../../src/cgroup/event-sources.ts'
import { Cgroup } from '../../src/index.ts'
import { cli, settled, ticks } from '../cli/hutch.ts'
import { requires } from '../requires.ts'

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
  const child = spawn(process.execPath, [cli, 'cgroup', 'watch', '--json', ...args], {
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
    ready: settled(child.pid!),
    end: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

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
  await pause(100)
  await inside(group, 'build/bin/hutch hog 30M; sleep 0.3')
  await group.freeze()
  await pause(200)
  await group.thaw()
  await pause(500)
  await group.remove({ kill: true })
  await over
  const kinds = seen.map(({ kind, count }) => [kind, count])
  expect(kinds).toContainEqual(['populated', 1])
  expect(kinds).toContainEqual(['populated', 0])
  expect(kinds).toContainEqual(['frozen', 1])
  expect(kinds).toContainEqual(['removed', 1])
  expect(sum(seen, 'oom_kill')).toBe(1)
})

test('500 idle groups cost no CPU', async () => {
  for (let i = 0; i < 500; i++) await Cgroup.create(`${top}/g${i}`, { controllers: ['memory', 'pids'] })
  const { child, ready, end } = watch(['--recursive', top])
  await ready
  const before = ticks(child.pid!)
  await pause(3000)
  expect(ticks(child.pid!) - before).toBe(0)
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
  await pause(process.env.VM ? 3000 : 700)
  await end()
  const pids = events.filter((event) => event.file === 'pids.events')
  const told = { refused: sum(pids, 'max'), killed: sum(events, 'oom_kill') }
  const counted = groups.reduce((total, group) => total + group.stats().pids!.denied!, 0)
  const killed = groups.reduce((total, group) => total + group.stats().memory!.oomKills!, 0)
  expect(told).toEqual({ refused: counted, killed })
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
  await pause(process.env.VM ? 3000 : 500)
  await inside(late, 'end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do :; done')
  await late.remove()
  await pause(process.env.VM ? 3000 : 500)
  await end()
  const kinds = events.filter((event) => event.group === late.path).map(({ kind }) => kind)
  expect(kinds).toContain('created')
  expect(kinds.at(-1)).toBe('removed')
  expect(events.some(({ file, kind }) => file === 'cpu.pressure' && kind === 'some')).toBe(true)
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
