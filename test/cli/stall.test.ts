// SPDX-License-Identifier: Apache-2.0
// A job that sits still says what holds it up while it runs, once; the remedy that it prints lets it go on.
import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, test } from 'vitest'
import { Cgroup } from '../../src/index.ts'
import { hutchArgs, hutchFile, hutchLine } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect } from './hutch.ts'

const group = `/hutch-test-${process.pid}`
let made: Cgroup | undefined
afterAll(() => made?.remove({ recursive: true, kill: true }))

/** hutch run -v, its stderr up to the notice, and what ends it. */
async function start(args: string[]) {
  const child = spawn(hutchFile, [...hutchArgs, 'run', '-v', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (data) => {
    stderr += data
  })
  const status = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    status,
    said: () => stderr,
    notice: async () => {
      while (!/^hutch: the job has used almost no .*\n(.*\n)* {2}remedy .*\n/m.test(stderr) && child.exitCode === null)
        await pause(50)
      return stderr
    },
    end: () => child.kill('SIGTERM'),
  }
}

/** Runs the remedy that was printed, as a user pastes it. */
const applyRemedy = (text: string) => {
  const command = /^ {2}remedy +(?:[^:]*: )?(.*)$/m.exec(text)![1]!
  return collect('sh', ['-c', command.replace(/^hutch /, `${hutchLine} `)])
}

const fillTable = `
import sys, time
held = []
try:
    while True: held.append(open('/dev/null'))
except OSError:
    while True:
        time.sleep(8)
        try: open('/dev/null'); sys.exit(7)
        except OSError: pass
`
const forkUntilRefused = `
import os, time
try:
    while os.fork() > 0: pass
except OSError:
    pass
time.sleep(30)
`
const python = '/usr/bin/python3'

test.concurrent('a process with all its descriptors open', async (context) => {
  requires(context, 'root', 'python3', 'not a VM')
  const job = await start(['--ulimit', 'nofile=20:100', '--timeout', '60s', '--', python, '-c', fillTable])
  const text = await job.notice()
  context.expect(text).toMatch(/process \d+ \(python3\) has 20 file descriptors open, which is its limit$/m)
  context.expect((await applyRemedy(text)).stderr).toBe('')
  context.expect(await job.status).toBe(7)
})

test.concurrent('a program that waits after a refused fork', async (context) => {
  requires(context, 'python3', 'not a VM')
  const job = await start(['--pids', '5', '--', python, '-c', forkUntilRefused])
  const text = await job.notice()
  context.expect(text).toMatch(/^hutch: the job has used almost no CPU time for 4.5 s: .*fork.*refused/m)
  context.expect(text).toContain('pids.max')
  // told once
  await pause(3000)
  context.expect(job.said().match(/almost no CPU time/g)).toHaveLength(1)
  job.end()
  await job.status
})

test.concurrent('a job in a frozen group goes on by the remedy', async (context) => {
  requires(context, 'root', 'not a VM')
  const parent = await Cgroup.create(group)
  made = parent
  const job = await start(['--parent', group, '--', 'sh', '-c', 'sleep 2; exit 5'])
  while (parent.children().length === 0) await pause(50)
  await pause(200)
  await parent.freeze()
  const text = await job.notice()
  context.expect(text).toMatch(/is frozen/)
  context.expect((await applyRemedy(text)).status).toBe(0)
  context.expect(await job.status).toBe(5)
})

test.concurrent('a program that memory.high holds', async (context) => {
  requires(context, 'v2')
  const job = await start(['--memory-high', '20M', '--', 'tail', '/dev/zero'])
  context.expect(await job.notice()).toMatch(/almost no CPU time for 4.5 s: .*memory\.high/)
  job.end()
  await job.status
})

test.concurrent('a job that waits for a timer says nothing', async (context) => {
  requires(context, 'not a VM')
  const job = await start(['--memory', '64M', '--', 'sleep', '7'])
  context.expect(await job.status).toBe(0)
  context.expect(job.said()).not.toContain('almost no CPU time')
})

test.concurrent('without --verbose and a terminal nothing is said', async (context) => {
  requires(context, 'python3', 'not a VM')
  const script = forkUntilRefused.replace('30', '7')
  const { stderr } = await collect(hutchFile, [...hutchArgs, 'run', '--pids', '5', '--', python, '-c', script])
  context.expect(stderr).not.toContain('almost no CPU time')
})
