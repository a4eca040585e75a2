// SPDX-License-Identifier: Apache-2.0
// Each invocation once with util-linux's nsenter and once with hutch's: what the program inside saw and how it ended are the same.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { collect } from '../cli/hutch.ts'
import { hutchArgs, hutchFile } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import { type Difference, differences, isHere } from './differences.ts'
import { type Case, runCase } from './side.ts'

/** Processes to enter: options of unshare for each, and whether its user is one without rights. */
const targets = {
  plain: ['-muinpCT', '-f', '--mount-proc', '--boottime=500000', '-w', '/tmp'],
  user: ['-muinpCT', '-r', '-f', '--mount-proc'],
  owned: ['-muipC', '-r', '-f', '--mount-proc'],
  mapped: ['-U', '--map-user=5', '--map-group=6', '-f'],
  rooted: ['-m', '-R', '/usr', '-f'],
} as const
type Target = keyof typeof targets

type Entering = Case & { target?: Target }

const P = ['sh', '-c', 'PROBE']
const see = (line: string, target: Target = 'plain', rest: Omit<Case, 'argv'> = {}): Entering => ({
  argv: ['nsenter', ...line.split(' ').filter(Boolean), ...P],
  target,
  ...rest,
})
const ask = (line: string, target: Target = 'plain', rest: Omit<Case, 'argv'> = {}): Entering => ({
  argv: ['nsenter', ...line.split(' ')],
  target,
  ...rest,
})
const newer = (status: number) => ({ differs: { as: 'options of 2.42', status } })

const none = (rest: Omit<Case, 'argv'> = {}) => ({ ...rest, differs: { as: 'no namespace', status: 0 } })
const apart = { differs: { as: 'separate --wdns', status: 0 } }

const cases: Entering[] = [
  see('', 'plain', none()),
  see('-t PID', 'plain', none()),
  ...['-m', '-u', '-i', '-n', '-p', '-C', '-T'].map((option) => see(`-t PID ${option}`)),
  ...['-m', '-u', '-i', '-n', '-p', '-C', '-U'].map((option) => see(`-t PID ${option}`, 'user')),
  see('-t PID -a'),
  see('-a -t PID'),
  see('-t PID -a', 'user'),
  see('-t PID -a', 'owned'),
  see('-t PID -a', 'mapped'),
  see('-t PID -a --preserve-credentials', 'user'),
  see('-t PID -U --preserve-credentials', 'user'),
  see('-t PID -U -S 0 -G 0', 'user'),
  see('-t PID -U -S 5', 'mapped'),
  see('-t PID -U -S 5 -G 6', 'mapped'),
  see('-t PID -U', 'mapped'),
  see('-t PID -a -F'),
  see('-t PID -p --no-fork'),
  see('-t PID -mp', 'plain', { descriptors: 3 }),
  see('-t PID -S 1000', 'plain', none()),
  see('-t PID -G 1000', 'plain', none()),
  see('-t PID -n -S 1000'),
  see('-t PID -n -G 1000'),
  see('-t PID -m -S 1000 -G 1000'),
  see('-t PID -r', 'plain', none()),
  see('-t PID -w', 'plain', none()),
  see('-t PID -n -r'),
  see('-t PID -n -w'),
  see('-t PID -n -r -w'),
  see('-t PID -m -w'),
  see('-t PID -m -r -w', 'rooted'),
  see('-t PID -m -w/tmp'),
  see('-t PID -n --wd=/tmp'),
  see('--root=/', 'plain', none()),
  see('-r/usr -w/usr -n -t PID'),
  see('--wd=/tmp', 'plain', none()),
  see('--mount=/proc/PID/ns/mnt'),
  see('--net=/proc/PID/ns/net --uts=/proc/PID/ns/uts'),
  see('-n/proc/PID/ns/net'),
  see('-t PID -a --net=/proc/self/ns/net'),
  see('--targ PID --al'),
  see('-t PID -a', 'owned', { as: 'user' }),
  see('-t PID -U --preserve-credentials', 'owned', { as: 'user' }),
  see('-t PID -Um --preserve-credentials', 'owned', { as: 'user' }),
  ask('-t PID -U true', 'owned', { as: 'user' }),
  ask('-t PID -m true', 'owned', { as: 'user' }),
  ask('-t PID -a true', 'plain', { as: 'user' }),
  ask('-t PID -n true', 'user', { as: 'user' }),
  ask('true', 'plain', none()),
  ask('-t PID -n true'),
  ask('-t PID -n false'),
  ask('-t PID -a false'),
  { argv: ['nsenter', '-t', 'PID', '-a', 'sh', '-c', 'exit 9'] },
  { argv: ['nsenter', '-t', 'PID', '-m', 'sh', '-c', 'exit 9'] },
  ...['TERM', 'KILL', 'INT', 'SEGV'].flatMap((name): Entering[] => [
    { argv: ['nsenter', '-t', 'PID', '-m', 'sh', '-c', `kill -${name} $$`] },
    { argv: ['nsenter', '-t', 'PID', '-p', 'sh', '-c', `kill -${name} $$`] },
  ]),
  ask('-t PID -m no-such-program'),
  ask('-t PID -mp /no/such/program'),
  ask('-t PID -m /etc/passwd'),
  ask('-m true'),
  ask('-a true'),
  ask('-r true'),
  ask('-w true'),
  ask('-t true'),
  ask('-t abc true'),
  ask('-t -1 true', 'plain', { differs: { as: 'ids out of range', status: 1 } }),
  ask('-t 0 -m true'),
  ask('-t 4194300 -m true'),
  ask('-t 4194300 -a true'),
  ask('-t self -m true'),
  ask('--net=/etc/passwd true'),
  ask('--net=/proc/PID/ns/mnt true'),
  ask('--net=/no/such true'),
  ask('--net=D/file true', 'plain', { files: { file: '' } }),
  ask('-t self -U true'),
  ask('-r/no/such true'),
  ask('-w/no/such true'),
  ask('-w/etc/passwd true'),
  ask('-x'),
  ask('--no-such true'),
  ask('--no-fork=1 true'),
  ask('-S abc true'),
  ask('-t PID -U -S 5 true', 'user'),
  ask('-t PID -U -G 5 true', 'user'),
  see('-t PID -m -W/tmp'),
  see('-t PID -m --wdns=tmp'),
  see('-t PID -m -W /tmp', 'plain', apart),
  ask('-W /no/such true'),
  ask('-w/tmp -W / true'),
  ask('-Z true', 'plain', { differs: { as: 'not here', status: 1 } }),
  ask('-t PID -n -e true', 'plain', newer(0)),
  see('-t PID -n --user-parent', 'user', { differs: { as: 'user parent', status: 0 } }),
  see('-t PID --net=/proc/PID/ns/net --user-parent', 'user', newer(0)),
  see('-t PID --user=/proc/PID/ns/user --user-parent', 'user', newer(1)),
  ask('--user-parent true', 'plain', newer(1)),
  ask('--net-socket 3 true'),
  ask('--help', 'plain', { differs: { as: 'words', status: 0 } }),
  ask('--version', 'plain', { differs: { as: 'words', status: 0 } }),
]

