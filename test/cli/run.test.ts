// SPDX-License-Identifier: Apache-2.0
// hutch run: output, exit statuses and errors.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Ajv, type ValidateFunction } from 'ajv'
import { afterAll, expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { hutchArgs, hutchCommand, hutchFile, hutchIn, hutchLine } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect, hutch } from './hutch.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-cli-test-`)
afterAll(() => rmSync(directory, { recursive: true }))
const [validate, validateFirst] = ['report.schema.json', 'report.v1.schema.json'].map((file) =>
  new Ajv({ strict: true, allowUnionTypes: true }).compile(JSON.parse(readFileSync(file, 'utf8'))),
) as [ValidateFunction, ValidateFunction]

test('a quiet success prints nothing of its own', async () => {
  expect(await hutch(['run', '--memory', '50M', '--', 'echo', 'hi'])).toEqual({ status: 0, stdout: 'hi\n', stderr: '' })
})

test('the verdict tells what was stopped, whose limit it was and what to do', async () => {
  const { status, stdout, stderr } = await hutch([
    'run',
    '--memory',
    '50M',
    '--swap',
    '0',
    '--',
    './examples/memhog-demo.sh',
  ])
  expect({ status, stdout }).toEqual({ status: 137, stdout: '.....'.repeat(10) })
  const verdict = stderr.slice(stderr.indexOf('hutch:'))
  // how often the limit was hit is counted by some kernels only
  expect(
    verdict
      .replace(/ {3}limit hit \d+ times?/, '')
      .replace(/^ {2}(victim|memory use).*\n/gm, '')
      .replace(/--memory \d+[MG]/, '--memory N'),
  ).toBe(`hutch: 10 processes were killed (OOM): memory.max (50.0 MiB) was reached; memhog-demo.sh exited with status 137
  memory.max   50.0 MiB   peak 50.0 MiB   oom_kill 10
  whose limit  the job's own
  remedy       measure how much it needs: run it once with --memory N --verbose
`)
})

test('--quiet never prints the verdict, --verbose always', async () => {
  expect(await hutch(['run', '--quiet', '--', 'sh', '-c', 'kill -SEGV $$'])).toEqual({
    status: 139,
    stdout: '',
    stderr: '',
  })
  const { stderr } = await hutch(['run', '--verbose', '--', 'true'])
  expect(stderr).toMatch(
    /^hutch: true exited with status 0 after [\d.]+ m?s\n {2}memory.max {3}no limit {3}peak .*\n {2}time .*\n {2}enough .*\n {2}cpu /,
  )
})

test.each([
  [['--', 'sh', '-c', 'exit 3'], 3, ''],
  [['--', 'sh', '-c', 'kill -TERM $$'], 143, 'sh was killed by SIGTERM'],
  [['--timeout', '200ms', '--', 'sleep', '9'], 124, 'timed out after 200 ms: sleep ended on SIGTERM'],
  [['--', '/etc/passwd'], 126, 'cannot run /etc/passwd: it is not executable (mode 0644)'],
  [['--', 'no-such-command'], 127, 'cannot run no-such-command: no such program (ENOENT)'],
] as const)('run %j exits with %i', async (args, status, headline) => {
  const ended = await hutch(['run', ...args])
  expect(ended.status).toBe(status)
  expect(ended.stderr).toContain(headline)
})

test('a script whose interpreter is missing is 126, and the words say so', async () => {
  const { status, stderr } = await collect('sh', [
    '-c',
    `printf '#!/no/such/interpreter\n' >${directory}/script; chmod +x ${directory}/script; exec ${hutchLine} run -- ${directory}/script`,
  ])
  expect(status).toBe(126)
  expect(stderr).toContain('the interpreter that it names does not exist (ENOENT)')
})

