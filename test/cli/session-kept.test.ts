// SPDX-License-Identifier: Apache-2.0
// Which session and process group a command is in by each way of starting, what a stop and a lost terminal do, and two hutches in a pipeline.
// In a VM only in `npm run test:kernels`.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test, vi } from 'vitest'
import { hutchArgs, hutchCommand, hutchFile, hutchLine } from '../support/command.ts'
import { workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { begin, collect, heard } from './hutch.ts'
import { type } from './typed.ts'

const { path: work, remove } = workplace()
const hutch = `${hutchLine}`
afterAll(remove)

/** In a session and group of its own, so that a signal to its group ends nothing else. */
const inSession = (script: string) => collect('setsid', ['-w', 'sh', '-c', script], { cwd: work })

const group = `/hutch-test-${process.pid}-session`
/** Process group and session, of proc_pid_stat(5). */
const own = `cut -d' ' -f5,6 /proc/self/stat`

const kept = [
  `cgexec -g pids:${group}`,
  `cgroup exec ${group}`,
  'nsenter --target $$ --uts',
  'unshare --uts',
  'unshare --uts --fork',
  'bwrap --bind / / --dev /dev',
]
const renewed = ['run --isolate none --', 'run --isolate uts --', 'bwrap --bind / / --dev /dev --new-session']

test.each([...kept.map((command) => [command, true] as const), ...renewed.map((command) => [command, false] as const)])(
  'hutch %s: the caller’s session and process group: %s',
  async (command, keeps) => {
    const made = command.includes(group)
    if (made) expect(await collect(hutchFile, [...hutchArgs, 'cgroup', 'create', group])).toMatchObject({ status: 0 })
    const { stdout, stderr } = await inSession(`${own}; ${hutch} ${command} ${own}`)
    if (made) await collect(hutchFile, [...hutchArgs, 'cgroup', 'rm', group])
    const [caller, command_] = stdout.trim().split('\n')
    expect(stderr).toBe('')
    expect(command_).toMatch(/^\d+ \d+$/)
    const [before, inside] = [caller!.split(' '), command_!.split(' ')]
    if (keeps) expect(inside).toEqual(before)
    else for (const number of before) expect(inside).not.toContain(number)
  },
)

test('the weight of the caller’s session in the scheduler is the caller’s', async (context) => {
  requires(context, 'root', 'autogroups')
  const weight = `sed 's/.* //' /proc/self/autogroup`
  const change = `sh -c 'echo 7 >/proc/self/autogroup'`
  expect((await inSession(`${weight}; ${change}; ${weight}`)).stdout, 'control').toBe('0\n7\n')
  for (const command of ['run --', 'run --isolate all --', 'run --sandbox --limit none --'])
    expect((await inSession(`${weight}; ${hutch} ${command} ${change} 2>/dev/null; ${weight}`)).stdout).toBe('0\n0\n')
})

/** Prints a word for each of these signals, until it is ended. */
const listener = `trap 'echo got tstp' TSTP; trap 'echo got cont' CONT; echo up; while :; do sleep 0.05; done`
const statusLine = (pid: number, name: string) =>
  new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
/** Whether hutch passes SIGTSTP (20) on by now. */
const catches = (pid: number) => (BigInt(`0x${statusLine(pid, 'SigCgt')}`) >> 19n) & 1n

test.each(['none', 'all'])('SIGTSTP and SIGCONT for hutch reach the job: --isolate %s', async (isolate) => {
  const args = ['run', '--isolate', isolate, '--', 'sh', '-c', listener]
  const running = begin(hutchFile, [...hutchArgs, ...args], { detached: true })
  await heard(running, /up/)
  await vi.waitFor(() => expect(catches(running.pid)).toBe(1n), 30_000)
  process.kill(running.pid, 'SIGTSTP')
  await heard(running, /got tstp/)
  process.kill(running.pid, 'SIGCONT')
  await heard(running, /got cont/)
  await vi.waitFor(() => expect(statusLine(running.pid, 'State')).not.toBe('T'), 30_000)
  process.kill(running.pid, 'SIGTERM')
  expect((await running.ended).status).toBe(143)
})

test('two hutches in a pipeline: both end, the second prints, and the script has its terminal', async () => {
  const line = `${hutch} run -- sh -c 'echo one; echo two' | ${hutch} run -- cat; read x; echo got $x`
  const out = await type(line, [[/two/, 'line\n']])
  expect(out).toMatch(/^one\r?\ntwo\r?$/m)
  expect(out).toMatch(/^got line/m)
})

test('two hutches in a pipeline, of which the first reads the terminal', async () => {
  const line = `stty -echo; ${hutch} run -- sh -c 'echo ready >&2; read a; echo first $a' | ${hutch} run -- cat; read x; echo got $x`
  const out = await type(line, [
    [/ready/, 'word\n'],
    [/first word/, 'line\n'],
  ])
  expect(out).toMatch(/^first word/m)
  expect(out).toMatch(/^got line/m)
})

/** Starts the command on a terminal, and closes the terminal's other end when it has printed its process id. */
const hangUp = `import os, pty, sys
child, terminal = pty.fork()
if child == 0: os.execv(sys.argv[1], sys.argv[1:])
text = b''
while b'up ' not in text or not text.endswith(b'\\n'): text += os.read(terminal, 1000)
os.close(terminal)
status = os.waitpid(child, 0)[1]
print(text.split(b'up ')[1].split()[0].decode(), os.waitstatus_to_exitcode(status))`

test.each(['none', 'all'])('a terminal that is closed ends hutch and the job: --isolate %s', async (isolate) => {
  writeFileSync(`${work}/hang-up.py`, hangUp)
  const mark = `7200.${process.pid}`
  const job = `echo up $$; sleep ${mark}; exit 3`
  const args = [`${work}/hang-up.py`, ...hutchCommand, 'run', '--isolate', isolate, '--', 'sh', '-c', job]
  const { stdout, stderr, status } = await collect('python3', args)
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  const [pid, code] = stdout.trim().split(' ').map(Number)
  expect(code).toBe(129)
  if (isolate === 'none') expect(() => process.kill(pid!, 0)).toThrow('ESRCH')
  expect((await collect('pgrep', ['-f', `^sleep ${mark}$`])).stdout).toBe('')
})
