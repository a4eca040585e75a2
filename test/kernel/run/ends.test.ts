// SPDX-License-Identifier: Apache-2.0
// How a job can end, and what is left of it: nothing.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { run, type StartOptions, start } from '../../../src/index.ts'
import { collect } from '../../cli/hutch.ts'
import { children } from '../../support/leaks.ts'
import { requires } from '../../support/requires.ts'

/** Milliseconds in which a shell has set its traps. */
const begun = process.env.VM ? 8000 : 2000

test.each([
  ['its own status', 'exit 7', { exitCode: 7, signal: null, status: 7, reason: 'exit' }],
  [
    'which the program itself caused',
    'kill -SEGV $$',
    { exitCode: null, signal: 'SIGSEGV', status: 139, reason: 'signal', signalFrom: 'inside' },
  ],
  [
    'a signal that the kernel does not tell the sender of',
    'kill -KILL $$',
    { exitCode: null, signal: 'SIGKILL', status: 137, reason: 'signal', signalFrom: 'unknown' },
  ],
])('%s is told', async (_, script, expected) => {
  expect(await run('sh', ['-c', script])).toMatchObject(expected)
})

test.each([
  ['a missing command', '/nonexistent/x', { status: 127, reason: 'not-found' }],
  ['a missing command of the search path', 'no-such-command', { status: 127, reason: 'not-found' }],
  ['a file without x', '/etc/passwd', { status: 126, reason: 'not-executable' }],
  ['a directory', '/etc', { status: 126, reason: 'not-executable' }],
])('%s is a result, not an error', async (_, command, expected) => {
  for (const isolate of [['pid', 'mount'], 'none'] as const)
    expect(await run(command, [], { isolate })).toMatchObject(expected)
})

test('SIGTERM comes when the time is up, to all of it', async () => {
  const result = await run(
    'sh',
    ['-c', '(trap "echo child; exit" TERM; sleep 20 & wait) & trap "wait; echo shell; exit 3" TERM; wait'],
    { timeout: begun, isolate: 'none' },
  )
  expect(result).toMatchObject({ reason: 'timeout', status: 124, exitCode: 3 })
  expect(result.stdout!.trim().split('\n').sort()).toEqual(['child', 'shell'])
  expect(result.events.map((event) => event.kind)).toEqual(['stop'])
})

test('SIGTERM that comes before there is a command waits for it', async (context) => {
  requires(context, 'root')
  // so many mounts take longer than that
  const mounts = Array.from({ length: 60 }, (_, i) => ({ volume: `/etc:/tmp/${i}:ro` }))
  for (let timeout = 1; timeout <= 15; timeout++)
    expect(await run('sleep', ['60'], { sandbox: true, mounts, timeout, killAfter: '20s' })).toMatchObject({
      reason: 'timeout',
      signal: 'SIGTERM',
    })
})

test('SIGKILL follows for what ignores SIGTERM', async () => {
  const result = await run('sh', ['-c', 'trap "" TERM; while :; do sleep 0.1; done'], {
    timeout: begun,
    killAfter: 200,
  })
  expect(result).toMatchObject({ reason: 'timeout', status: 124, signal: 'SIGKILL' })
  expect(result.events.map((event) => event.kind)).toEqual(['stop', 'kill'])
  expect(result.verdict.headline).toBe(
    `timed out after ${begun / 1000}.0 s: sh did not end on SIGTERM and was killed 200 ms later`,
  )
})

test('an AbortSignal stops it', async () => {
  const abort = new AbortController()
  const job = await start('sleep', ['30'], { signal: abort.signal })
  setTimeout(() => abort.abort(), 50)
  expect(await job.result).toMatchObject({ reason: 'aborted', signal: 'SIGTERM', signalFrom: 'outside' })
})

test('an AbortSignal that has aborted before stops it too', async () => {
  expect(await run('sleep', ['30'], { signal: AbortSignal.abort() })).toMatchObject({ reason: 'aborted' })
})