const v2 = readHost().layout === 'v2'
const bad: [string[], string][] = [
  [['--memry', '5M', 'true'], 'unknown option --memry\n  remedy: did you mean --memory?'],
  [['--memory', '5Q', 'true'], 'invalid value 5Q for --memory'],
  [['--memory', '-5', 'true'], 'invalid value -5 for --memory: negative'],
  [['--memory', '0', 'true'], 'invalid value 0 for --memory: no program can run in it'],
  [['--pids', '0', 'true'], 'invalid value 0 for --pids: no program can run in it'],
  [['--pids', '1', 'true'], "cannot use --pids 1: hutch's PID 1 and the command are two tasks"],
  [['--cpus', '0.001', 'true'], 'invalid value 0.001 for --cpus: out of range'],
  [['--cpu-weight', '10001', 'true'], 'invalid value 10001 for --cpu-weight: out of range'],
  [['--timeout', 'soon', 'true'], 'invalid value soon for --timeout'],
  [['--isolate', 'pid,foo', 'true'], 'invalid value foo for --isolate: there is no such namespace'],
  [['--memory'], 'invalid value "" for --memory: the value is missing'],
  [['--verbose=1', 'true'], 'invalid value 1 for --verbose: it takes no value'],
  [[], 'the command to run is missing'],
  [['--memory', '5M'], 'the command to run is missing'],
  [
    ['--parent', 'a/../../b', 'true'],
    'invalid path a/../../b for --parent: a group path has no ".", ".." or empty parts',
  ],
  [['--limit', 'memory.max', 'true'], 'invalid value memory.max for --limit: there is no = in it'],
  [['--limit', 'memory/../x=1', 'true'], 'invalid value memory/../x for --limit: not the name of a controller file'],
  [
    ['--limit', 'cgroup.procs=1', 'true'],
    'invalid value cgroup.procs for --limit: this file controls the group and is not a limit',
  ],
  [['--limit', 'foo.bar=1', 'true'], 'cannot set --limit foo.bar: this host has no foo controller'],
  [['--limit', 'pids.max=-5', 'true'], 'invalid value -5 for --limit pids.max: negative'],
  [
    ['--limit', v2 ? 'cpu.weight=20000' : 'cpu.shares=abc', 'true'],
    `invalid value ${v2 ? '20000 for --limit cpu.weight' : 'abc for --limit cpu.shares'}: `,
  ],
  [['--user', 'nosuchuser', 'true'], 'cannot use --user: there is no user nosuchuser'],
  [
    ['--workdir', '/no/such', 'true'],
    'cannot enter the working directory: the kernel refused (ENOENT)\n  requested by --workdir',
  ],
  [
    ['--hostname', 'x', '--isolate', 'pid', 'true'],
    'cannot use --hostname: without a uts namespace it would rename this host',
  ],
  [['--env', '=x', 'true'], 'this cannot be the name of a variable'],
  [
    ['--isolate', 'pid,usr', 'true'],
    'invalid value usr for --isolate: there is no such namespace\n  remedy: give user?',
  ],
  [['--join', 'net', 'true'], 'invalid value net for --join: there is no = in it'],
  [['--join', 'net=/no/such', 'true'], 'cannot enter a namespace: the kernel refused (ENOENT)\n  requested by --join'],
  [['--map-users', '0:0', 'true'], 'invalid value 0:0 for --map-users: not an id map'],
  [['--time-offset', 'realtime=1', 'true'], 'all namespaces share the wall clock'],
  [
    ['--cap-drop', 'NET_ROW', 'true'],
    'invalid value NET_ROW for --cap-drop: there is no such capability\n  remedy: give NET_RAW?',
  ],
  [
    ['--ulimit', 'nofiles=5', 'true'],
    'invalid value nofiles for --ulimit: there is no such limit\n  remedy: give nofile?',
  ],
  [['--ulimit', 'nofile=5', '--ulimit', 'nofile=6', 'true'], 'invalid value nofile=6 for --ulimit: given twice'],
  [['--nice', '20', 'true'], 'invalid value 20 for --nice'],
  [['--group', 'nosuchgroup', 'true'], 'cannot use --group: there is no group nosuchgroup'],
  [['--report', '/no/such/file', 'true'], 'cannot write the report /no/such/file: ENOENT'],
  [
    ['--memory', '5M', '--limit', 'memory.max=6M', 'true'],
    'cannot use --limit memory.max: --memory sets memory.max too',
  ],
]

