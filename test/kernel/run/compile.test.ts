// SPDX-License-Identifier: Apache-2.0
// A compiled file as a process: what it leaves, whom it obeys, who may run it.
// In a VM only in `npm run test:kernels`.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, closeSync, cpSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { begin, collect, hutch } from '../../cli/hutch.ts'
import { hutchIn, isNeeded } from '../../support/command.ts'
import { hostMounts, workplace } from '../../support/image.ts'
import { groupsThatStay, killsHutches, leftBy } from '../../support/leaks.ts'
import { requires } from '../../support/requires.ts'
import { killAfter } from '../../support/sleeper.ts'

killsHutches()

const place = workplace()
const file = `${place.path}/file`
afterAll(place.remove)

async function compile(args: string[]): Promise<void> {
  const { status, stderr } = await hutch(['compile', '--output', file, ...args])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
}

/** Processes whose command line has this word. */
function running(word: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(word)
      } catch {
        return false
      }
    })
    .map(Number)
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1500 && !holds(); tries++) await pause(20)
  expect(holds()).toBe(true)
}

test('killed by SIGKILL at a random moment, over and over, it leaves nothing that the next start does not remove', {
  timeout: 300_000,
}, async (context) => {
  requires(context, 'root')
  const mounts = hostMounts()
  const killed = new Set<number>()
  let up = 0
  for (const [isolate, word] of [
    ['all', '4713'],
    ['none', '4714'],
  ] as const) {
    await compile([
      '--memory',
      '50M',
      '--pids',
      '9',
      '--isolate',
      isolate,
      '--',
      'sh',
      '-c',
      `echo up; sleep ${word}; true`,
    ])
    const before = up
    // some must have been hit while the command ran, else this tests nothing: later, where a start takes its time
    for (let round = 0; round < 25 || (up - before < 3 && round < 200); round++) {
      const child = spawn(file, { stdio: ['ignore', 'pipe', 'ignore'] })
      killed.add(child.pid!)
      if (await killAfter(child, Math.random() * (process.env.VM ? 200 : 15) * (1 + round / 10))) up++
      child.stdout.destroy()
    }
    // the last one has to go by itself, the groups by whoever starts next
    await compile(['--memory', '50M', '--', 'true'])
    expect((await collect(file, [])).status).toBe(0)
    expect(leftBy(killed)).toEqual([])
    await until(() => running(word).length === 0)
  }
  expect(up).toBeGreaterThan(3)
  expect(hostMounts()).toBe(mounts)
})

test('hutch run clears up after it, and it after hutch run', async (context) => {
  requires(context, 'root')
  await compile(['--memory', '50M', '--', 'sleep', '4715'])
  const child = spawn(file, { stdio: 'ignore' })
  const left = () => leftBy(new Set([child.pid!]))
  await until(() => left().length === 0 && running('4715').length > 0)
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))
  expect(left().length).toBeGreaterThan(0)
  await hutch(['run', '--memory', '50M', '--', 'true'])
  expect(left()).toEqual([])
})

test('no Node is in it: one process waits, one reaps, one is the command', async () => {
  await compile(['--', 'sleep', '4716'])
  const child = begin(file, [])
  await until(() => running('4716').length === 1)
  const children = (pid: number) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  const [init] = children(child.pid)
  expect(readFileSync(`/proc/${init}/comm`, 'utf8')).toBe('hutch-init\n')
  expect(children(Number(init))).toEqual(running('4716').map(String))
  expect(execFileSync('readlink', [`/proc/${child.pid}/exe`], { encoding: 'utf8' })).toBe(`${file}\n`)
  process.kill(child.pid, 'SIGTERM')
  expect((await child.ended).status).toBe(143)
})

test('every signal that hutch run passes on is passed on', async () => {
  const names = ['HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2', 'WINCH']
  const traps = names.map((name) => `trap "echo ${name}; exit 7" ${name}`).join('; ')
  await compile(['--', 'sh', '-c', `${traps}; echo ready; while :; do sleep 0.05; done`])
  for (const name of names) {
    const child = spawn(file, { stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
    })
    await until(() => text === 'ready\n')
    child.kill(`SIG${name}` as NodeJS.Signals)
    const status = await new Promise((resolve) => child.once('close', resolve))
    expect([name, text, status]).toEqual([name, `ready\n${name}\n`, 7])
  }
})

test('the command has its three descriptors, and no signal is blocked or ignored', async () => {
  const extra = openSync('/dev/null', 'r')
  await compile(['--', 'sh', '-c', 'ls /proc/$$/fd; grep -E "^Sig(Blk|Ign)" /proc/self/status'])
  const child = spawn(file, { stdio: ['ignore', 'pipe', 'inherit', extra, extra, extra] })
  let text = ''
  child.stdout?.on('data', (data) => {
    text += data
  })
  await new Promise((resolve) => child.once('close', resolve))
  expect(text).toBe(`0\n1\n2\nSigBlk:\t${'0'.repeat(16)}\nSigIgn:\t${'0'.repeat(16)}\n`)
  closeSync(extra)
  // what its caller closed is /dev/null inside
  const closed = await collect('sh', ['-c', `exec "$0" 0<&- 2>&-`, file])
  expect(closed.stdout.split('\n').slice(0, 3)).toEqual(['0', '1', '2'])
})

test('many at once, each in its own group', async (context) => {
  requires(context, 'root')
  await compile(['--memory', '50M', '--isolate', 'none', '--pass-args', '--', 'sh', '-c', 'sleep 0.1; exit $1', 'sh'])
  const statuses = await Promise.all(
    Array.from({ length: 30 }, async (_, i) => (await collect(file, [String(i)])).status),
  )
  expect(statuses).toEqual(Array.from({ length: 30 }, (_, i) => i))
  expect(await groupsThatStay()).toEqual([])
})

test('a user without rights compiles and runs one, in a user namespace of its own', async (context) => {
  requires(context, 'root')
  for (const part of ['dist', 'build'])
    cpSync(part, `${place.path}/copy/${part}`, { recursive: true, filter: isNeeded })
  mkdirSync(`${place.path}/theirs`)
  chmodSync(`${place.path}/theirs`, 0o777)
  execFileSync('chmod', ['-R', 'a+rX', place.path])
  const theirs = `${place.path}/theirs/file`
  const drop = ['--reuid', '1234', '--regid', '1234', '--clear-groups']
  const command = hutchIn(`${place.path}/copy`)
  const script = 'id -u; echo $$; grep -c . /proc/self/uid_map; echo > /etc/x'
  const made = await collect(
    'setpriv',
    [...drop, ...command, 'compile', '--output', theirs, '--isolate', 'all', '--read-only', '--', 'sh', '-c', script],
    { cwd: '/' },
  )
  expect(made).toEqual({ status: 0, stdout: '', stderr: '' })
  const ran = await collect('setpriv', [...drop, theirs], { cwd: '/' })
  const asRun = await collect(
    'setpriv',
    [...drop, ...command, 'run', '--quiet', '--isolate', 'all', '--read-only', '--', 'sh', '-c', script],
    { cwd: '/' },
  )
  const denied = 'hutch: sh exited with status 2; its restrictions may have denied the network\n'
  expect(ran).toEqual({ ...asRun, stderr: asRun.stderr + denied })
  expect(ran.stdout).toBe('1234\n2\n1\n')
  expect((await collect(theirs, [])).stderr).toContain('compiled for another user')
})
