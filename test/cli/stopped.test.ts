// SPDX-License-Identifier: Apache-2.0
// Jobs that stop themselves or their group: their timeout holds, and SIGTERM ends them, through every way to start a job.
// In a VM only in `npm run test:kernels`.
import { spawnSync } from 'node:child_process'
import { chmodSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { createPool, run, start } from '../../src/index.ts'
import { hutchArgs, hutchCommand, hutchFile, hutchLine } from '../support/command.ts'
import { workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { collect } from './hutch.ts'
import { type } from './typed.ts'

const { path: work, remove } = workplace()
const hutch = `${hutchLine}`
const slow = process.env.VM ? 10 : 1
/** Far above what a start takes on a busy machine, and far below what its end would take without SIGCONT. */
const killAfter = 60_000 * slow

afterAll(remove)

/** A shell in a session and group of its own, so that a signal to its group ends nothing else. */
function inSession(script: string) {
  return collect('setsid', ['-w', 'sh', '-c', script], { cwd: work })
}

/** Stops its whole group; the trap shows that SIGTERM came before SIGKILL. */
const stops = ['sh', '-c', 'trap "echo tidy; exit 3" TERM; kill -STOP 0']

test('control: a stopped process does not act on SIGTERM', async () => {
  const { stdout } = await inSession(
    `setsid sh -c '${stops[2]}' & until grep -q '^State:.T' /proc/$!/status; do sleep 0.05; done
    kill -TERM $!; grep '^State' /proc/$!/status; kill -CONT $!; wait`,
  )
  expect(stdout).toMatch(/^State:\s+T/)
  expect(stdout).toContain('tidy')
})

test.each([[], ['pid' as const]])('the library: job.stop() ends a stopped job: isolate %s', async (...isolate) => {
  const begun = performance.now()
  const job = await start('sh', ['-c', `echo up; ${stops[2]}`], { isolate, killAfter })
  await isStopped(job.pid)
  expect((await job.stop()).exitCode).toBe(3)
  expect(performance.now() - begun).toBeLessThan(killAfter)
})

test('a pool: the timeout of a stopped job holds', async () => {
  const pool = await createPool({ size: 1, plan: { killAfter } })
  const begun = performance.now()
  const result = await pool.run(stops as [string, ...string[]], { timeout: 300 })
  await pool.close()
  expect(result).toMatchObject({ exitCode: 3, stdout: 'tidy\n' })
  expect(performance.now() - begun).toBeLessThan(killAfter)
})

test('without an init of hutch’s the end of the last process is noticed, and its time is limited', async () => {
  const job = (ms: string) =>
    `sh -c 'trap "sleep ${ms}; echo tidy; exit" TERM; echo up; while :; do sleep 0.05; done' & wait`
  const options = { init: false, timeout: 500 }
  const begun = performance.now()
  expect((await run('sh', ['-c', job('0.3')], { ...options, killAfter })).stdout).toBe('up\ntidy\n')
  expect(performance.now() - begun).toBeLessThan(killAfter)
  expect((await run('sh', ['-c', job('3600')], { ...options, killAfter: 300 })).stdout).toBe('up\n')
})

test('a compiled file: the timeout of a stopped job holds', async () => {
  const limits = ['--timeout', '300ms', '--kill-after', `${killAfter}ms`]
  const made = await collect(hutchFile, [...hutchArgs, 'compile', '--output', 'stops', ...limits, '--', ...stops], {
    cwd: work,
  })
  expect(made).toMatchObject({ status: 0 })
  const begun = performance.now()
  const { stdout } = await inSession('./stops; echo $?')
  expect(stdout).toBe('tidy\n124\n')
  expect(performance.now() - begun).toBeLessThan(killAfter)
})

test('a compiled file: SIGKILL waits for all processes of the job', async () => {
  const job = `sh -c 'trap "sleep 0.3; echo tidy; exit" TERM; echo up; while :; do sleep 0.05; done' & wait`
  const limits = ['--timeout', '500ms', '--kill-after', '20s']
  const args = ['compile', '--output', 'waits', ...limits, '--', 'sh', '-c', job]
  expect(await collect(hutchFile, [...hutchArgs, ...args], { cwd: work })).toMatchObject({ status: 0 })
  expect((await inSession('./waits')).stdout).toBe('up\ntidy\n')
})

test('hutch bwrap --new-session: a signal of the job to its group', async () => {
  const bwrap = (option: string) => `${hutch} bwrap --bind / / --dev /dev ${option} sh -c 'kill -KILL 0; sleep 5'`
  expect((await inSession(`${bwrap('')}; echo alive $?`)).stdout, 'control').toBe('')
  expect((await inSession(`${bwrap('--new-session')}; echo alive $?`)).stdout).toBe('alive 137\n')
})

test('an I/O priority of the group is the job’s', async () => {
  const script = (prefix: string) => `${prefix} sh -c 'echo ran; ionice -c 3 -P 0'; ionice -p $$`
  expect((await inSession(script(''))).stdout, 'control').toBe('ran\nidle\n')
  expect((await inSession(script(`${hutch} run --`))).stdout).toMatch(/^ran\n(?!idle)/)
})

test('a new size of the terminal reaches the job', async () => {
  const job = `sh -c 'trap "stty size; exit" WINCH; echo up $((6*7)); while :; do sleep 0.1; done'`
  const resize = `(until test -e ${work}/up; do sleep 0.1; done; stty -F /dev/tty rows 33 columns 77) &`
  for (const isolate of ['none', 'all']) {
    const out = await type(
      `${resize} ${hutch} run --isolate ${isolate} -- ${job.replace('echo up', `: > ${work}/up; echo up`)}; rm ${work}/up`,
      [],
    )
    expect(out).toMatch(/^33 77$/m)
  }
})

test('a file that was opened read-only cannot be written in an ordinary user’s sandbox', async (context) => {
  requires(context, 'root')
  chmodSync(work, 0o755)
  writeFileSync(`${work}/input`, 'before\n')
  chmodSync(`${work}/input`, 0o666)
  const script = 'echo changed > /proc/self/fd/0'
  const asUser = (...command: string[]) =>
    spawnSync('setpriv', ['--reuid', '61234', '--regid', '61234', '--clear-groups', ...command], {
      stdio: [openSync(`${work}/input`, 'r'), 'ignore', 'ignore'],
      cwd: '/',
    })
  asUser('sh', '-c', script)
  expect(readFileSync(`${work}/input`, 'utf8'), 'control').toBe('changed\n')
  writeFileSync(`${work}/input`, 'before\n')
  asUser(...hutchCommand, 'run', '--sandbox', '--limit', 'none', '--', 'sh', '-c', script)
  expect(readFileSync(`${work}/input`, 'utf8')).toBe('before\n')
})

async function isStopped(pid: number): Promise<void> {
  const tree = () => [pid, ...children(pid)].map((one) => readFileSync(`/proc/${one}/stat`, 'utf8'))
  while (!tree().some((stat) => / T /.test(stat.slice(stat.lastIndexOf(')'))))) await new Promise(setImmediate)
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}
