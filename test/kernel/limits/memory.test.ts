// SPDX-License-Identifier: Apache-2.0
// Memory limits: kills by the kernel, peaks, swap, and what the verdict says.
import { mkdirSync, rmdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readGroupFile, writeGroupFile } from '../../../src/cgroup/files.ts'
import { readHost } from '../../../src/host/host.ts'
import { run, start } from '../../../src/index.ts'
import { buildDirectory } from '../../../src/system/native.ts'
import { requires } from '../../support/requires.ts'

const hog = `${buildDirectory}/bin/hutch`
const MiB = 2 ** 20

test('ten programs that ask for twice the limit are killed one by one, and the script that starts them lives on', async () => {
  const result = await run('examples/memhog-demo.sh', [], { limits: { memory: '50M', swap: 0 } })
  expect(result).toMatchObject({
    exitCode: 137,
    signal: null,
    status: 137,
    reason: 'oom',
    limits: { 'memory.max': 50 * MiB, 'memory.swap.max': 0 },
  })
  expect(result.usage.oomKills).toBe(10)
  expect(result.stdout).toBe('.....'.repeat(10))
  expect(result.stderr!.match(/Killed +hutch hog 100M/g)).toHaveLength(10)
  expect(result.usage.memoryPeak).toBeLessThanOrEqual(50 * MiB)
  expect(result.usage.memoryPeak).toBeGreaterThan(49 * MiB)
  expect(Object.fromEntries(result.verdict.evidence)).toMatchObject({
    'whose limit': "the job's own",
  })
  expect(result.verdict.headline).toBe(
    '10 processes were killed (OOM): memory.max (50.0 MiB) was reached; memhog-demo.sh exited with status 137',
  )
})

test('a program that fits is not killed', async () => {
  const result = await run(hog, ['hog', '30M'], { limits: { memory: '50M', swap: 0 } })
  expect(result).toMatchObject({ exitCode: 0, reason: 'exit', stdout: '...\n' })
  expect(result.usage.oomKills).toBe(0)
  expect(result.usage.memoryPeak).toBeGreaterThan(30 * MiB)
})

test('with oomGroup the first kill ends the whole group', async (context) => {
  requires(context, 'a v2 tree')
  const result = await run('examples/memhog-demo.sh', [], { limits: { memory: '50M', swap: 0, oomGroup: true } })
  expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL', status: 137, reason: 'oom', stdout: '.....' })
})

test('a static program runs in 512K', async () => {
  const result = await run(hog, ['hog', '4K'], { limits: { memory: '512K', swap: 0 } })
  expect(result).toMatchObject({ exitCode: 0, reason: 'exit', stdout: '.\n' })
})

test('a kill by the limit of a group above is told as such', async (context) => {
  requires(context, 'root')
  const host = readHost()
  const { mount } = host.layout === 'v2' ? host.unified! : host.v1.memory!
  const parent = `${mount}/test-hutch-${process.pid}`
  mkdirSync(parent)
  try {
    writeGroupFile(parent, host.layout === 'v2' ? 'memory.max' : 'memory.limit_in_bytes', '40M')
    const result = await run(hog, ['hog', '100M'], { parent: `test-hutch-${process.pid}`, limits: { memory: '80M' } })
    expect(result).toMatchObject({ signal: 'SIGKILL', reason: 'oom' })
    expect(Object.fromEntries(result.verdict.evidence)['whose limit']).toBe(`a group above: ${parent}`)
    expect(result.cause).toMatchObject({ kind: 'oom', limit: { level: 'ancestor', group: parent, value: 40 * MiB } })
  } finally {
    rmdirSync(parent)
  }
})

test('memory.max reads back as bytes while the job runs, and its usage can be asked for', async () => {
  await using job = await start(hog, ['hog', '20M', '--hold', '20s'], { limits: { memory: '50M' } })
  await new Promise((resolve) => job.stdout!.on('data', (data) => String(data).includes('\n') && resolve(undefined)))
  const usage = await job.usage()
  expect(usage.memoryCurrent).toBeGreaterThan(20 * MiB)
  expect(usage.memoryCurrent).toBeLessThan(50 * MiB)
  job.kill('SIGKILL')
  const { cgroup, signalFrom, signal } = await job.result
  expect({ signal, signalFrom }).toEqual({ signal: 'SIGKILL', signalFrom: 'outside' })
  expect(readGroupFile(cgroup.path!, 'cgroup.procs')).toBe(undefined)
})

test('memory.high slows and reclaims on v2', async (context) => {
  requires(context, 'v2')
  const result = await run(hog, ['hog', '10M'], {
    limits: { memoryHigh: '40M', memoryLow: '1M', memoryMin: '1M', memory: '60M' },
  })
  expect(result).toMatchObject({
    exitCode: 0,
    limits: { 'memory.high': 40 * MiB, 'memory.low': MiB, 'memory.min': MiB },
  })
})

test('memory.high on v1 is an error that says so, and nothing runs', async (context) => {
  requires(context, 'v1 controllers')
  await expect(run('true', [], { limits: { memoryHigh: '40M' } })).rejects.toMatchObject({
    code: 'CGROUP_LIMIT_UNSUPPORTED',
    path: 'memory.high',
  })
})
