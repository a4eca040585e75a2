// SPDX-License-Identifier: Apache-2.0
// Who outlives whom: signals, deaths of bwrap itself, and what a program leaves behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { begin, collect } from '../cli/hutch.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../support/command.ts'
import { killsHutches } from '../support/leaks.ts'
import { requires } from '../support/requires.ts'
import { readStartTime } from '../support/start-time.ts'

killsHutches()

const all = ['--dev-bind', '/', '/']
const bwrap = (...args: string[]) => begin(hutchFile, [...hutchArgs, 'bwrap', ...args])

/** The process id that a program prints first: as it is on this side. */
async function started(child: ChildProcess): Promise<number> {
  let text = ''
  child.stdout!.on('data', (data) => {
    text += data
  })
  while (!text.includes('\n')) await pause(10)
  return Number(text)
}

async function gone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 1000; tries++) {
    if (readStartTime(String(pid)) === undefined) return true
    await pause(20)
  }
  return false
}

// the pid namespace is the caller's, so the number that the program sees of itself is one of here
test.for([
  [[], true],
  [['--die-with-parent'], false],
  [['--die-with-parent', '--lock-file', '/etc/passwd'], false],
] as const)('with %j the program lives on when bwrap is killed: %s', async ([options, lives], context) => {
  requires(context, 'root')
  const child = spawn(hutchFile, [...hutchArgs, 'bwrap', ...options, ...all, 'sh', '-c', 'echo $$; exec sleep 100'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const pid = await started(child)
  child.kill('SIGKILL')
  if (lives) {
    await pause(300)
    expect(existsSync(`/proc/${pid}`)).toBe(true)
    process.kill(pid, 'SIGKILL')
  }
  expect(await gone(pid)).toBe(true)
})

test.for([
  [[], true],
  [['--die-with-parent'], false],
] as const)('with %j the program lives on when the parent of bwrap ends: %s', async ([options, lives], context) => {
  requires(context, 'root')
  const line = [...hutchCommand, 'bwrap', ...options, ...all, 'sh', '-c', 'echo $$; exec sleep 100']
  // a shell that stays, as bwrap is not its last command
  const parent = spawn('sh', ['-c', '"$@"; :', 'sh', ...line], { stdio: ['ignore', 'pipe', 'ignore'] })
  const pid = await started(parent)
  parent.kill('SIGKILL')
  if (lives) {
    await pause(300)
    expect(existsSync(`/proc/${pid}`)).toBe(true)
    process.kill(pid, 'SIGKILL')
  }
  expect(await gone(pid)).toBe(true)
})

test.for([[[]], [['--unshare-pid', '--proc', '/proc']]])(
  'with %j a signal to bwrap is the program’s',
  async ([options], context) => {
    requires(context, 'root')
    const script =
      'trap "echo caught; exit 4" TERM; echo ready; i=0; while [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done'
    const child = spawn(hutchFile, [...hutchArgs, 'bwrap', ...all, ...options!, 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
    })
    while (!text.includes('ready')) await pause(10)
    const ended = new Promise((resolve) => child.on('close', resolve))
    child.kill('SIGTERM')
    expect([await ended, text]).toEqual([4, 'ready\ncaught\n'])
  },
)

test('what a program left in its pid namespace ends with it', async (context) => {
  requires(context, 'root')
  const name = `${31_000 + (process.pid % 1000)}.5`
  const { ended } = bwrap('--unshare-pid', ...all, '--proc', '/proc', 'sh', '-c', `sleep ${name} >&- 2>&- & exit 3`)
  expect((await ended).status).toBe(3)
  expect((await collect('pgrep', ['-f', `sleep ${name}`])).stdout).toBe('')
})

test('a filter that forbids what waits for the program is no endless loop', async (context) => {
  requires(context, 'root', 'not a VM')
  // rt_sigtimedwait, as this architecture numbers it, fails
  const number = process.arch === 'arm64' ? 137 : 128
  const filter = `0x20 0 0 0, 0x15 0 1 ${number}, 0x06 0 0 ${0x5_0001}, 0x06 0 0 ${0x7fff_0000}`
  const bytes = filter.split(', ').map((line) => {
    const [code = 0, yes = 0, no = 0, k = 0] = line.split(' ').map(Number)
    const one = Buffer.alloc(8)
    one.writeUInt16LE(code, 0)
    one.writeUInt8(yes, 2)
    one.writeUInt8(no, 3)
    one.writeUInt32LE(k, 4)
    return `\\\\${[...one].map((byte) => byte.toString(8).padStart(3, '0')).join('\\\\')}`
  })
  const line = [...hutchCommand, 'bwrap', '--unshare-pid', ...all, '--proc', '/proc', '--seccomp', '9']
  const inside = 'sleep 0.5; cut -d" " -f14,15 /proc/1/stat; exit 6'
  const script = `printf '${bytes.join('').replaceAll('\\\\', '\\')}' | { exec 9<&0 </dev/null; exec "$@"; }`
  const { status, stdout } = await collect('sh', ['-c', script, 'sh', ...line, 'sh', '-c', inside])
  const [user = 99, system = 99] = stdout.trim().split(' ').map(Number)
  expect(status).toBe(6)
  expect(user + system).toBeLessThan(10)
})

test('where no user namespace can be made, it is said why', async (context) => {
  requires(context, 'root')
  const limit = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
  const outer = ['-U', '--map-root-user', 'sh', '-c', limit, 'sh']
  const { status, stderr } = await collect('unshare', [
    ...[...outer, ...hutchCommand, 'bwrap', '--unshare-user', ...all, 'true'],
  ])
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/^bwrap: cannot make a user namespace.*max_user_namespaces is 0/s),
  ])
})