const running: { [name in Target]?: { maker: ChildProcess; pid: number } } = {}

beforeAll(async () => {
  if (readHost().uid !== 0) return
  for (const [name, options] of Object.entries(targets)) {
    const line = ['unshare', ...options, 'sleep', '6000']
    const [command = '', ...args] =
      name === 'owned' ? ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups', ...line] : line
    const maker = spawn(command, args, { stdio: 'ignore', env: { PATH: process.env.PATH, OF: 'the target' } })
    let pid = 0
    const isReady = () => {
      pid = Number(readFileSync(`/proc/${maker.pid}/task/${maker.pid}/children`, 'utf8'))
      return pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n'
    }
    while (!isReady()) await pause(25)
    running[name as Target] = { maker, pid }
  }
})

afterAll(async () => {
  for (const { maker, pid } of Object.values(running)) {
    const ended = new Promise((resolve) => maker.on('close', resolve))
    process.kill(pid, 'SIGKILL')
    await ended
  }
})

async function compare(one: Entering, context: TestContext): Promise<void> {
  requires(context, 'root', 'unshare(1)')
  const { expect } = context
  const { pid } = running[one.target ?? 'plain']!
  const { stderr: theirWords, ...theirs } = await runCase(one, true, pid)
  const { stderr, ...ours } = await runCase(one, false, pid)
  const differs = one.differs && isHere(one.differs.as) ? one.differs : undefined
  if (differs) {
    expect({ status: ours.status, stderr }).toEqual({ status: differs.status, stderr })
    expect(Object.keys(differences)).toContain(differs.as)
    if (differs.as !== 'not here' && differs.status !== 1) expect(ours).not.toEqual(theirs)
  } else expect({ ...ours, stderr, theirWords }).toEqual({ ...theirs, stderr, theirWords })
  if (ours.status !== 0 && stderr.startsWith('nsenter: '))
    expect(stderr).toMatch(/^nsenter: [\s\S]*\n {2}remedy: .+\n$/)
}

describe.concurrent('beside the real nsenter', () => {
  test.for(
    sampled(
      cases.map((one, i) => [`${i} ${one.as ?? ''} ${one.target} ${one.argv.slice(1).join(' ')}`, one] as const),
      true,
      6,
    ),
  )('%s', ([, one], context) => compare(one, context))
})

test('enough is compared', () => {
  expect(cases.length).toBeGreaterThan(60)
})

test('--env gives the environment of the target', async (context) => {
  requires(context, 'root')
  const { pid } = running.plain!
  const ended = await collect(hutchFile, [...hutchArgs, 'nsenter', '-t', String(pid), '-e', 'env'])
  expect(ended.stdout).toMatch(/^OF=the target$/m)
})

test('--join-cgroup is for pure v2', async (context) => {
  requires(context, 'root')
  const { pid } = running.plain!
  const args = ['-t', String(pid), '--join-cgroup', 'cat', '/proc/self/cgroup']
  const ended = await collect(hutchFile, [...hutchArgs, 'nsenter', ...args])
  if (readHost().layout === 'v2') expect(ended.stdout).toBe(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))
  else expect(ended).toEqual({ status: 1, stdout: '', stderr: expect.stringContaining('cannot use --join-cgroup') })
})

test('docs/util-linux.md has every known difference of unshare and nsenter', () => {
  const told = readFileSync('docs/util-linux.md', 'utf8')
  for (const [name, text] of Object.entries(differences)) {
    expect(told).toContain(`| ${name satisfies string as Difference} `)
    expect(told).toContain(text)
  }
})
