// SPDX-License-Identifier: Apache-2.0
// What a program that failed by itself may have failed of: the lines that are told by the CLI, the library and pools alike.
import { mkdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPool, type RunOptions, run } from '../../../src/index.ts'
import type { Figure } from '../../../src/verdict/cause.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { hutchLine } from '../../support/command.ts'
import { compileProgram, compileTimeout } from '../../support/compile.ts'
import { workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const faulty = `${work}/faulty`

beforeAll(() => compileProgram('null-write', faulty), compileTimeout)
afterAll(remove)

interface Case {
  title: string
  script: string
  status: number
  words?: string[]
  options?: RunOptions
  figures: Figure[]
  line: RegExp
}

const loopback = { figure: 'denied', by: 'network' } as const
const cases: Case[] = [
  {
    title: 'a child that was killed, though not for memory',
    script: 'sh -c "kill -9 \\$\\$"; exit $?',
    status: 137,
    figures: [{ figure: 'signal status', status: 137, signal: 'SIGKILL' }, { figure: 'no kill' }],
    line: /status .*SIGKILL killed its command\n.*\(oom_kill 0\)/,
  },
  {
    title: 'a program that chooses that status itself',
    script: 'exit 137',
    status: 137,
    figures: [{ figure: 'signal status', status: 137, signal: 'SIGKILL' }, { figure: 'no kill' }],
    line: /\(oom_kill 0\)/,
  },
  {
    title: 'a system call filter',
    script: 'mount -t tmpfs x /mnt || exit 4',
    status: 4,
    words: ['--seccomp', 'strict'],
    options: { seccomp: 'strict' },
    figures: [{ figure: 'denied', by: 'seccomp', value: expect.stringMatching(/^(--)?seccomp strict$/) }],
    line: /--seccomp strict refused.*\n[\s\S]*run it once with --seccomp-report/,
  },
  {
    title: 'no network',
    script: 'exit 5',
    status: 5,
    words: ['--isolate', 'net'],
    options: { isolate: ['net'] },
    figures: [loopback],
    line: /loopback only \(ENETUNREACH\)\n[\s\S]*--network private/,
  },
  {
    title: 'a file that a sandbox does not have',
    script: 'cat /root/x /home/x || exit 6',
    status: 6,
    words: ['--sandbox'],
    options: { sandbox: true },
    figures: [
      { figure: 'denied', by: 'seccomp', value: expect.stringContaining('strict') },
      { figure: 'denied', by: 'root' },
      loopback,
    ],
    line: /does not exist inside \(ENOENT\)\n[\s\S]*--volume/,
  },
]
const added = ['signal status', 'no kill', 'denied', 'fault']

test.each(cases)('$title is told as possible, and the cause stays the exit', async (c) => {
  const words = ['sh', '-c', c.script]
  const plan = c.options ?? {}
  await using pool = await createPool({ size: 1, plan })
  const [cli, library, pooled] = await Promise.all([
    hutch(['run', '--verbose', ...(c.words ?? []), '--', ...words]),
    run(words[0]!, words.slice(1), plan),
    pool.run(words),
  ])
  expect([cli.status, library.status, pooled.status]).toEqual([c.status, c.status, c.status])
  expect(cli.stderr).toMatch(c.line)
  for (const { cause, reason } of [library, pooled]) {
    expect([cause.kind, cause.confidence, reason]).toEqual(['exited', 'certain', 'exit'])
    // other programs of the machine may fault meanwhile
    expect(cause.evidence.filter(({ figure }) => added.includes(figure) && figure !== 'fault')).toEqual(c.figures)
  }
})

test('a job that ends with 0, or without such options, has no such line', async () => {
  for (const [words, status] of [
    [['--sandbox', '--', 'true'], 0],
    [['--', 'sh', '-c', 'exit 3'], 3],
  ] as const)
    expect(await hutch(['run', ...words])).toEqual({ status, stdout: '', stderr: '' })
})

test('without --verbose, one line points to what may have been denied', async () => {
  const ended = await hutch(['run', '--sandbox', '--', 'sh', '-c', 'exit 3'])
  const line = 'hutch: sh exited with status 3; --verbose lists what its restrictions may have denied\n'
  expect(ended).toEqual({ status: 3, stdout: '', stderr: line })
  expect((await hutch(['run', '--quiet', '--sandbox', '--', 'sh', '-c', 'exit 3'])).stderr).toBe('')
})

test('a fault of a child is told from the kernel log, as a fault whose group is unknown', async (context) => {
  requires(context, 'root')
  const words = ['-c', `${faulty} || exit 1`]
  await using pool = await createPool({ size: 1, plan: {} })
  // one after the other: the kernel logs few faults at a time
  for (const end of [() => run('sh', words), () => pool.run(['sh', ...words])]) {
    const { cause } = await end()
    expect([cause.kind, cause.end]).toEqual(['exited', { status: 1, signal: null }])
    expect(cause.evidence).toContainEqual({
      figure: 'fault',
      name: 'faulty',
      pid: expect.any(Number),
      what: 'segfault',
    })
  }
  const { stderr } = await hutch(['run', '--', 'sh', ...words])
  expect(stderr).toMatch(/fault +faulty \(pid \d+\): segfault, while the job ran/)
})

test('a full file system of the host is named, with its free space', async (context) => {
  requires(context, 'root')
  const disk = `${work}/disk`
  // a mount namespace of its own: the host's mounts stay as they are
  const within = (script: string) =>
    collect('unshare', ['--mount', 'sh', '-c', `mount -t tmpfs -o size=1M none ${disk} && ${script}`])
  const fill = `head -c 1M /dev/zero > ${disk}/a; `
  mkdirSync(disk)
  const write = (path: string) => `sh -c 'echo more > ${path}/b'`
  const run = (args: string, path: string) => `exec ${hutchLine} run ${args} -- ${write(path)}`
  const line = new RegExp(`^  full +${disk} \\(tmpfs, 1.0 MiB, 0 B free\\): writes there fail with ENOSPC$`, 'm')
  for (const [args, path] of [
    [`--workdir ${disk}`, disk],
    [`--sandbox --user 0 --volume ${disk}:/data`, '/data'],
  ] as const) {
    expect((await within(fill + run(args, path))).stderr).toMatch(line)
    expect((await within(run(`${args} -q`, path))).stderr).not.toContain('full')
  }
})
