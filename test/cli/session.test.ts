// SPDX-License-Identifier: Apache-2.0
// Sessions, process groups and terminals: what a job reaches of its caller's, and what the caller has afterwards.
// In a VM only in `npm run test:kernels`.
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { hutchArgs, hutchCommand, hutchFile, hutchLine } from '../support/command.ts'
import { workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { collect } from './hutch.ts'
import { hangUp, type } from './typed.ts'

const { path: work, remove } = workplace()
const hutch = `${hutchLine}`

afterAll(remove)

/** A shell in a session and group of its own, so that a signal to its group ends nothing else. */
function inSession(script: string, stdio: object = {}) {
  return collect('setsid', ['-w', 'sh', '-c', script], { cwd: work, ...stdio })
}

const killsAll = `sh -c 'kill -KILL 0; sleep 5'`

test('control: kill(0) ends the caller', async () => {
  const { stdout } = await inSession(`${killsAll}; echo alive`)
  expect(stdout).toBe('')
})

test.each([
  ['run', `${hutch} run --`],
  ['run --isolate all', `${hutch} run --isolate all --`],
  ['sandbox', `${hutch} run --sandbox --limit none --`],
  ['compiled', './compiled --'],
])('%s: kill(0) ends the job alone', async (name, command) => {
  if (name === 'compiled') {
    const made = await collect(
      hutchFile,
      [...hutchArgs, 'compile', '--output', 'compiled', '--', ...['sh', '-c', 'kill -KILL 0; sleep 5']],
      { cwd: work },
    )
    expect(made).toMatchObject({ status: 0 })
  }
  const { stdout } = await inSession(`${name === 'compiled' ? './compiled' : `${command} ${killsAll}`}; echo alive $?`)
  expect(stdout).toBe('alive 137\n')
})

test('the library: kill(0) ends the job alone', async () => {
  writeFileSync(
    `${work}/server.mjs`,
    `import { run } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
    const { signal } = await run('sh', ['-c', 'kill -KILL 0; sleep 5'])
    console.log('alive', signal)`,
  )
  const { stdout } = await inSession(`${process.execPath} server.mjs`)
  expect(stdout).toBe('alive SIGKILL\n')
})

test('SIGSTOP to the group does not stop hutch: its timeout holds', async () => {
  const { stdout } = await inSession(
    `${hutch} run --timeout 300ms --kill-after 0 -- sh -c 'kill -STOP 0'; echo alive $?`,
  )
  expect(stdout).toBe('alive 124\n')
})

test('a new priority of the group, and /dev/tty, are the job’s', async () => {
  const { stdout } = await inSession(`nice; ${hutch} run -- sh -c 'echo ran; renice 19 -g 0 >&2; : < /dev/tty'; nice`)
  const [before, ran, after] = stdout.split('\n')
  expect(ran).toBe('ran')
  expect(after).toBe(before)
})

test('SIGKILL after SIGTERM waits for all processes of the job', async () => {
  const job = `sh -c 'trap "sleep 0.3; echo tidy; exit" TERM; echo up; while :; do sleep 0.05; done' & wait`
  for (const isolate of ['none', 'all']) {
    const { stdout } = await inSession(
      `${hutch} run --isolate ${isolate} --timeout 500ms --kill-after 10s -- sh -c '${job.replaceAll("'", `'\\''`)}'`,
    )
    expect(stdout).toBe('up\ntidy\n')
  }
})

test('a directory is no stream of a job with a root of its own', async () => {
  const { status, stderr } = await inSession(`${hutch} run --sandbox --limit none -- true < /`)
  expect(status).toBe(125)
  expect(stderr).toContain('cannot use a directory as stdin')
})

test('a file that was opened read-only cannot be written in a sandbox', async (context) => {
  requires(context, 'root')
  writeFileSync(`${work}/input`, 'before\n', { mode: 0o666 })
  writeFileSync(`${work}/output`, '', { mode: 0o666 })
  const script = 'echo changed > /proc/self/fd/0; echo told > /dev/stdout'
  await collect('chmod', ['666', 'input', 'output'], { cwd: work })
  const stdio = () => [openSync(`${work}/input`, 'r'), openSync(`${work}/output`, 'r+'), 'ignore'] as const
  await onStreams('sh', ['-c', script], stdio())
  expect(readFileSync(`${work}/input`, 'utf8'), 'control').toBe('changed\n')
  writeFileSync(`${work}/input`, 'before\n')
  await onStreams(hutchFile, [...hutchArgs, 'run', '--sandbox', '--limit', 'none', '--', 'sh', '-c', script], stdio())
  expect(readFileSync(`${work}/input`, 'utf8')).toBe('before\n')
  expect(readFileSync(`${work}/output`, 'utf8')).toContain('told')
})

async function onStreams(command: string, args: string[], stdio: readonly unknown[]): Promise<void> {
  const { spawnSync } = await import('node:child_process')
  spawnSync(command, args, { stdio: stdio as never, cwd: work })
}

const prompt = /[#$] $/

test.each([
  'run --',
  'run --isolate all --',
  'run --sandbox --limit none --',
  'unshare --pid --fork',
  'bwrap --bind / / --dev /dev --unshare-pid',
])('after an interactive shell in hutch %s the script has its terminal', async (command) => {
  const out = await type(`${hutch} ${command} bash --norc -i; read x; echo got $x`, [
    [prompt, 'stty -echo; exit\n'],
    [/exit\r?\n$/, 'line\n'],
  ])
  expect(out).toMatch(/^got line$/m)
})

test('the settings of the terminal are restored', async () => {
  const out = await type(`${hutch} run -- stty -echo; stty -a`, [])
  expect(out).toMatch(/ echo /)
})

test('tty has a name in a sandbox', async () => {
  expect(await type(`${hutch} run --sandbox --limit none -- tty`, [])).toContain('/dev/console\n')
})

test('^C ends a script that ignores statuses', async () => {
  const out = await type(`sh -c '${hutch} run -- sh -c "echo up; sleep 60"; echo after'`, [[/up/, '\x03']])
  expect(out).not.toContain('after')
})

test.each(['none', 'all'])('^Z stops hutch, and fg continues it: --isolate %s', async (isolate) => {
  // a shell that starts programs meanwhile cannot stop between vfork(2) and the exec: bash would wait for ever
  const job = `sh -c 'trap "echo on $((7*7))" CONT; sleep 60 & echo up $((6*7)); while :; do wait; done'`
  const out = await type('env PS1="prompt> " bash --norc -i', [
    [/prompt> $/, `${hutch} run --isolate ${isolate} -- ${job}\n`],
    [/up 42/, '\x1a'],
    [/Stopped[\s\S]*prompt> $/, 'fg\n'],
    [/on 49/, '\x03'],
    [/prompt> $/, 'echo status $?\n'],
    [/status 130[\s\S]*prompt> $/, 'exit\n'],
  ])
  expect(out).toContain('Stopped')
  expect(out).toMatch(/^status 130$/m)
})

test.each([
  ['control: no hutch', ''],
  ['run', `${hutch} run --`],
  ['run --isolate none', `${hutch} run --isolate none --`],
  ['sandbox', `${hutch} run --sandbox --limit none --`],
  ['bwrap', `${hutch} bwrap --bind / / --proc /proc --dev /dev`],
  ['unshare', `${hutch} unshare --pid --fork`],
  ['compiled', `${work}/shell`],
])('%s: a shell with a job in its own group ends when its terminal hangs up', async (name, command) => {
  const shell = 'bash --norc -i'
  if (name === 'compiled') {
    const words = ['compile', '--output', `${work}/shell`, '--', ...shell.split(' ')]
    expect(await collect(hutchFile, [...hutchArgs, ...words])).toMatchObject({ status: 0 })
  }
  const line = name === 'compiled' ? command : `${command} ${shell}`
  // the job itself says that it is there: bash alone could lose one that it is still starting
  const job = `sh -c 'echo up $((6*7)); exec sleep 987'`
  const left = await hangUp(`exec ${line}`, [[/[#$] $/, `${job}\n`]], /up 42/)
  expect(left).toEqual([])
})

test('a non-blocking stderr that is full costs neither the status nor the report', async () => {
  const job = `import fcntl,os
fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_NONBLOCK)
try:
  while True: os.write(2, b"x" * 4096)
except BlockingIOError: pass
os._exit(9)`
  writeFileSync(`${work}/fill.py`, job)
  // the reader waits until hutch has ended; the caller's stream is non-blocking itself, so that hutch may not wait for ever
  const caller = `import fcntl,os,subprocess,sys
r, w = os.pipe()
fcntl.fcntl(w, fcntl.F_SETFL, os.O_NONBLOCK)
sys.exit(subprocess.run(sys.argv[1:], stderr=w).returncode)`
  writeFileSync(`${work}/caller.py`, caller)
  const run = ['run', '--verbose', '--report', `${work}/report.json`, '--', 'python3', `${work}/fill.py`]
  const { status } = await collect('python3', [`${work}/caller.py`, ...hutchCommand, ...run])
  expect(status).toBe(9)
  expect(JSON.parse(readFileSync(`${work}/report.json`, 'utf8'))).toMatchObject({ exitCode: 9 })
})

test('flags that a job sets on its caller’s streams are taken back', async () => {
  const job = `import fcntl,os; fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_NONBLOCK | os.O_APPEND)`
  const flags = `import fcntl,os,sys; sys.stderr.write(str(fcntl.fcntl(1, fcntl.F_GETFL) & (os.O_NONBLOCK | os.O_APPEND)))`
  const control = await inSession(`python3 -c '${job}'; python3 -c '${flags}'`)
  expect(Number(control.stderr)).toBeGreaterThan(0)
  const { stderr } = await inSession(`${hutch} run -- python3 -c '${job}'; python3 -c '${flags}'`)
  expect(stderr).toBe('0')
})
