// SPDX-License-Identifier: Apache-2.0
// Why real jobs ended: what killed or refused something, and what really ended the job.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { writeGroupFile } from '../../../src/cgroup/files.ts'
import { readHost } from '../../../src/host/host.ts'
import { Cgroup, run, start, why } from '../../../src/index.ts'
import { buildDirectory } from '../../../src/system/native.ts'
import { hutchArgs, hutchFile } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'

const hog = `${buildDirectory}/bin/hutch`
const MiB = 2 ** 20
const limits = { memory: '30M', swap: 0 } as const
const eat = `${hog} hog 60M >/dev/null 2>&1`

test.each([
  ['a shell that exits with another status', `${eat}; exit 3`, 'exited', { status: 3, signal: null }],
  ['a pipeline that exits with 0', `${eat} | cat; true`, 'exited', { status: 0, signal: null }],
  ['a shell that faults afterwards', `${eat}; kill -SEGV $$`, 'signal', { status: null, signal: 'SIGSEGV' }],
])('a kill below %s is a side event, and is told', async (_, script, kind, end) => {
  const { cause, usage, verdict } = await run('sh', ['-c', script], { limits })
  // the control: the kernel counted the kill all the same
  expect(usage.oomKills).toBe(1)
  expect(cause).toMatchObject({ kind, end, sideEvents: [{ kind: 'oom', counts: { oomKills: 1 } }] })
  if (kind === 'exited') expect(verdict.headline).toContain('(OOM)')
})

test.each([
  ['a program that reports it by its status', `${eat} || exit 2`, { status: 2, signal: null }],
  ['a shell', eat, { status: 137, signal: null }],
  ['the job itself', `exec ${eat}`, { status: null, signal: 'SIGKILL' }],
])('a kill that ended %s is its cause', async (_, script, end) => {
  const { cause } = await run('sh', ['-c', script], { limits })
  expect(cause).toMatchObject({ kind: 'oom', end, limit: { file: 'memory.max', value: 30 * MiB, level: 'own' } })
  // the kernel's log has the name, for those who may read it
  for (const { name } of cause.victims ?? []) expect(name).toBe('hutch')
})

test('a limit that was lowered meanwhile is shown as it was at the end', async () => {
  await using job = await start('sh', ['-c', `echo up; read x; exec ${eat}`], { limits: { memory: '500M', swap: 0 } })
  // the job is in its group by then
  await once(job.stdout!, 'data')
  const { layout, unified, v1 } = readHost()
  const [key, mount, file] =
    layout === 'v2' ? ['', unified!.mount, 'memory.max'] : ['memory', v1.memory!.mount, 'memory.limit_in_bytes']
  const lines = readFileSync(`/proc/${job.pid}/cgroup`, 'utf8').split('\n')
  const path = lines.map((line) => line.split(':')).find(([, names]) => names!.split(',').includes(key!))![2]
  expect(path).toContain(`/hutch-${process.pid}-`)
  expect(writeGroupFile(`${mount}${path}`, file!, String(20 * MiB))).toBe(undefined)
  job.stdin!.end('\n')
  const { cause, limits: asked } = await job.result
  expect([asked['memory.max'], cause.kind, cause.limit?.value]).toEqual([500 * MiB, 'oom', 20 * MiB])
})

test('a limit that was set by its v1 name is shown by it', async (context) => {
  requires(context, 'v1 controllers')
  const { cause, verdict } = await run('sh', ['-c', eat], { limits: { 'memory.limit_in_bytes': '30M' } })
  expect(cause.limit).toMatchObject({ file: 'memory.limit_in_bytes', value: 30 * MiB })
  expect(verdict.evidence[0]).toEqual(['memory.limit_in_bytes', expect.stringMatching(/^30\.0 MiB/)])
})

test('the hard limit of --ulimit cpu ends it by SIGKILL, and is named', async () => {
  const { cause, signal } = await run('sh', ['-c', 'while :; do :; done'], { ulimits: { cpu: 1 } })
  expect([signal, cause.kind, cause.limit]).toEqual(['SIGKILL', 'ulimit', { file: 'RLIMIT_CPU', value: 1 }])
  const other = await run('sh', ['-c', 'kill -KILL $$'], { ulimits: { cpu: 9 } })
  expect(other.cause.kind).toBe('signal')
})

test('cpu.max behind a timeout is the remedy, with a value above the limit', async () => {
  const { cause } = await run('sh', ['-c', 'while :; do :; done'], { limits: { cpus: 0.1 }, timeout: 1000 })
  expect(cause).toMatchObject({ kind: 'timeout', sideEvents: [{ kind: 'throttled' }] })
  expect(Number(cause.remedies[0]?.option?.value)).toBeGreaterThan(0.1)
})

