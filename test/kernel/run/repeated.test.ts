// SPDX-License-Identifier: Apache-2.0
// Starts with options that were used before (src/run/known-plan.ts): each has its own group, command and figures, and errors stay the same.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { type RunOptions, run, start } from '../../../src/index.ts'
import { requires } from '../../support/requires.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-repeated-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const pids = 20
test.each<RunOptions>([
  { limits: { pids }, isolate: 'none' },
  { limits: { pids }, isolate: ['pid', 'mount', 'cgroup'] },
  { sandbox: true, limits: { pids } },
])('jobs at the same time have different groups: %j', async (options) => {
  const numbers = Array.from({ length: 12 }, (_, i) => i)
  const jobs = await Promise.all(numbers.map((i) => start('sh', ['-c', 'read word; echo $0 $word', `${i}`], options)))
  const directories = jobs.flatMap((job) => [...job.directories])
  if (readHost().layout !== 'none') expect(directories.filter(existsSync)).toHaveLength(directories.length)
  expect(new Set(directories).size).toBe(directories.length)
  const ends = jobs.map(async (job, i) => {
    job.stdin.end(`word${i}\n`)
    let text = ''
    for await (const line of job) text += line
    const { status, usage, command, cgroup } = await job.result
    expect({ text, status, command }).toEqual({
      text: `${i} word${i}`,
      status: 0,
      command: ['sh', '-c', 'read word; echo $0 $word', `${i}`],
    })
    expect(usage.cpuUsec).toBeGreaterThan(0)
    if (directories.length > 0) expect(job.directories).toContain(cgroup.path)
  })
  await Promise.all(ends)
  expect(directories.filter(existsSync)).toEqual([])
})

test('a limit that one of them reaches is found in its own group', async (context) => {
  requires(context, 'root')
  const options: RunOptions = { limits: { pids: 4 } }
  const fork = 'for i in 1 2 3 4 5 6; do sleep 0.1 & done; wait'
  const kinds = []
  for (const script of [':', ':', fork, ':', fork])
    kinds.push((await run('bash', ['-c', script], options)).usage.pidsDenied ?? 0)
  expect(kinds.map((denied) => denied > 0)).toEqual([false, false, true, false, true])
})

test('a volume that is removed between two starts gives the error of a first start', async (context) => {
  requires(context, 'root')
  const options: RunOptions = { isolate: ['mount'], mounts: [{ volume: `${work}/volume:/mnt` }] }
  const read = () => run('cat', ['/mnt/file'], options).then(({ stdout }) => stdout)
  const fails = () => read().then(String, (error: Error) => error.message)
  const first = await fails()
  expect(first).toContain(`${work}/volume`)
  mkdirSync(`${work}/volume`)
  writeFileSync(`${work}/volume/file`, 'a')
  for (let round = 0; round < 3; round++) expect(await read()).toBe('a')
  rmSync(`${work}/volume`, { recursive: true })
  expect(await fails()).toBe(first)
})

test('a change of the environment reaches the next start', async () => {
  const read = async () => (await run('sh', ['-c', 'echo $HUTCH_TEST'], { isolate: 'none' })).stdout
  for (let round = 0; round < 3; round++) expect(await read()).toBe('\n')
  process.env.HUTCH_TEST = 'set'
  expect(await read()).toBe('set\n')
  delete process.env.HUTCH_TEST
  expect(await read()).toBe('\n')
})
