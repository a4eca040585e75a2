// SPDX-License-Identifier: Apache-2.0
// What bubblewrap does not have: limits on all of a sandbox, by options or by variables.
import { mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { hutchArgs, hutchFile, hutchPath } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { copyFor, removeCopy } from './side.ts'

afterAll(removeCopy)

const all = ['--dev-bind', '/', '/']
const bwrap = (args: string[], options: object = {}) => collect(hutchFile, [...hutchArgs, 'bwrap', ...args], options)
const hog = 'exec tail /dev/zero'

test.for([[['--hutch-memory', '20M'], {}] as const, [[], { HUTCH_MEMORY: '20M' }] as const])(
  'memory: %j %j',
  async ([options, env], context) => {
    requires(context, 'root')
    const line = [...options, '--unshare-all', ...all, '--proc', '/proc', 'sh', '-c', hog]
    const { status, stderr } = await bwrap(line, { env: { ...process.env, ...env } })
    expect(status).toBe(137)
    expect(stderr).toContain('was killed (OOM)')
    expect(stderr).toMatch(
      /remedy {7}measure how much it needs: run it once with --hutch-memory \d+[MG], which is enough for most programs\n/,
    )
  },
)

test('a failed program has one line about what the sandbox may have denied; under the name bwrap, only on a terminal', async () => {
  const failing = ['--unshare-net', ...all, 'sh', '-c', 'exit 3']
  const line = 'hutch: sh exited with status 3; its restrictions may have denied the network\n'
  expect(await bwrap(failing)).toMatchObject({ status: 3, stderr: line })
  expect(await bwrap([...all, 'sh', '-c', 'exit 3'])).toMatchObject({ status: 3, stderr: '' })
  expect(await bwrap(['--hutch-timeout', '60s', ...failing])).toMatchObject({ status: 3, stderr: line })
  const directory = mkdtempSync(`${tmpdir()}/hutch-test-`)
  symlinkSync(hutchPath, `${directory}/bwrap`)
  expect(await collect(`${directory}/bwrap`, failing)).toMatchObject({ status: 3, stderr: '' })
  rmSync(directory, { recursive: true })
})

test('tasks, also as a user namespace’s root', async (context) => {
  requires(context, 'root')
  const forks = 'i=0; while [ $i -lt 20 ]; do sleep 60 & i=$((i+1)); done; wait'
  const { status, stderr } = await bwrap(['--hutch-pids', '8', '--unshare-user', ...all, 'sh', '-c', forks])
  expect(status).toBe(2)
  expect(stderr).toContain('refused')
})

test('time, and nothing of the sandbox is left', async (context) => {
  requires(context, 'root')
  const name = `${32_000 + (process.pid % 1000)}.5`
  const { status, stderr } = await bwrap(['--hutch-timeout', '300ms', ...all, 'sh', '-c', `sleep ${name} & wait`])
  expect([status, stderr.split('\n')[0]]).toEqual([124, 'hutch: timed out after 300 ms: sh ended on SIGTERM'])
  expect((await collect('pgrep', ['-f', `sleep ${name}`])).stdout).toBe('')
})

test('the status is told as without limits, and the program is in a group of its own', async (context) => {
  requires(context, 'root')
  const directory = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
  const fd = openSync(`${directory}/status`, 'w')
  const line = ['--hutch-pids', '50', '--json-status-fd', '3', '--unshare-pid', ...all, '--proc', '/proc']
  const { status, stdout } = await bwrap([...line, 'sh', '-c', 'cat /proc/self/cgroup; exit 5'], {
    stdio: ['ignore', 'pipe', 'pipe', fd],
  })
  const told = readFileSync(`${directory}/status`, 'utf8')
  rmSync(directory, { recursive: true })
  expect(status).toBe(5)
  expect(stdout).toMatch(/hutch-\d+-/)
  expect(told).toMatch(/^\{ "child-pid": \d+, "mnt-namespace": \d+, "pid-namespace": \d+ \}\n\{ "exit-code": 5 \}\n$/)
})

test.for([
  ['--hutch-memory', '3q'],
  ['--hutch-pids', '0.5'],
  ['--hutch-timeout', 'x'],
])('%s %s is refused', async ([name, value]) => {
  const { status, stderr } = await bwrap([name!, value!, ...all, 'true'])
  expect([status, stderr.split('\n')[0]]).toEqual([
    1,
    `bwrap: invalid value ${value} for ${name} or ${name!.slice(2).replace('-', '_').toUpperCase()}`,
  ])
})

test('a program that is not there is this tool’s error', async (context) => {
  requires(context, 'root')
  const { status, stderr } = await bwrap(['--hutch-pids', '50', ...all, '/no/such/program'])
  expect([status, stderr.split('\n')[0]]).toEqual([1, 'bwrap: cannot run /no/such/program: ENOENT'])
})

test('a limit that this user cannot set is an error that names the option', async (context) => {
  requires(context, 'root', 'v1 controllers', 'setpriv(1)')
  const drop = ['--reuid', '1000', '--regid', '1000', '--clear-groups', ...copyFor(), 'bwrap']
  const { status, stderr } = await collect('setpriv', [...drop, '--hutch-pids', '50', ...all, 'true'], { cwd: '/' })
  expect(status).toBe(1)
  expect(stderr).toContain('--hutch-pids')
})