test.each(bad)('run %j is refused with a remedy and status 125, and nothing runs', async (args, message) => {
  const { status, stdout, stderr } = await hutch(['run', ...args])
  expect({ status, stdout }).toEqual({ status: 125, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr).toMatch(/^hutch: .*\n( {2}.*\n)* {2}remedy: .+\n$/)
})

test('a user without root and delegation reads how to get there', async (context) => {
  requires(context, 'root')
  // the checkout may be in a directory that only root may enter: this user gets a copy
  const copy = mkdtempSync(`${tmpdir()}/hutch-copy-`)
  try {
    await collect('sh', ['-c', `cp -r dist build ${copy}; chmod -R a+rX ${copy}`])
    const [file, ...before] = hutchIn(copy)
    const as = (args: string[]) => collect(file, [...before, 'run', ...args], { uid: 65534, gid: 65534, cwd: '/' })
    const limited = await as(['--memory', '50M', '--', 'true'])
    expect(limited).toMatchObject({ status: 125, stdout: '' })
    expect(limited.stderr).toMatch(
      /^hutch: cannot make a group for --memory below .*: user 65534 cannot create groups there\n {2}remedy: run as root, or in a delegated group: systemd-run/,
    )
    // without limits it needs nobody's leave: a user namespace is added
    expect(await as(['--', 'sh', '-c', 'id -u; echo $$'])).toEqual({ status: 0, stdout: '65534\n2\n', stderr: '' })
    expect(await as(['--isolate', 'none', '--', 'echo', 'plain'])).toEqual({ status: 0, stdout: 'plain\n', stderr: '' })
  } finally {
    rmSync(copy, { recursive: true })
  }
})

/** Runs a shell line in a mount namespace of its own; $hutch is the CLI. */
function apart(script: string) {
  return collect('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script], {
    env: { ...process.env, hutch: `${hutchLine}` },
  })
}

test('where cgroups are read-only, a run without limits goes on and one with limits says what to do', async (context) => {
  requires(context, 'root')
  const readOnly =
    'for m in $(grep -o " /[^ ]* cgroup" /proc/self/mounts | cut -d" " -f2); do mount -o remount,bind,ro $m; done;'
  expect(await apart(`${readOnly} $hutch run -- echo plain`)).toEqual({ status: 0, stdout: 'plain\n', stderr: '' })
  const limited = await apart(`${readOnly} $hutch run --memory 50M -- echo plain`)
  expect(limited).toMatchObject({ status: 125, stdout: '' })
  expect(limited.stderr).toMatch(
    /^hutch: cannot make a group below .*: the kernel refused \(EROFS\)\n {2}requested by --memory\n {2}remedy: in a container/,
  )
})

test('a v2 tree without controllers, mounted over all else, is taken for what it is', async (context) => {
  requires(context, 'root', 'v1 controllers', 'a v2 tree')
  const over = 'mount -t cgroup2 none /sys/fs/cgroup;'
  expect(await apart(`${over} $hutch run -- echo plain`)).toEqual({ status: 0, stdout: 'plain\n', stderr: '' })
  const limited = await apart(`${over} $hutch run --memory 50M -- echo plain`)
  expect(limited.stderr).toMatch(
    /^hutch: cannot set --memory: this host has no memory controller in \/sys\/fs\/cgroup\n/,
  )
})

test.each([
  [['--memory', '40M', '--swap', '0', '--pids', '9', '--', 'sh', '-c', 'hutch hog 60M; exit 1']],
  [['--cpus', '0.5', '--timeout', '1s', '--', 'sh', '-c', 'while :; do :; done']],
  [['--isolate', 'none', '--', 'true']],
  [['--', 'no-such-command']],
  [['--pids', '3', '--', 'sh', '-c', 'sleep 1 & sleep 1 & wait; exit 2']],
  [['--', 'sh', '-c', 'kill -KILL $$']],
])('the report of run %j keeps to its schema', async (args) => {
  const path = `${directory}/report.json`
  const { status } = await hutch(['run', '--report', path, ...args])
  const report = JSON.parse(readFileSync(path, 'utf8'))
  validate(report)
  expect(validate.errors).toBe(null)
  expect(report.status).toBe(status)
  await hutch(['run', '--report', path, '--report-version', '1', ...args])
  validateFirst(JSON.parse(readFileSync(path, 'utf8')))
  expect(validateFirst.errors).toBe(null)
})