test('a signal or a listener that is none is refused before anything starts', async () => {
  const before = children()
  for (const [key, value] of [
    ['signal', 5],
    ['signal', null],
    ['signal', new AbortController()],
    ['onEvent', 'x'],
  ] as const) {
    const options = { [key]: value } as StartOptions
    const refused = { code: 'OPTION_INVALID', message: expect.stringContaining(`for ${key}\n`) }
    await expect(run('sleep', ['4771'], options)).rejects.toMatchObject(refused)
    await expect(start('sleep', ['4771'], options)).rejects.toMatchObject(refused)
  }
  await expect(run('true', [], { onevent: () => {} } as StartOptions)).rejects.toMatchObject({
    code: 'OPTION_UNKNOWN',
    message: expect.stringContaining('give onEvent'),
  })
  expect(children()).toEqual(before)
})

test('what a listener throws is an uncaught exception, and the job ends as it would', async () => {
  const script = `import { run } from '${process.cwd()}/dist/index.js'
    process.on('uncaughtException', ({ message }) => console.log('uncaught', message))
    const onEvent = ({ kind }) => { throw new Error(kind) }
    const stopped = await run('sleep', ['4772'], { timeout: 100, onEvent })
    const cut = await run('yes', [], { maxOutput: 100, onEvent })
    setImmediate(() => console.log(stopped.reason, cut.reason, cut.stdout.length))`
  expect(await collect(process.execPath, ['--input-type=module', '-e', script])).toEqual({
    status: 0,
    stdout: 'uncaught stop\nuncaught kill\ntimeout output 100\n',
    stderr: '',
  })
})

test.each([['none'], [['pid', 'mount']]] as const)(
  'what the command left in the background ends with it (isolate %j)',
  async (isolate) => {
    const { stdout } = await run('sh', ['-c', 'setsid sleep 987 >/dev/null 2>&1 & echo started'], { isolate })
    expect(stdout).toBe('started\n')
    expect(processesNamed('sleep\x00987')).toEqual([])
  },
)

test('job.kill sends a signal to all of it', async () => {
  const job = await start('sh', ['-c', 'trap "exit 9" USR1; echo ready; while :; do sleep 0.05; done'])
  await new Promise((resolve) => job.stdout!.once('data', resolve))
  expect(job.kill('SIGUSR1')).toBe(true)
  expect(await job.result).toMatchObject({ exitCode: 9, reason: 'exit' })
  expect(job.kill()).toBe(false)
})

test.each(['none', ['pid', 'mount']] as const)(
  'each process of a job gets a signal once (isolate %j)',
  async (isolate) => {
    const job = await start('sh', ['-c', 'trap "echo got" USR1; echo ready; while :; do sleep 0.05; done'], { isolate })
    let out = ''
    job.stdout!.on('data', (data) => {
      out += data
    })
    const said = (text: string) => vi.waitFor(() => expect(out).toContain(text), 30_000)
    await said('ready\n')
    // its sleeps have no trap: they end, the shell goes on
    expect(job.kill('SIGUSR1')).toBe(true)
    await said('got\n')
    // a second one would come as soon
    await new Promise((resolve) => setTimeout(resolve, 400))
    job.kill()
    await job.result
    expect(out).toBe('ready\ngot\n')
  },
)

test('streams are streams: what goes in comes out', async () => {
  const job = await start('cat')
  const text = 'x'.repeat(300_000)
  job.stdin!.end(text)
  let got = ''
  for await (const chunk of job.stdout!) got += chunk
  expect(got).toBe(text)
  expect(await job.result).toMatchObject({ exitCode: 0 })
})

test('a command that nobody listens to gets SIGPIPE, as in a shell', async () => {
  const job = await start('sh', ['-c', 'yes | head -n 1; exit 4'])
  expect(await job.result).toMatchObject({ exitCode: 4 })
})

function processesNamed(commandLine: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(commandLine)
    } catch {
      return false
    }
  })
}
