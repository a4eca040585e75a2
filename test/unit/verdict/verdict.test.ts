// SPDX-License-Identifier: Apache-2.0
// The verdict in words.
import { expect, test } from 'vitest'
import { codes, fail } from '../../../src/errors/errors.ts'
import type { RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { explainRefusal } from '../../../src/run/op-errors.ts'
import { formatVerdict } from '../../../src/verdict/format-result.ts'
import type { Outcome } from '../../../src/verdict/outcome.ts'
import { isWorthTelling } from '../../../src/verdict/words.ts'
import { end } from '../ended-job.ts'
import { hybrid, plan, v1, v2 } from '../hosts.ts'

const oomKilled = {
  'memory.peak': '52428800\n',
  'memory.events': 'max 382\noom 10\noom_kill 10\n',
  'memory.events.local': 'max 382\noom 10\noom_kill 10\n',
}

test.each([
  ['exit', { commandStatus: 3 << 8 }, { reason: 'exit', exitCode: 3, signal: null, status: 3 }],
  [
    'a fault',
    { commandStatus: 11 },
    { reason: 'signal', signal: 'SIGSEGV', signalFrom: 'inside', exitCode: null, status: 139 },
  ],
  ['a core dump', { commandStatus: 11 | 0x80 }, { reason: 'signal', signal: 'SIGSEGV', status: 139 }],
  [
    'a signal that was sent through hutch',
    { commandStatus: 15, sent: new Set([15]) },
    { reason: 'signal', signal: 'SIGTERM', signalFrom: 'outside', status: 143 },
  ],
  [
    'PID 1 killed',
    { commandStatus: -1, ownStatus: 9 },
    { reason: 'signal', signal: 'SIGKILL', signalFrom: 'outside', status: 137 },
  ],
  ['an unknown sender', { commandStatus: 9 }, { reason: 'signal', signalFrom: 'unknown' }],
  ['a real-time signal', { commandStatus: 40 }, { signal: 'signal 40', status: 168 }],
  [
    'a timeout',
    { commandStatus: 15, stopCause: 'timeout' as const },
    { reason: 'timeout', status: 124, signalFrom: 'outside' },
  ],
  ['an abort', { commandStatus: 0, stopCause: 'aborted' as const }, { reason: 'aborted', status: 0 }],
  [
    'not found',
    { ownStatus: 125 << 8, commandStatus: -1, execError: 'ENOENT' },
    { reason: 'not-found', exitCode: 127, status: 127 },
  ],
  [
    'not executable',
    { ownStatus: 125 << 8, commandStatus: -1, execError: 'EACCES' },
    { reason: 'not-executable', status: 126 },
  ],
  [
    'a missing interpreter',
    {
      ownStatus: 125 << 8,
      commandStatus: -1,
      execError: 'ENOENT',
      interpreterMissing: true,
    },
    { reason: 'not-executable', status: 126 },
  ],
])('%s is told as what it is', (_, outcome, expected) => expect(end(v2, {}, outcome)).toMatchObject(expected))

test('out of memory by its own limit, in the words of the verdict', () => {
  const result = end(v2, { limits: { memory: '50M' } }, { commandStatus: 137 << 8 }, oomKilled)
  expect(result).toMatchObject({
    reason: 'oom',
    exitCode: 137,
    status: 137,
    events: [{ at: 1500, kind: 'oom-kill', count: 10 }],
  })
  expect(formatVerdict(result, { color: false, verbose: false })).toMatchInlineSnapshot(`
    "hutch: 10 processes were killed (OOM): memory.max (50.0 MiB) was reached; job exited with status 137
      memory.max   50.0 MiB   peak 50.0 MiB   limit hit 382 times   oom_kill 10
      whose limit  the job's own
      remedy       measure how much it needs: run it once with limits: { memory: '4G' }, and read usage.memoryPeak of its result
    "
  `)
  expect(formatVerdict(result, { color: true, verbose: true })).toContain('\x1b[1;31mhutch: 10 processes')
})

test('kills that the command survived well are told, but are not the reason', () => {
  const result = end(v2, { limits: { memory: '50M' } }, {}, oomKilled)
  expect([result.reason, isWorthTelling(result.cause)]).toEqual(['exit', true])
})

const whose = (result: ReturnType<typeof end>) => Object.fromEntries(result.verdict.evidence)['whose limit']
const killedAbove = { 'memory.events': 'oom_kill 1\n', '1/memory.events.local': 'oom 0\n' }

test('the level whose count of out-of-memory situations grew is named', () => {
  const below = { directory: '/cg/a', levels: [{ directory: '/cg/a', enabled: ['memory', 'pids'] }] }
  const grew = end(
    v2,
    { parent: 'a' },
    { commandStatus: 9 },
    { ...killedAbove, 'a/memory.events.local': 'oom 5\n' },
    { 'a/memory.events.local': 'oom 4\n' },
    below,
  )
  expect(whose(grew)).toBe('a group above: /cg/a')
  const same = end(
    v2,
    { parent: 'a' },
    { commandStatus: 9 },
    { ...killedAbove, 'a/memory.events.local': 'oom 4\n' },
    { 'a/memory.events.local': 'oom 4\n' },
    below,
  )
  expect(whose(same)).toBe('none: the host ran out of memory')
})

test('on v1 the level whose peak stands at its limit is named', () => {
  const control = { 'memory.oom_control': 'under_oom 0\noom_kill 1\n' }
  const own = end(
    hybrid,
    { limits: { memory: '50M' } },
    { commandStatus: 9 },
    { ...control, 'memory.max_usage_in_bytes': '52428800\n' },
  )
  expect(whose(own)).toBe("the job's own")
  const host = end(
    hybrid,
    { limits: { memory: '50M' } },
    { commandStatus: 9 },
    { ...control, 'memory.max_usage_in_bytes': '1000000\n' },
  )
  expect(whose(host)).toBe('none: the host ran out of memory')
})

test('pids and throttling have their lines', () => {
  const result = end(
    v2,
    { limits: { pids: 5, cpus: 0.5 } },
    { commandStatus: 254 << 8 },
    {
      'pids.peak': '5\n',
      'pids.events': 'max 2\n',
      'cpu.stat': 'usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 10\nnr_throttled 9\nthrottled_usec 400000\n',
    },
  )
  expect(result.reason).toBe('pids')
  expect(result.verdict.headline).toBe('2 forks were refused: pids.max (5) was reached; job exited with status 254')
  expect(result.verdict.evidence).toEqual([
    ['pids.max', '5   peak 5   refused 2 times'],
    ['cpu.max', '50000 100000   throttled in 90 % of periods (9 of 10), 400 ms in all'],
    ['whose limit', "the job's own"],
    ['not certain', 'the kernel does not record why a program ends; see its own output'],
  ])
})

test('without a v2 tree, what was waited for counts as CPU time', () => {
  expect(end(v1, {}, {}).usage).toMatchObject({ cpuUsec: 7, userUsec: 3, systemUsec: 4 })
})

test('a refused step is told with its option, what errno means there, and a remedy', () => {
  const made = plan(v2, { limits: { memory: '4K' } })
  const [, write] = compilePlan(made).outer
  expect(
    explainRefusal(write!, 'EBUSY', made, () => []).message,
  ).toBe(`cannot set memory.max to 4096 in /cg/hutch-42-777-4026531836-1: the kernel refused (EBUSY)
  requested by limits.memory
  the group already uses more, and nothing more could be reclaimed
  remedy: set a higher limit`)
  for (const op of [...compilePlan(made).outer, ...compilePlan(made).inner])
    for (const errno of ['EPERM', 'EINVAL', 'ENOSPC', 'EXYZ'])
      expect(explainRefusal(op, errno, made, () => []).message).toMatch(
        new RegExp(`\\(${errno}\\)[^]*\n {2}remedy: .+$`),
      )
})

test('an error carries its facts', () => {
  const error = fail('FILE_REFUSED', { what: 'write', path: '/x', errno: 'EROFS', remedy: 'mount it' })
  expect(error.toJSON()).toEqual({
    code: 'FILE_REFUSED',
    message: 'cannot write /x: EROFS\n  remedy: mount it',
    errno: 'EROFS',
    path: '/x',
    value: undefined,
    operation: undefined,
    remedy: 'mount it',
  })
  expect(new Set(codes()).size).toBe(codes().length)
})

test('what the kernel counts for nobody is named, with the option that raises it', () => {
  const options = {
    isolate: 'all',
    dev: true,
    mounts: [{ tmpfs: '/a:size=4M,nr_inodes=10' }, { tmpfs: '/b' }],
  } as const
  const used = (fullSpaces: number, fullTables = 0, tableLimit = 0) => ({
    used: { fullSpaces, fullTables, tableLimit },
  })
  const told = (outcome: Partial<Outcome>) => {
    const { reason, verdict } = end(v2, options, outcome)
    return [reason, verdict.headline, ...verdict.evidence.map((line) => line.join(': ')), verdict.remedy]
  }
  expect(told({ commandStatus: 1 << 8, ...used(1) })).toEqual([
    'space',
    '/a was full; job exited with status 1',
    'tmpfs /a: full   size 4.0 MiB   10 files',
    "make it larger with mounts: [{ tmpfs: '/a:size=8M' }]; or check what the program writes there",
  ])
  expect(told({ commandStatus: 1 << 8, ...used(6) }).slice(1, 4)).toEqual([
    '/dev was full; job exited with status 1',
    'tmpfs /dev: full   size 64.0 MiB',
    'tmpfs /dev/shm: full   size 64.0 MiB',
  ])
  expect(told(used(1))[0]).toBe('exit')
  expect(told({ commandStatus: 15, stopCause: 'timeout', ...used(0, 2, 64) })).toEqual([
    'timeout',
    expect.stringContaining('timed out'),
    'nofile: 64   2 processes had no free file descriptor',
    'raise the limit with ulimits: { nofile: 128 }; or check what the program keeps open',
  ])
})

test('a signal that holds a limit of each process names it, if there is one', () => {
  const headline = (commandStatus: number, ulimits: RunOptions['ulimits']) =>
    end(v2, { ulimits: ulimits! }, { commandStatus }).verdict.headline
  expect(headline(25, { fsize: 65_536 })).toBe(
    'job tried to make a file larger than ulimit fsize (64.0 KiB); job was killed by SIGXFSZ',
  )
  expect(headline(24, { cpu: 3 })).toBe('job used more CPU time than ulimit cpu (3 s); job was killed by SIGXCPU')
  expect(headline(25, { fsize: 'unlimited' })).toBe('job was killed by SIGXFSZ, which the program itself caused')
})