test.each([
  ['an output without a newline', 'printf hi'],
  ['an output with one', 'echo hi'],
])('--json puts the report on a line of its own behind %s, fd:N on a descriptor', async (_, script) => {
  const args = ['--json', '--report', 'fd:2', '--', 'sh', '-c', `${script}; exit 3`]
  const { status, stdout, stderr } = await hutch(['run', ...args])
  expect([status, stdout.split('\n')[0]]).toEqual([3, 'hi'])
  const last = stdout.trimEnd().split('\n').at(-1)!
  expect(JSON.parse(last)).toMatchObject({ schemaVersion: 2, cause: { kind: 'exited', end: { status: 3 } } })
  expect(stderr.trim()).toBe(last)
})

test.each([
  ['--report', 'fd:99', 125, 'EBADF'],
  ['--report-version', '3', 125, 'no such version'],
])('%s %s is refused, and nothing runs', async (flag, value, status, words) => {
  const ended = await hutch(['run', flag, value, '--', 'echo', 'ran'])
  expect(ended).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(words) })
})

test('a report to a pipe is written there', async () => {
  const { stdout } = await collect('sh', ['-c', `${hutchLine} run --report /dev/stdout -- true | cat`])
  expect(JSON.parse(stdout)).toMatchObject({ command: ['true'], exitCode: 0, reason: 'exit' })
})

test('what --explain prints onto a full disk is told, in words', async () => {
  const words = [...hutchCommand, 'run', '--sandbox', '--explain', 'true']
  expect(await collect('sh', ['-c', '"$@" >/dev/full', '-', ...words])).toEqual({
    status: 125,
    stdout: '',
    stderr: 'hutch: cannot write to standard output: ENOSPC\n  remedy: check that the disk has free space\n',
  })
})

test('--explain runs nothing and prints the operations and the shell lines', async () => {
  const { status, stdout } = await hutch(['run', '--memory', '50M', '--explain', '--', 'touch', `${directory}/touched`])
  expect(status).toBe(0)
  expect(existsSync(`${directory}/touched`)).toBe(false)
  expect(stdout).toMatch(/^outer: around the command\n {3}0 {2}makeGroup/)
  expect(stdout).toMatch(/mount a proc of its own on \/proc/)
  expect(stdout).toMatch(/echo 52428800 > \/.*\/memory\.(max|limit_in_bytes)\n/)
  expect(stdout).toContain(`exec touch ${directory}/touched`)
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGWINCH'] as const)('%s reaches the command', async (signal) => {
  const child = spawn(
    hutchFile,
    [
      ...hutchArgs,
      'run',
      '--',
      'sh',
      '-c',
      `trap "echo got it; exit 6" ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let out = ''
  const status = await new Promise((resolve) => {
    child.on('close', resolve)
    child.stdout.on('data', (data) => {
      if (out === '') child.kill(signal)
      out += data
    })
  })
  expect({ status, out }).toEqual({ status: 6, out: 'ready\ngot it\n' })
})

test('a signal that ends the command from outside is told as such', async () => {
  const child = spawn(hutchFile, [...hutchArgs, 'run', '--', 'sh', '-c', 'echo ready; exec sleep 20'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGTERM'), 50))
  let words = ''
  child.stderr.on('data', (data) => {
    words += data
  })
  const status = await new Promise((resolve) => child.on('close', resolve))
  expect(status).toBe(143)
  expect(words).toContain('interrupted by SIGTERM, which hutch forwarded; sh was killed by SIGTERM')
})

test('stdin goes to the command', async () => {
  expect(await collect('sh', ['-c', `echo through | ${hutchLine} run -- cat`])).toEqual({
    status: 0,
    stdout: 'through\n',
    stderr: '',
  })
})

test('hog touches memory, a dot for every 10 MiB', async () => {
  expect(await hutch(['hog', '35M'])).toEqual({ status: 0, stdout: '....\n', stderr: '' })
  const wrong = await hutch(['hog', 'much'])
  expect(wrong).toMatchObject({ status: 125, stdout: '' })
  expect(wrong.stderr).toContain('not a size or time: much')
})

test('an unknown command is named', async () => {
  expect(await hutch(['rnu'])).toEqual({
    status: 125,
    stdout: '',
    stderr: 'hutch: unknown command rnu\n  remedy: did you mean hutch run?\n',
  })
})
