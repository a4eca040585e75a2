// SPDX-License-Identifier: Apache-2.0
// Time limits, CPU time and output limits: who is ended, when, and what the result says.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { run, start } from '../../../src/index.ts'
import { watchTimer } from '../../support/late.ts'
import { requires } from '../../support/requires.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
afterAll(() => rmSync(directory, { recursive: true }))
const burn = 'while :; do :; done'
/** The kernel counts by ticks. */
const slack = process.env.VM ? 400 : 100

/** The most milliseconds of CPU time that two processors give beyond a limit while this was done: nobody stops in time what he is not let run for. */
async function beyond<T>(act: Promise<T>): Promise<[T, number]> {
  const stop = watchTimer()
  try {
    return [await act, slack + 2 * stop()]
  } finally {
    stop()
  }
}

test.each([
  ['one process', burn],
  ['two processes', `(${burn}) & ${burn}`],
  ['a process that its parent does not wait for', `(${burn}) & sleep 100`],
  ['many short processes', 'while :; do /bin/true; done'],
])('%s may use so much CPU time, and then all of it is killed', async (_, script) => {
  const [result, more] = await beyond(run('sh', ['-c', script], { cpuTime: 300, timeout: '60s' }))
  expect(result).toMatchObject({
    reason: 'cpu-time',
    judge: 'TLE',
    status: 124,
    signal: 'SIGKILL',
    signalFrom: 'outside',
  })
  expect(result.usage.cpuUsec! / 1000).toBeGreaterThan(300)
  expect(result.usage.cpuUsec! / 1000).toBeLessThan(300 + more)
  expect(result.events.at(-1)?.kind).toBe('kill')
  expect(result.verdict.evidence[0]).toEqual([
    'cpu time',
    expect.stringMatching(/^limit 300 ms {3}used \d+ ms .* wall /),
  ])
})

test('who sleeps, or waits below the limit, uses none', async () => {
  // where all takes ten times as long, so does its start
  const [cpuTime, seconds] = process.env.VM ? [4000, 5] : [400, 1]
  const result = await run('sh', ['-c', `sleep ${seconds}`], { cpuTime })
  expect(result).toMatchObject({ reason: 'exit', judge: 'OK', status: 0 })
  expect(result.durationMs).toBeGreaterThanOrEqual(seconds * 1000)
})

test('wall time is apart: SIGTERM or SIGKILL, whatever CPU time is left', async () => {
  const result = await run('sleep', ['100'], { cpuTime: '10s', timeout: 200, killAfter: 0 })
  expect(result).toMatchObject({ reason: 'timeout', judge: 'TLE', status: 124, signal: 'SIGKILL' })
})

test('extra time tells what a late program needs, and ends as well', async () => {
  // about 60 ms; far more in a VM
  const work = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo done'
  const late = await run('sh', ['-c', work], { cpuTime: 10, extraTime: '60s' })
  expect(late).toMatchObject({ reason: 'cpu-time', judge: 'TLE', status: 124, exitCode: 0, stdout: 'done\n' })
  expect(late.usage.cpuUsec).toBeGreaterThan(10_000)
  expect(late.verdict.headline).toContain('of CPU time; sh exited with status 0')
  const [later, more] = await beyond(run('sh', ['-c', burn], { cpuTime: 100, extraTime: 200 }))
  expect(later).toMatchObject({ judge: 'TLE', signal: 'SIGKILL' })
  expect(later.usage.cpuUsec! / 1000).toBeGreaterThan(300)
  expect(later.usage.cpuUsec! / 1000).toBeLessThan(300 + more)
})

test('each process has a limit of its own besides, which takes no right to have', async () => {
  const { stdout } = await run('sh', ['-c', 'ulimit -St; ulimit -Ht'], { cpuTime: '1500ms' })
  expect(stdout).toBe('3\n3\n')
  const lower = await run('sh', ['-c', 'ulimit -Ht'], { cpuTime: '90s', ulimits: { cpu: 7 } })
  expect(lower.stdout).toBe('7\n')
})

