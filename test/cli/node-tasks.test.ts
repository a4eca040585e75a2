// SPDX-License-Identifier: Apache-2.0
// Groups with too few tasks left for Node, which hangs before it runs a script.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Cgroup } from '../../src/index.ts'
import { cli } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect, hutch } from './hutch.ts'

const top = `/hutch-test-${process.pid}`
const exec = (group: string, ...command: string[]) => hutch(['cgroup', 'exec', group, '--', ...command])

beforeEach(async (context) => {
  requires(context, 'root', 'hutch for Node')
  await Cgroup.create(`${top}/inner`, { files: { 'pids.max': 4 } })
})
afterEach(async () => {
  if (process.getuid!() === 0) await Cgroup.open(top).remove({ recursive: true, kill: true })
})

test('Node and hutch are refused in a group with too few tasks left, other programs are not', async () => {
  for (const command of [
    [process.execPath, '-e', '0'],
    ['node', '-e', '0'],
    [cli, 'unshare', 'true'],
  ])
    expect(await exec(`${top}/inner`, ...command)).toMatchObject({
      status: 125,
      stdout: '',
      stderr: expect.stringMatching(
        /Node program\. 4 tasks are left \(pids.max is 4, pids.current is 0\)[\s\S]*raise pids/,
      ),
    })
  expect(await exec(`${top}/inner`, 'echo', 'x')).toMatchObject({ status: 0, stdout: 'x\n' })
  expect((await hutch(['cgexec', '-g', `pids:${top}/inner`, cli, 'unshare', 'true'])).stderr).toContain(
    '4 tasks are left',
  )
})

test('a group above counts, and with tasks enough Node runs', async () => {
  const [inner, outer] = [Cgroup.open(`${top}/inner`), Cgroup.open(top)]
  await inner.set('pids.max', 'max')
  await outer.set('pids.max', '6')
  expect((await exec(`${top}/inner`, 'node', '-e', '0')).stderr).toContain('6 tasks are left')
  await outer.set('pids.max', '11')
  expect(await exec(`${top}/inner`, 'node', '-p', '1')).toEqual({ status: 0, stdout: '1\n', stderr: '' })
})

test('control: without the check Node does not come to its script', async () => {
  const file = `${Cgroup.open(`${top}/inner`).directories.pids ?? Object.values(Cgroup.open(`${top}/inner`).directories)[0]}/cgroup.procs`
  const join = 'echo $$ > "$0" && exec timeout -s KILL 5 "$@"'
  const { status, stdout } = await collect('sh', ['-c', join, file, process.execPath, '-p', '1'])
  expect(status).not.toBe(0)
  expect(stdout).toBe('')
})

test('run warns of --pids below what Node takes', async () => {
  const run = (...command: string[]) => hutch(['run', '--pids', '4', '--timeout', '1s', '--', ...command])
  expect((await run('node', '-p', '1')).stderr).toContain('"node" is a Node program, and --pids is 4')
  expect((await run('true')).stderr).toBe('')
})
