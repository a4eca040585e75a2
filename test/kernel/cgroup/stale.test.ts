// SPDX-License-Identifier: Apache-2.0
// Clean-up after hutches that were killed: what lives is never touched, whatever namespace it is seen from; trees of any depth go, in bounded time.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeTree } from '../../../src/cgroup/files.ts'
import { parseStartTime, readHost } from '../../../src/host/host.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../../support/command.ts'
import { killsHutches } from '../../support/leaks.ts'
import { readStartTime } from '../../support/start-time.ts'

killsHutches()

const root = process.getuid!() === 0
const { unified, v1 } = readHost()
const name = `hutch-test-${process.pid}-stale`
const hierarchies = [unified, v1.memory, v1.pids, v1.cpu].flatMap((hierarchy) => (hierarchy ? [hierarchy] : []))
const parents = hierarchies.map(({ mount }) => `${mount}/${name}`)
const first = parents[0]!
const hutch = ['run', '--parent', name]

beforeAll(() => {
  if (root) for (const parent of parents) mkdirSync(parent, { recursive: true })
})

afterAll(() => {
  for (const parent of parents) removeTree(parent)
})

/** Jobs' groups in all hierarchies. */
function jobGroups(): string[] {
  return parents.flatMap((parent) => readdirSync(parent).filter((entry) => /^hutch-\d/.test(entry)))
}

function start(...args: string[]) {
  const child = spawn(hutchFile, [...hutchArgs, ...hutch, ...args, '--', 'sh', '-c', 'echo up; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', (status) => resolve(status)))
  const up = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()))
  return { child, ended, up }
}

const views = [
  ['the same namespaces', []],
  ['another time namespace', ['unshare', '-T', '--boottime', '1000', '--fork', '--']],
  ['another pid namespace', ['unshare', '--pid', '--fork', '--mount-proc']],
  ['another pid namespace, with the /proc of this one', ['unshare', '--pid', '--fork']],
] as const

test.runIf(root).each(views)('a live job is left alone by a run in %s', async (_, view) => {
  const { child, ended, up } = start()
  await up
  const before = jobGroups()
  const [file, ...args] = [...view, ...hutchCommand, ...hutch, '--', 'true']
  spawnSync(file!, args)
  expect(jobGroups()).toEqual(before)
  expect(child.exitCode).toBeNull()
  child.kill('SIGTERM')
  await ended
  expect(jobGroups()).toEqual([])
})

test.runIf(root)(
  'control: judged by process id and start time, a live process seems dead from other namespaces',
  () => {
    const startTime = readStartTime(String(process.pid))
    const stat = ['cat', `/proc/${process.pid}/stat`]
    const seen = (...view: string[]) => parseStartTime(spawnSync(view[0]!, view.slice(1), { encoding: 'utf8' }).stdout)
    expect(seen(...stat)).toBe(startTime)
    expect(seen('unshare', '-T', '--boottime', '1000', '--fork', '--', ...stat)).not.toBe(startTime)
    const probe = ['sh', '-c', `kill -0 ${process.pid}`]
    expect(spawnSync(probe[0]!, probe.slice(1)).status).toBe(0)
    expect(spawnSync('unshare', ['--pid', '--fork', ...probe]).status).not.toBe(0)
  },
)

/** A job in a group whose hutch is killed: the job lives on until somebody clears up. */
async function abandon(): Promise<string> {
  const { child, ended, up } = start()
  await up
  child.kill('SIGKILL')
  await ended
  return jobGroups().find((name) => name.startsWith(`hutch-${child.pid}-`))!
}

function sweep() {
  const before = performance.now()
  execFileSync(hutchFile, [...hutchArgs, ...hutch, '--', 'true'])
  return performance.now() - before
}

/** Groups right below one another, by relative paths: the whole may be longer than any path. */
function makeChain(directory: string, part: string, levels: number): void {
  execFileSync('python3', [
    '-c',
    'import os,sys\nos.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[3])):\n  os.mkdir(sys.argv[2]); os.chdir(sys.argv[2])',
    directory,
    part,
    String(levels),
  ])
}

test.runIf(root).each([
  [
    '2,000 groups side by side',
    (group: string) => {
      for (let i = 0; i < 2000; i++) mkdirSync(`${group}/x${i}`)
    },
  ],
  ['a chain of 200 groups', (group: string) => makeChain(group, 'd', 200)],
  ['a chain longer than PATH_MAX', (group: string) => makeChain(group, 'n'.repeat(200), 30)],
])('an abandoned tree goes, and a live job beside it stays: %s', async (_, grow) => {
  // the live job's own clean-up comes before there is anything to do
  const live = start()
  await live.up
  const group = `${first}/${await abandon()}`
  grow(group)
  // a clean-up ends after 2 s; a busy machine may need more than one
  let ms = 0
  for (let tries = 0; tries < 20 && existsSync(group); tries++) ms += sweep()
  expect(existsSync(group)).toBe(false)
  expect(ms).toBeLessThan(30_000)
  const left = jobGroups()
  expect(new Set(left.map((group) => group.split('-')[1]))).toEqual(new Set([String(live.child.pid)]))
  live.child.kill('SIGTERM')
  await live.ended
  expect(jobGroups()).toEqual([])
})

test.runIf(root)('what an older version left is removed when it is empty, and never killed', async () => {
  const old = `${first}/hutch-4194303-1-1-0`
  mkdirSync(`${old}/below`, { recursive: true })
  const sleeper = spawn('sleep', ['60'])
  try {
    writeFileSync(`${old}/below/cgroup.procs`, String(sleeper.pid))
    sweep()
    expect(readFileSync(`${old}/below/cgroup.procs`, 'utf8')).toBe(`${sleeper.pid}\n`)
  } finally {
    sleeper.kill('SIGKILL')
    await new Promise((resolve) => sleeper.once('exit', resolve))
    removeTree(old)
  }
})

test.runIf(root && v1.cpu)('a leftover in a hierarchy that later runs do not use goes, too', async () => {
  const { child, ended, up } = start('--cpus', '0.5')
  await up
  child.kill('SIGKILL')
  await ended
  expect(readdirSync(parents.at(-1)!).filter((entry) => /^hutch-\d/.test(entry))).toHaveLength(1)
  sweep()
  expect(jobGroups()).toEqual([])
})
