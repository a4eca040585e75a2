// SPDX-License-Identifier: Apache-2.0
// A stop of a job without a control group: SIGTERM and SIGKILL reach all of its processes, through every way to start a job.
// In a VM only in `npm run test:kernels`.
import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { begin, collect, heard } from '../../cli/hutch.ts'
import { beginAs, hutchAs, nodeAs, runAs } from '../../support/anyone.ts'
import { workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'
import { tryKill } from '../../support/test-groups.ts'

const place = workplace()
const user = 65534
/** Long enough for a shell to have set its trap. */
const timeout = process.env.VM ? '20s' : '2s'

beforeAll(() => chmodSync(place.path, 0o777))
afterAll(place.remove)

/** A program that needs a moment to end at SIGTERM, and tells how many SIGTERMs it got. */
const handler = 'n=0; trap "n=\\$((n+1)); sleep 0.3; echo tidy \\$n; exit" TERM; echo up; while :; do sleep 0.05; done'
const jobs = {
  'a child': `sh -c '${handler}'; echo after`,
  'a process of another session': `setsid sh -c '${handler}' & wait`,
  'an orphan': `(setsid sh -c '${handler}' &); sleep 3600`,
}
const kinds = Object.keys(jobs) as (keyof typeof jobs)[]
const limits = ['--limit', 'none', '--timeout', timeout, '--kill-after', '60s']
const doors = { 'hutch run': [], '--sandbox': ['--sandbox'], '--isolate none': ['--isolate', 'none'] }

/** SIGTERM came once, and the time until SIGKILL was the job's. */
const ended = 'up\ntidy 1\n'

test.each(kinds)('control: a signal to the command alone does not reach %s', async (kind) => {
  const job = begin('sh', ['-c', jobs[kind]], { detached: true })
  await heard(job, /up/)
  process.kill(job.pid, 'SIGTERM')
  for (; isRunning(job.pid); await pause(20));
  expect(running('trap "n=')).not.toEqual([])
  expect(job.said()).toBe('up\n')
  end(running('trap "n='))
  tryKill(-job.pid)
})

test.each(Object.entries(doors))('%s: the timeout of a user’s job', async (_, options) => {
  const all = await Promise.all(kinds.map((kind) => runAs(user, [...limits, ...options, '--', 'sh', '-c', jobs[kind]])))
  for (const [i, kind] of kinds.entries()) expect(all[i], kind).toMatchObject({ status: 124, stdout: ended })
})

test('a compiled file', async () => {
  const made = ['none', 'all'].flatMap((isolate) => kinds.map((kind) => ({ isolate, kind })))
  const told = made.map(async ({ isolate, kind }) => {
    const file = `${place.path}/${isolate} ${kind}`
    const args = ['compile', '--output', file, ...limits, '--isolate', isolate, '--', 'sh', '-c', jobs[kind]]
    expect(await (await hutchAs(user, args)).ended).toMatchObject({ status: 0 })
    const drop = ['--reuid', String(user), '--regid', String(user), '--clear-groups']
    return (await collect('setpriv', [...drop, file])).stdout
  })
  expect(await Promise.all(told)).toEqual(made.map(() => ended))
})

test('the library: stop(), and a pool', async () => {
  const script = `
    const killAfter = '60s', jobs = ${JSON.stringify(Object.values(jobs))}
    async function stopped(job) {
      let out = ''
      for await (const data of job.stdout) {
        out += data
        if (out === 'up\\n') void job.stop()
      }
      return out
    }
    for (const options of [{}, { isolate: 'none' }, { sandbox: true, limits: 'none' }])
      for (const job of jobs) console.log(await stopped(await start('sh', ['-c', job], { ...options, killAfter })))
    const pool = await createPool({ size: 1, plan: { sandbox: true, limits: 'none', killAfter } })
    for (const job of jobs) console.log((await pool.run(['sh', '-c', job], { timeout: '${timeout}' })).stdout)
    await pool.close()`
  expect((await nodeAs(user, script)).stdout).toBe(`${ended}\n`.repeat(12))
})

test('SIGKILL follows for an orphan that ignores SIGTERM, with and without a pid namespace', async () => {
  const job = (time: string) => `(setsid sh -c "trap '' TERM; echo up; sleep ${time}" &); sleep 3600`
  const control = begin('sh', ['-c', job('47183')], { detached: true })
  await heard(control, /up/)
  process.kill(control.pid, 'SIGKILL')
  for (; isRunning(control.pid); await pause(20));
  expect(running('47183'), 'control').not.toEqual([])
  end(running('47183'))
  tryKill(-control.pid)
  const options = ['--limit', 'none', '--timeout', timeout, '--kill-after', '300ms']
  for (const isolate of ['none', 'all']) {
    const args = [...options, '--isolate', isolate, '--', 'sh', '-c', job('47184')]
    expect(await runAs(user, args), isolate).toMatchObject({ status: 124, stdout: 'up\n' })
    expect(running('47184'), isolate).toEqual([])
  }
})

test('a signal that is passed on is the command’s alone', async (context) => {
  requires(context, 'root')
  for (const isolate of ['none', 'all']) {
    const script = `trap 'echo command' USR1
      sh -c 'trap "echo child" USR1; echo up; while :; do sleep 0.05; done' & while :; do wait; done`
    const job = await beginAs(user, [...limits, '--isolate', isolate, '--', 'sh', '-c', script])
    await heard(job, /up/)
    process.kill(job.pid, 'SIGUSR1')
    await heard(job, /command/)
    expect((await job.ended).stdout, isolate).toBe('up\ncommand\n')
  }
})

/** Processes with this in a word of their command line. */
function running(text: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text)
      } catch {
        return false
      }
    })
    .map(Number)
}

/** A process that has ended is gone, or waits for its parent. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}

function end(pids: number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGKILL')
}
