// SPDX-License-Identifier: Apache-2.0
// The bounds of the engine in the binary without Node: whoever exceeds one is told so with status 125, and nothing of a job is left.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { beforeAll, expect, test, vi } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { begin, collect } from '../cli/hutch.ts'
import { binary } from '../support/command.ts'
import { requires } from '../support/requires.ts'

const program = `${process.cwd()}/build/standalone/bounds`
const memory =
  'hutch: out of memory, of which hutch itself may use 64 MiB\n  remedy: check the size of the input, and ulimit -v\n'
const noResult =
  'hutch: ended without a result, which may be for lack of memory\n  remedy: check the size of the input, and ulimit -v\n'
const depth = 'hutch: the input is nested too deeply\n  remedy: check the input\n'
const time = 'hutch: stopped after 5 seconds of computation without a result\n  remedy: check the size of the input\n'
const fault =
  'hutch: an internal error occurred\n  remedy: report it, with the command line; HUTCH_DEBUG=1 prints details\n'

beforeAll(() => {
  const args = ['scripts/build/standalone.js', '../test/standalone/bounds/main.ts', 'bounds']
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}, 600_000)

test.each([
  ['loop', time],
  ['expression', time],
  ['objects', memory],
  ['text', memory],
  ['doubled', memory],
  ['bytes', memory],
  ['caught', memory],
  ['depth', depth],
  ['parsed', depth],
  ['promises', expect.toBeOneOf([memory, noResult])],
  ['nothing', noResult],
  ['error', fault],
])('%s', { timeout: 120_000 }, async (how, stderr) => {
  expect(await collect(program, [how])).toEqual({ status: 125, stdout: '', stderr })
  // caught as the command line catches errors
  if (how !== 'expression')
    expect(await collect(program, [how, '-', 'caught'])).toEqual({ status: 125, stdout: '', stderr })
})

const mounts = () => {
  const { unified, v1 } = readHost()
  return [unified, ...Object.values(v1)].flatMap((hierarchy) => (hierarchy ? [hierarchy.mount] : []))
}
const groupsOf = (pid: number) =>
  mounts().flatMap((mount) =>
    readdirSync(mount, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes(`hutch-${pid}-`)),
  )

test.each([
  ['loop', time],
  ['objects', memory],
  ['depth', depth],
  ['error', fault],
])('%s while a job runs: its processes and groups are gone', { timeout: 120_000 }, async (how, stderr) => {
  const { pid, ended } = begin(program, [how, 'job'])
  expect(await ended).toEqual({ status: 125, stdout: expect.stringMatching(/^\d+\n$/), stderr })
  const job = Number((await ended).stdout)
  expect(() => process.kill(job, 0)).toThrow('ESRCH')
  expect(groupsOf(pid)).toEqual([])
})

test('an address space in which the kernel starts the binary, but not the engine', { timeout: 60_000 }, async () => {
  const ends = new Set<string>()
  for (let kib = 3700; kib <= 7500; kib += kib < 4100 ? 4 : 100) {
    const { status, stderr } = await collect('sh', ['-c', `ulimit -c 0; ulimit -v ${kib}; exec ${binary} run -- true`])
    // before main, the kernel kills a process whose new program does not fit, and glibc ends one without room for its variables
    if (status === null || status >= 126) expect(stderr).toMatch(/^(Fatal glibc error: .*\n)?$/)
    else ends.add(`${status}: ${stderr}`)
  }
  expect([...ends]).toEqual([`125: ${memory}`, ...(ends.has(`125: ${noResult}`) ? [`125: ${noResult}`] : []), '0: '])
})

test('killed with SIGKILL while a job runs: the job ends, and the next run removes its groups', async (context) => {
  requires(context, 'root')
  const { pid, ended } = begin(binary, [
    'run',
    '--memory',
    '50M',
    '--pids',
    '20',
    '--',
    'sh',
    '-c',
    'echo $$; sleep 100',
  ])
  await vi.waitFor(() => expect(groupsOf(pid)).not.toEqual([]), { timeout: 10_000 })
  process.kill(pid, 'SIGKILL')
  await ended
  await vi.waitFor(
    async () => {
      expect((await collect(binary, ['run', '--memory', '50M', '--', 'true'])).status).toBe(0)
      expect(groupsOf(pid)).toEqual([])
    },
    { timeout: 10_000 },
  )
})