test('the counter of a v1 host does as well', async (context) => {
  requires(context, 'v1 controllers', 'root')
  // a mount namespace without the v2 tree looks like a v1 host
  const script = `import { run } from '${process.cwd()}/dist/index.js'
    const r = await run('sh', ['-c', '${burn}'], { cpuTime: 200, isolate: ['pid', 'mount'] })
    console.log(JSON.stringify([r.cgroup.layout, r.reason, r.usage.cpuUsec]))`
  const { mount } = readHost().unified ?? {}
  const inside = `${mount ? `umount ${mount} && ` : ''}exec "$@"`
  const [{ stdout, stderr }, more] = await beyond(
    run('unshare', [...['--mount', 'sh', '-c', inside, 'sh', process.execPath, '--input-type=module', '-e', script]], {
      isolate: 'none',
    }),
  )
  expect(stderr).toBe('')
  const [layout, reason, usec] = JSON.parse(stdout!) as [string, string, number]
  expect([layout, reason]).toEqual(['v1', 'cpu-time'])
  expect(usec / 1000).toBeGreaterThan(200)
  expect(usec / 1000).toBeLessThan(200 + more)
})

test.each(['stdout', 'stderr'] as const)('endless output to %s ends at its cap', async (stream) => {
  const script = stream === 'stdout' ? 'exec yes' : 'exec yes >&2'
  const result = await run('sh', ['-c', script], { maxOutput: '100K', timeout: '60s' })
  expect(result).toMatchObject({
    reason: 'output',
    judge: 'OLE',
    status: 137,
    signal: 'SIGKILL',
    signalFrom: 'outside',
  })
  expect(result[stream]?.length).toBe(100 * 1024)
  expect(result.verdict.headline).toContain(`wrote more than 100.0 KiB to ${stream}`)
})

test('just as much as may be is no offence, a byte more is, also when the program has ended', async () => {
  const script = 'head -c 1000 /dev/zero; head -c 1000 /dev/zero >&2'
  expect(await run('sh', ['-c', script], { maxOutput: 1000 })).toMatchObject({ judge: 'OK', status: 0 })
  const over = await run('head', ['-c', '1001', '/dev/zero'], { maxOutput: 1000 })
  expect(over).toMatchObject({ judge: 'OLE', reason: 'output', status: 137 })
  expect(over.stdout?.length).toBe(1000)
  expect(await run('true', [], { maxOutput: 0 })).toMatchObject({ judge: 'OK' })
  expect(await run('echo', [], { maxOutput: 0 })).toMatchObject({ judge: 'OLE', stdout: '' })
})

test('output to a descriptor is capped as well, and keeps its order where both go to one place', async () => {
  const file = `${directory}/both`
  const fd = openSync(file, 'w')
  const script = 'for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo e$i >&2; done; exec yes'
  const result = await run('sh', ['-c', script], { maxOutput: 5000, stdio: ['ignore', fd, fd] })
  closeSync(fd)
  expect(result).toMatchObject({ judge: 'OLE' })
  const text = readFileSync(file, 'latin1')
  expect(text.length).toBe(5000)
  expect(text.slice(0, 45)).toBe('123456789'.replace(/./g, '$&\ne$&\n'))
})

test('a reader of a started job gets what may be written, and the end', async () => {
  const job = await start('yes', [], { maxOutput: 10_000 })
  let length = 0
  for await (const chunk of job.stdout!) length += (chunk as Buffer).length
  expect(length).toBe(10_000)
  expect(await job.result).toMatchObject({ judge: 'OLE' })
})

test('memory and context switches are told', async () => {
  const { usage } = await run('sh', ['-c', 'hutch hog 20M >&2; sleep 0.01'])
  // hog has no libc, so that its pages are all that counts, and the kernel adds pages up by CPU, in batches
  expect(usage.maxRss).toBeGreaterThan(19 * 2 ** 20)
  expect(usage.maxRss).toBeLessThan(40 * 2 ** 20)
  expect(usage.voluntarySwitches).toBeGreaterThan(0)
  expect(usage.forcedSwitches).toBeGreaterThanOrEqual(0)
  // the memory of this process before the exec would be counted in
  expect((await run('true', [], { init: false })).usage.maxRss).toBeUndefined()
})
