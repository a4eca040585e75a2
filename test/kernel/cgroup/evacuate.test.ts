// SPDX-License-Identifier: Apache-2.0
// A parent group with processes of its own: refused, unless --evacuate moves them to a leaf; all or none.
import { spawn } from 'node:child_process'
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { evacuate } from '../../../src/cgroup/evacuate.ts'
import { removeTree } from '../../../src/cgroup/files.ts'
import { HutchError } from '../../../src/errors/errors.ts'
import { readHost } from '../../../src/host/host.ts'
import { run } from '../../../src/run/job.ts'
import { hutch } from '../../cli/hutch.ts'
import { requires } from '../../support/requires.ts'

const name = `hutch-test-${process.pid}-evacuate`
const sleepers: ReturnType<typeof spawn>[] = []
let group = ''

beforeEach((context) => {
  requires(context, 'v2', 'root')
  group = `${readHost().unified!.mount}/${name}`
  mkdirSync(group)
})

afterEach(async () => {
  await Promise.all(
    sleepers.splice(0).map((child) => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      return ended
    }),
  )
  if (group !== '')
    for (let tries = 0; tries < 1500 && !removeTree(group); tries++) await new Promise((r) => setTimeout(r, 20))
  group = ''
})

/** A process in the group. */
function populate(uid = 0): string {
  const child = spawn('sleep', ['4713'], { stdio: 'ignore', uid })
  sleepers.push(child)
  writeFileSync(`${group}/cgroup.procs`, String(child.pid))
  return String(child.pid)
}

const processes = (path: string) =>
  readFileSync(`${path}/cgroup.procs`, 'utf8').trim().split('\n').filter(Boolean).sort()
const children = (path: string) =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)

test('a populated parent is refused and left as it is; with --evacuate the job runs beside its processes', async () => {
  const pids = [populate(), populate(), populate()].sort()
  const args = ['--parent', name, '--memory', '50M', '--isolate', 'none', '--', 'cat', '/proc/self/cgroup']
  const refused = await hutch(['run', ...args])
  expect(refused).toMatchObject({ status: 125, stdout: '' })
  expect(refused.stderr).toContain('move these processes to a child group with --evacuate')
  expect({ in: processes(group), children: children(group) }).toEqual({ in: pids, children: [] })
  const { status, stdout } = await hutch(['run', '--evacuate', ...args])
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: expect.stringMatching(RegExp(`/${name}/hutch-\\d+-\\d+-\\d+-\\d+\n`)),
  })
  expect({ in: processes(group), leaf: processes(`${group}/hutch-leaf`) }).toEqual({ in: [], leaf: pids })
  expect(children(group)).toEqual(['hutch-leaf'])
})

test('the library does it for the option evacuate, and nothing where nothing is in the way', async () => {
  const limits = { memory: '50M' }
  await run('true', [], { limits, parent: name, evacuate: true })
  expect(children(group)).toEqual([])
  writeFileSync(`${group}/cgroup.subtree_control`, '-memory -pids')
  const pid = populate()
  expect(await run('true', [], { limits, parent: name, evacuate: true })).toMatchObject({ reason: 'exit', exitCode: 0 })
  expect(processes(`${group}/hutch-leaf`)).toEqual([pid])
})

test('a filter of system calls is no obstacle to it', async () => {
  const pid = populate()
  const job = run('true', [], { limits: { memory: '50M' }, parent: name, evacuate: true, seccomp: 'strict' })
  expect(await job).toMatchObject({ reason: 'exit', exitCode: 0 })
  expect(processes(`${group}/hutch-leaf`)).toEqual([pid])
})

test('options that are refused move nobody', async () => {
  const pid = populate()
  await expect(run('true', [], { limits: { 'nosuch.max': 1 }, parent: name, evacuate: true })).rejects.toThrow(
    HutchError,
  )
  expect({ in: processes(group), children: children(group) }).toEqual({ in: [pid], children: [] })
})

test('another user’s process is not moved, and neither is anyone else', () => {
  const pids = [populate(), populate(65_534)].sort()
  expect(() => evacuate(group, 65_534)).toThrow(
    /^cannot move the processes of .*: process \d+ \(sleep\) belongs to user 0 \(EPERM\)/,
  )
  expect({ in: processes(group), children: children(group) }).toEqual({ in: pids, children: [] })
})

test('when the kernel refuses, all is as before', () => {
  const pid = populate(65_534)
  // the group's directory is that user's, the right to move its processes is not
  chownSync(group, 65_534, 65_534)
  process.seteuid!(65_534)
  try {
    expect(() => evacuate(group)).toThrow(/: the kernel refused process \d+ \(sleep\) \(EACCES\)/)
  } finally {
    process.seteuid!(0)
  }
  expect({ in: processes(group), children: children(group) }).toEqual({ in: [pid], children: [] })
})

test('a leaf that is there already must be able to take them', () => {
  const pid = populate()
  mkdirSync(`${group}/hutch-leaf`)
  writeFileSync(`${group}/hutch-leaf/cgroup.type`, 'threaded')
  expect(() => evacuate(group)).toThrow(/hutch-leaf is of type threaded \(EOPNOTSUPP\)/)
  expect(processes(group)).toEqual([pid])
})

test('processes that keep forking are all moved', async () => {
  const child = spawn('sh', ['-c', 'while :; do sleep 0.01 & sleep 0.01; done'], { stdio: 'ignore' })
  sleepers.push(child)
  writeFileSync(`${group}/cgroup.procs`, String(child.pid))
  await new Promise((resolve) => setTimeout(resolve, 200))
  evacuate(group)
  expect(processes(group)).toEqual([])
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(processes(group)).toEqual([])
})
