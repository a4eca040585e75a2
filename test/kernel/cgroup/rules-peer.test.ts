// SPDX-License-Identifier: Apache-2.0
// The same rules for cgrulesengd(8) and for hutch rules watch: the same processes are in the same groups. And cgexec --sticky with both.
// In a VM only in `npm run test:kernels`.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeTree } from '../../../src/cgroup/files.ts'
import { readHost } from '../../../src/host/host.ts'
import { hutchCommand } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-peer-test-`)
const base = `hutch-test-${process.pid}-peer`
const { unified, v1 } = readHost()
const controllers = ['cpu', 'pids']
const mounts = [...new Set(controllers.map((name) => v1[name]?.mount ?? unified!.mount))]
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, process.env.VM ? 10 * ms : ms))

const rules = `
# of both programs
games:sleep      cpu,pids   ${base}/a
games:/usr/bin/tail  cpu,pids  ${base}/b
games            cpu,pids   ${base}/c
man:job.sh       cpu        ${base}/b
@users           cpu,pids   ${base}/a
news             cpu        ${base}/a
%                pids       ${base}/b
proxy            cpu        ${base}/nosuch
www-data         cpu,pids   ${base}/t/%u
`

const people: [user: string, group: string, command: string[]][] = [
  ['games', 'games', ['sleep', '600']],
  ['games', 'games', ['tail', '-f', '/dev/null']],
  ['games', 'games', ['sh', '-c', 'exec cat < "$0"', 'FIFO']],
  ['man', 'man', ['SCRIPT']],
  ['man', 'man', ['sleep', '600']],
  ['mail', 'users', ['sleep', '600']],
  ['news', 'news', ['sleep', '600']],
  ['proxy', 'proxy', ['sleep', '600']],
  ['www-data', 'www-data', ['sleep', '600']],
  ['lp', 'lp', ['sleep', '600']],
]

beforeAll(() => {
  for (const mount of mounts)
    for (const name of ['a', 'b', 'c', 't']) mkdirSync(`${mount}/${base}/${name}`, { recursive: true })
  for (const folder of ['etc/cgconfig.d', 'etc/cgrules.d', 'run'])
    mkdirSync(`${directory}/${folder}`, { recursive: true })
  writeFileSync(`${directory}/etc/cgrules.conf`, rules)
  writeFileSync(`${directory}/etc/cgconfig.conf`, '')
  writeFileSync(`${directory}/job.sh`, '#!/bin/sh\nread -r line < "${0%/*}/fifo"\n', { mode: 0o755 })
})

afterAll(async () => {
  for (let tries = 0; !mounts.every((mount) => removeTree(`${mount}/${base}`)) && tries < 500; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  expect(mounts.filter((mount) => existsSync(`${mount}/${base}`))).toEqual([])
  rmSync(directory, { recursive: true })
})

/** In mounts of its own, where /etc has our rules on top and /run is ours: the daemon of the host, if any, is not met. */
function inside(...command: string[]): ChildProcess {
  const script = `mount -t overlay overlay -o lowerdir=${directory}/etc:/etc /etc && mount --bind ${directory}/run /run && exec "$@"`
  return spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await gone
}

/** Where a process is below our groups, in each of the hierarchies. */
function placesOf(pid: number | undefined): (string | undefined)[] {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
  return controllers.map(
    (name) =>
      lines
        .find((line) => (v1[name] ? line.split(':')[1]!.split(',').includes(name) : line.startsWith('0::')))
        ?.split(`/${base}/`)[1],
  )
}

async function withDaemon<T>(command: string[], body: () => Promise<T>): Promise<T> {
  const daemon = inside(...command)
  let said = ''
  for (const stream of [daemon.stdout!, daemon.stderr!])
    stream.on('data', (data: Buffer) => {
      said += data
    })
  try {
    await expect
      .poll(() => existsSync(`${directory}/run/cgred.socket`) || daemon.exitCode, { timeout: 30_000 })
      .toBe(true)
    await wait(1000)
    return await body()
  } catch (error) {
    throw Object.assign(error as Error, { message: `${(error as Error).message}\n${said}` })
  } finally {
    await end(daemon)
    rmSync(`${directory}/run/cgred.socket`, { force: true })
  }
}

async function settle(): Promise<(string | undefined)[][]> {
  const children = people.map(([user, group, command]) =>
    spawn(
      'setpriv',
      [
        `--reuid=${user}`,
        `--regid=${group}`,
        '--clear-groups',
        ...command.map((word) => word.replace('FIFO', `${directory}/fifo`).replace('SCRIPT', `${directory}/job.sh`)),
      ],
      { stdio: 'ignore' },
    ),
  )
  const look = () => children.map(({ pid }) => placesOf(pid))
  // as many as are placed in the end, then those that should not be have their time
  for (const since = Date.now(); placed(look()) < 7 && Date.now() - since < 20_000; ) await wait(20)
  await wait(500)
  const places = look()
  for (const child of children) await end(child)
  return places
}

/** How many are in a group of ours. */
const placed = (all: (string | undefined)[][]) =>
  all.filter((places) => places.some((place) => place !== undefined)).length

const daemons = {
  cgrulesengd: ['cgrulesengd', '-n', '-Q'],
  hutch: [...hutchCommand, 'rules', 'watch'],
}

test('the same rules put the same processes into the same groups', async (context) => {
  requires(context, 'root', 'process connector', 'cgrulesengd(8)')
  await new Promise((resolve) => spawn('mkfifo', ['-m', '666', `${directory}/fifo`]).once('exit', resolve))
  await new Promise((resolve) => spawn('chmod', ['755', directory]).once('exit', resolve))
  const ours = await withDaemon(daemons.hutch, settle)
  const theirs = await withDaemon(daemons.cgrulesengd, settle)
  expect(ours).toEqual(theirs)
  expect(placed(ours)).toBe(7)
})

test.for(Object.entries(daemons))('cgexec --sticky is heard by %s', async ([name, command], context) => {
  requires(context, 'root', 'process connector', 'cgrulesengd(8)')
  await withDaemon(command, async () => {
    const where = `${controllers.join(',')}:${base}/c`
    const tell = async (flags: string[], expected: unknown) => {
      const script = 'sleep 600 & echo $!; wait'
      const child = inside(
        'cgexec',
        ...flags,
        '-g',
        where,
        'setpriv',
        '--reuid=news',
        '--clear-groups',
        'sh',
        '-c',
        script,
      )
      const inner = Number(String(await new Promise((resolve) => child.stdout!.once('data', resolve))))
      const look = () => [placesOf(child.pid), placesOf(inner)]
      await expect.poll(look, { timeout: 20_000 }).toEqual(expected)
      // and so it stays
      await wait(400)
      const places = look()
      process.kill(inner, 'SIGKILL')
      await end(child)
      return places
    }
    const here = ['c', 'c']
    const elsewhere = v1.cpu ? ['a', 'b'] : ['b', 'b']
    expect([name, await tell(['--sticky'], [here, here])]).toEqual([name, [here, here]])
    expect([name, await tell([], [here, elsewhere])]).toEqual([name, [here, elsewhere]])
  })
})