test('what a caller sends is told as such, and so is a kill without a warning', async () => {
  await using job = await start('sleep', ['30'])
  job.kill('SIGTERM')
  expect((await job.result).cause).toMatchObject({
    kind: 'interrupted',
    passedOn: ['SIGTERM'],
    end: { from: 'caller' },
  })
  const late = await run('sleep', ['30'], { timeout: 100, killAfter: 0 })
  expect(late.verdict.headline).toBe('timed out after 100 ms: sleep was killed at once by SIGKILL')
})

test('forks that a group above refuses to a neighbour are not the job’s', async (context) => {
  requires(context, 'root')
  await using above = await Cgroup.create(`/hutch-test-${process.pid}-shared`, { files: { 'pids.max': 9 } })
  const parent = above.path
  await using job = await start('sh', ['-c', 'read x; exit 1'], { parent })
  const fork = 'i=0; while [ $i -lt 9 ]; do sleep 5 & i=$((i + 1)); done'
  const neighbour = await run('sh', ['-c', fork], { parent })
  // the control: the neighbour was refused
  expect(neighbour.cause.kind).toBe('fork-refused')
  job.stdin!.end('\n')
  const { cause, reason } = await job.result
  expect([reason, cause.kind, cause.end.status]).toEqual(['exit', 'exited', 1])
  expect(cause.sideEvents.filter(({ confidence }) => confidence !== 'unknown')).toEqual([])
})

test('why tells the same of a group whose pids.max refused forks to a job that is gone, and never acquits it', async (context) => {
  requires(context, 'root')
  await using above = await Cgroup.create(`/hutch-test-${process.pid}-tasks`, { files: { 'pids.max': 8 } })
  const script = 'i=0; while [ $i -lt 9 ]; do sleep 5 & i=$((i + 1)); done'
  const { cause } = await run('sh', ['-c', script], { parent: above.path })
  expect(cause.kind).toBe('fork-refused')
  const found = why(above.path)
  // the control: v1 and older kernels keep no count of it in this group
  const { kernel, layout } = readHost()
  const byLevel = layout === 'v2' && (kernel[0] > 6 || (kernel[0] === 6 && kernel[1] >= 11))
  expect(why(above.path).causes[0]!.count !== undefined).toBe(byLevel)
  if (found.unknown.some((text) => text.includes('log cannot be read')) && !byLevel)
    expect(found.causes[0]!.headline).not.toContain('no limit')
  else
    expect(found.cause).toMatchObject({
      kind: 'fork-refused',
      limit: { file: 'pids.max', group: above.path, level: 'own' },
    })
})

test('the limit of a group above that killed is named, though page cache had filled the job’s own', async (context) => {
  requires(context, 'root')
  const file = `/var/tmp/hutch-test-${process.pid}-cached`
  writeFileSync(file, Buffer.alloc(40 * MiB))
  try {
    await using above = await Cgroup.create(`/hutch-test-${process.pid}-full`, { files: { 'memory.max': '60M' } })
    const script = `cat ${file} >/dev/null; exec ${hog} hog 20M --hold 60s`
    const parent = above.path
    await using job = await start('sh', ['-c', script], { parent, limits: { memory: '30M' }, oomScoreAdj: 1000 })
    await new Promise((resolve) => job.stdout!.on('data', (data) => String(data).includes('\n') && resolve(undefined)))
    const neighbour = await start(hog, ['hog', '50M', '--hold', '60s'], { parent })
    const { cause } = await job.result
    neighbour.kill()
    await neighbour.result
    expect(cause.kind).toBe('oom')
    const group = above.directories.memory ?? above.directories['']
    // without the kernel's log, v1 has only peaks
    if (cause.victims)
      expect(cause).toMatchObject({ confidence: 'certain', limit: { level: 'ancestor', group, value: 60 * MiB } })
    else expect(cause.confidence).not.toBe('certain')
  } finally {
    rmSync(file)
  }
})

test('a signal that hutch run passes on is told', async () => {
  const hutch = spawn(hutchFile, [...hutchArgs, 'run', '--', 'sh', '-c', 'echo up; exec sleep 30'])
  let told = ''
  hutch.stderr.on('data', (data) => (told += data))
  await once(hutch.stdout, 'data')
  hutch.kill('SIGINT')
  const [status] = await once(hutch, 'close')
  expect([status, told.split('\n')[0]]).toEqual([
    130,
    'hutch: interrupted by SIGINT, which hutch forwarded; sh was killed by SIGINT',
  ])
})

test('a timeout below a throttled group names cpu.max of that group', async (context) => {
  requires(context, 'root', 'v2')
  await using above = await Cgroup.create(`/hutch-test-${process.pid}-throttled`, {
    files: { 'cpu.max': '20000 100000' },
  })
  const { cause } = await run('sh', ['-c', 'while :; do :; done'], { parent: above.path, timeout: 3000 })
  expect(cause.kind).toBe('timeout')
  expect(cause.sideEvents[0]).toMatchObject({
    kind: 'slowed',
    limit: { file: 'cpu.max', value: '20000 100000', group: above.directories[''], level: 'ancestor' },
    confidence: 'likely',
  })
})
