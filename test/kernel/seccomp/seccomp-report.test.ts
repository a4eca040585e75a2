// SPDX-License-Identifier: Apache-2.0
// Refused system calls by name, with their arguments, live; and profiles that are learnt. On the real kernel.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type JobEvent, type RunOptions, run } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { compileProgram } from '../../support/compile.ts'
import { requires } from '../../support/requires.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
  compileProgram('refused-calls', `${folder}/calls`, '-pthread')
  execFileSync('chmod', ['-R', 'a+rX', folder])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const told = async (words: string[], options: RunOptions = {}) => {
  const events: JobEvent[] = []
  const result = await run(`${folder}/calls`, words, {
    seccomp: 'strict',
    seccompReport: true,
    ...options,
    onEvent: (event) => events.push(event),
  })
  const refused = result.seccomp?.refused.map(({ pid: _pid, ...call }) => call)
  return { ...result, refused, live: events.flatMap(({ refusal }) => refusal ?? []) }
}
const EPERM = '1'

test('a refused call is told with its arguments, its program and the rule, while it runs and at the end', async () => {
  const { stdout, refused, seccomp, live } = await told(['mount', 'socket', 'mount'])
  expect(stdout).toBe(EPERM.repeat(3))
  expect(refused).toEqual([
    {
      call: 'mount',
      args: '"none", "/tm\\x1bp", "tmpfs", MS_NOSUID|MS_NODEV',
      program: 'calls',
      answer: 'EPERM',
      rule: 'strict: mounts',
      count: 2,
    },
    {
      call: 'socket',
      args: 'AF_VSOCK, SOCK_STREAM, 0',
      program: 'calls',
      answer: 'EPERM',
      rule: 'strict: only local sockets, TCP and UDP; netlink for the list of addresses that getifaddrs(3) reads',
      count: 1,
    },
  ])
  expect(live.map(({ call, pid }) => [call, pid > 1])).toEqual([
    ['mount', true],
    ['socket', true],
  ])
  expect(live[0]!.pid).toBe(seccomp!.refused[0]!.pid)
})

test('arguments that point nowhere are told as unknown, and refused all the same', async () => {
  const { stdout, refused } = await told(['bad'])
  expect([stdout, refused!.map(({ call, args }) => [call, args])]).toEqual([EPERM, [['mount', '?, ?, ?, 0']]])
})

test('the answers are the profile’s, with its place, and what it lets through is not told', async () => {
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      { names: ['getppid'], action: 'SCMP_ACT_ALLOW' },
      { names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: 97, args: [{ index: 0, value: 40, op: 'SCMP_CMP_EQ' }] },
      { names: ['mount', 'sendmsg', 'seccomp'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 },
    ],
  }
  for (const init of [true, false]) {
    const { stdout, refused } = await told(['socket', 'mount'], { seccomp, init })
    expect(stdout).toBe('9795')
    expect(refused!.map(({ call, answer, rule }) => [call, answer, rule])).toEqual([
      ['socket', 'EAFNOSUPPORT', 'syscalls[1]'],
      ['mount', 'EOPNOTSUPP', 'syscalls[2]'],
    ])
  }
})

test('a call that ends the program is told, and then ends it, also where it ignores the signal', async () => {
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['unshare'], action: 'SCMP_ACT_KILL_PROCESS' }],
  }
  const ends = async (words: string[], options: RunOptions = {}) => {
    const { signal, stdout, refused, verdict } = await told(words, { seccomp, ...options })
    return [
      signal,
      stdout,
      refused!.map(({ call, answer }) => `${call} ${answer}`),
      /killed by seccomp/.test(verdict.headline),
    ]
  }
  expect(await ends(['unshare'])).toEqual(['SIGSYS', '', ['unshare killed'], true])
  expect(await ends(['ignore', 'unshare'])).toEqual(['SIGKILL', '', ['unshare killed'], true])
  // its name looks like the field that says which signals it handles
  expect(await ends(['forge', 'unshare'])).toEqual(['SIGKILL', '', ['unshare killed'], true])
  // PID 1 of a namespace takes no SIGSYS
  expect(await ends(['unshare'], { init: false })).toEqual(['SIGKILL', '', ['unshare killed'], true])
})

test('threads and children are told, each call once', async () => {
  const { refused, exitCode } = await told(['threads', 'children'])
  expect(exitCode).toBe(0)
  expect(refused!.filter(({ call }) => call !== 'clone3')).toEqual([
    expect.objectContaining({ call: 'unshare', args: 'CLONE_NEWNS', count: 4 * 100 + 20 * 10 }),
  ])
})

test('a flood is counted, and takes no memory', async () => {
  const before = process.memoryUsage().rss
  const { refused, live } = await told(['flood'])
  expect([refused!.map(({ count }) => count), live.length]).toEqual([[20_000], 1])
  expect(process.memoryUsage().rss - before).toBeLessThan(32 * 2 ** 20)
  const { seccomp, live: kinds } = await told(['kinds'])
  expect([seccomp!.refused.length, seccomp!.others, kinds.length]).toEqual([256, 1000 - 256, 256])
})

