// SPDX-License-Identifier: Apache-2.0
// Ten bombs at once in sandboxes, two of each kind: this process stays responsive, each verdict names the limit that held,
// and nothing is left.
import { mkdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunOptions, run } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { buildProgram } from '../../escape/attempt.ts'
import { compileTimeout } from '../../support/compile.ts'
import { hostMounts, workplace } from '../../support/image.ts'
import { watchBlocking } from '../../support/late.ts'
import { children, leftGroups } from '../../support/leaks.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
beforeAll(() => {
  mkdirSync(`${work}/bin`)
  buildProgram(`${work}/bin/attempt`)
}, compileTimeout)
afterAll(remove)

const seconds = 10
const bombs: [kind: string, words: string[], reason: string, told: [label: string, text: RegExp], remedy: RegExp][] = [
  [
    'fork',
    ['endless-fork'],
    'timeout',
    ['pids.max', /^512 .*refused \d+ times$/],
    /^raise the limit.* limits: \{ pids: 1024 \}/,
  ],
  [
    'memory',
    ['endless-memory'],
    'timeout',
    ['memory.max', /^256\.0 MiB .*oom_kill \d+$/],
    /^measure how much it needs: run it once with limits: \{ memory: '\d+[MG]' \}/,
  ],
  [
    'descriptors',
    ['endless-open'],
    'timeout',
    ['nofile', /^4096 .*\d process(es)? had no free file descriptor$/],
    /^raise the limit with ulimits: \{ nofile: \d+ \}/,
  ],
  ['disk', ['endless-disk', '/tmp'], 'timeout', ['tmpfs /tmp', /^full {3}size 64\.0 MiB/], /tmpfs: '\/tmp:size=/],
  [
    'output',
    ['endless-output'],
    'output',
    ['memory.max', /./],
    /^measure how much it prints: run it once without maxOutput/,
  ],
]

test('ten bombs at once are held, told of, and gone', { timeout: 120_000 }, async (context) => {
  requires(context, 'root', 'not a VM')
  const options: RunOptions = {
    sandbox: true,
    // a fifth of a processor needs more than ten seconds for the sandbox's own 1 GiB
    limits: { memory: '256M' },
    timeout: `${seconds}s`,
    killAfter: '500ms',
    // a busy machine may need more than ten seconds for the sandbox's own 64 MiB
    maxOutput: '8M',
    mounts: [{ volume: `${work}/bin:/bombs:ro` }, { tmpfs: '/tmp:size=64M,nr_inodes=1000' }],
  }
  const stop = watchBlocking()
  const ended = await Promise.all([...bombs, ...bombs].map(([, words]) => run('/bombs/attempt', words, options)))
  const blocked = stop()
  for (const [i, { reason, verdict, durationMs }] of ended.entries()) {
    const [kind, , expected, [label, text], remedy] = bombs[i % bombs.length]!
    const told = { kind, reason, label: new Map(verdict.evidence).get(label), remedy: verdict.remedy }
    expect(told).toEqual({
      kind,
      reason: expected,
      label: expect.stringMatching(text),
      remedy: expect.stringMatching(remedy),
    })
    if (reason === 'timeout') expect(durationMs).toBeGreaterThanOrEqual(seconds * 1000)
  }
  expect(blocked).toBeLessThan(250)
  const groups = leftGroups().filter((group) => group.includes(`/hutch-${process.pid}-`))
  const mounts = hostMounts()
    .split('\n')
    .filter((line) => line.includes(work))
  expect({ groups, children: children(), mounts }).toEqual({ groups: [], children: [], mounts: [] })
})

/** What ends by itself is told as well, as far as it can be known. */
test('a full file system, and a file that is too long, are told', async (context) => {
  requires(context, 'root')
  const slow = process.env.VM ? { timeout: '10m' } : {}
  const shell = (script: string, options: RunOptions) =>
    run('/bin/sh', ['-c', script], { sandbox: true, ...slow, ...options })
  const full = await shell('cat /dev/zero > /tmp/full', { mounts: [{ tmpfs: '/tmp:size=1M' }] })
  expect(full).toMatchObject({ reason: 'space', judge: 'RE', status: 1 })
  expect(full.verdict).toMatchObject({
    headline: '/tmp was full; sh exited with status 1',
    evidence: expect.arrayContaining([['tmpfs /tmp', 'full   size 1.0 MiB']]),
    remedy: expect.stringContaining('/tmp:size='),
  })
  const well = await shell('cat /dev/zero > /tmp/full; exit 0', { mounts: [{ tmpfs: '/tmp:size=1M' }] })
  expect(well.reason).toBe('exit')
  const shared = await shell('cat /dev/zero > /dev/shm/full', { ulimits: { fsize: 'unlimited' } })
  expect(shared.verdict.evidence).toContainEqual(['tmpfs /dev/shm', 'full   size 64.0 MiB'])
  const long = await shell('exec cat /dev/zero > /tmp/long', { ulimits: { fsize: 65536 } })
  expect(long).toMatchObject({ signal: 'SIGXFSZ', judge: 'OLE' })
  expect(long.verdict).toMatchObject({
    headline: 'sh tried to make a file larger than ulimit fsize (64.0 KiB); sh was killed by SIGXFSZ',
    remedy: 'raise the limit with ulimits: { fsize: 131072 }',
  })
})

test('a compiled file tells of a full file system, too', async () => {
  const file = `${work}/compiled`
  const full = 'cat /dev/zero > /dev/shm/full; exit 3'
  const words = [
    '--sandbox',
    '--tmpfs',
    '/tmp:size=1M',
    '--ulimit',
    'fsize=unlimited',
    '-o',
    file,
    '--',
    '/bin/sh',
    '-c',
  ]
  expect((await hutch(['compile', ...words, full])).stderr).toBe('')
  const { status, stderr } = await collect(file, [])
  expect(status).toBe(3)
  expect(stderr).toContain('hutch: /dev/shm was full; sh exited with status 3\n  remedy       make it larger')
})

test('what tells that it is full does not keep it from being unmounted inside', async (context) => {
  requires(context, 'root')
  const unmount = 'umount /dev/shm && umount /tmp && echo unmounted'
  const { stdout, stderr } = await run('/bin/sh', ['-c', unmount], { dev: true, mounts: [{ tmpfs: '/tmp:size=1M' }] })
  expect({ stdout, stderr }).toEqual({ stdout: 'unmounted\n', stderr: '' })
})