test('a caller that does not listen keeps nothing open: the call is refused all the same', async () => {
  const spin = run(`${folder}/calls`, ['flood', 'unshare'], { seccomp: 'strict', seccompReport: true })
  const until = Date.now() + 200
  while (Date.now() < until);
  expect((await spin).stdout).toBe(EPERM)
})

test('in a sandbox, and as a user without any rights', async (context) => {
  const { stdout, refused } = await told(['mount'], { sandbox: { mounts: [{ volume: `${folder}:${folder}:ro` }] } })
  expect([stdout, refused!.map(({ call }) => call)]).toEqual([EPERM, ['mount']])
  requires(context, 'root', 'setpriv(1)')
  const args = ['--seccomp', 'strict', '--seccomp-report', '--', `${folder}/calls`, 'mount', 'mount']
  const other = await runAs(65534, args)
  expect(other.stdout).toBe(EPERM.repeat(2))
  expect(other.stderr.replace(/pid \d+/, 'pid N')).toBe(
    String.raw`hutch: refused mount("none", "/tm\x1bp", "tmpfs", MS_NOSUID|MS_NODEV) of calls (pid N): EPERM; strict: mounts
hutch: refused 2 times: mount("none", "/tm\x1bp", "tmpfs", MS_NOSUID|MS_NODEV) of calls
`,
  )
})

test('without a filter there is nothing to tell, and a compiled file tells nothing', async () => {
  expect((await hutch(['run', '--seccomp-report', '--', 'true'])).stderr).toBe(
    [
      'hutch: cannot use --seccomp-report: there is no filter, so no system call is refused',
      '  remedy: add --seccomp: default, strict, or a file',
      '',
    ].join('\n'),
  )
  const compiled = await hutch(['compile', '--output', `${folder}/no`, '--seccomp-report', '--', 'true'])
  expect(compiled.stderr).toContain('a compiled file does not report refused calls')
})

test('a profile that was learnt runs the same again, and refuses what was not done', async () => {
  const profile = `${folder}/learnt.json`
  const learn = ['run', '--learn', profile, '--', `${folder}/calls`, 'threads-not', 'socket']
  expect((await hutch(learn)).status).toBe(0)
  const { syscalls, ...rest } = JSON.parse(readFileSync(profile, 'utf8'))
  expect(rest).toEqual({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures: [process.arch === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'],
  })
  expect(syscalls[0].names).toEqual([...syscalls[0].names].sort())
  expect(syscalls[0].names).toEqual(expect.arrayContaining(['execve', 'exit_group', 'mmap', 'socket', 'write']))
  expect(syscalls[0].names).not.toContain('unshare')
  const again = await hutch(['run', '--seccomp', profile, '--', `${folder}/calls`, 'socket', 'unshare'])
  expect(again).toMatchObject({ status: 0, stdout: expect.stringMatching(new RegExp(`${EPERM}$`)) })
  // a file that is there is kept
  const before = readFileSync(profile, 'utf8')
  expect((await hutch(learn)).stderr).toBe(
    `hutch: cannot write the profile ${profile}: EEXIST\n  remedy: give --learn another file, or --force to replace it\n`,
  )
  expect(readFileSync(profile, 'utf8')).toBe(before)
  expect((await hutch(['run', '--force', ...learn.slice(1)])).status).toBe(0)
  expect(existsSync(`${profile}.${process.pid}`)).toBe(false)
  // nor is a good one replaced when nothing ran
  const kept = readFileSync(profile, 'utf8')
  expect((await hutch(['run', '--force', '--learn', profile, '--', `${folder}/none`])).status).toBe(127)
  expect((await hutch(['run', '--force', '--learn', profile, '--', folder])).status).toBe(126)
  expect(readFileSync(profile, 'utf8')).toBe(kept)
})

test('a pipe or device is written to, never replaced by a profile', async () => {
  const pipe = `${folder}/pipe`
  execFileSync('mkfifo', [pipe])
  const reader = collect('cat', [pipe])
  expect((await hutch(['run', '--learn', pipe, '--', 'true'])).stderr).toContain('EEXIST')
  expect(await hutch(['run', '--force', '--learn', pipe, '--', 'true'])).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(statSync(pipe).isFIFO()).toBe(true)
  expect(JSON.parse((await reader).stdout).defaultAction).toBe('SCMP_ACT_ERRNO')
  expect((await hutch(['run', '--learn', '/nope/x', '--', 'true'])).stderr).toContain(
    'cannot write the profile /nope/x',
  )
})

test('what is learnt is not refused, so no filter stands beside it', async () => {
  const result = await run(`${folder}/calls`, ['unshare'], { learn: true, isolate: 'all' })
  expect([result.stdout, 'seccomp' in result]).toEqual([process.getuid!() === 0 ? '0' : result.stdout, false])
  expect((result.learned as { syscalls: { names: string[] }[] }).syscalls[0]!.names).toContain('unshare')
  await expect(run('true', [], { learn: true, seccomp: 'strict' })).rejects.toMatchObject({ code: 'OPTION_CONFLICT' })
  await expect(run('true', [], { learn: true, seccompReport: true })).rejects.toMatchObject({ code: 'OPTION_CONFLICT' })
})
