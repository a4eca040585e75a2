// SPDX-License-Identifier: Apache-2.0
// Ends of known cause: each is named rightly, and the remedy, pasted as it is, makes the job pass.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeGroupFile } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import { type Cause, type Job, type RunOptions, run, start, why } from '../../src/index.ts'
import { hutch } from '../cli/hutch.ts'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import type { End } from './end.ts'
import { elsewhere } from './others.ts'
import { attempt, flagsOf, paste } from './paste.ts'
import { ends } from './table.ts'

const directory = mkdtempSync('/var/tmp/hutch-test-ends-')
const kinds = new Map<string, number>()
const rounds = new Map<number, number>()

beforeAll(() => {
  mkdirSync(`${elsewhere}/bin`, { recursive: true })
  for (const [name, line] of [
    ['sh', '#!/bin/sh'],
    ['python3', '#!/usr/bin/python3'],
    ['perl', '#!/usr/bin/perl'],
    ['bin/hutch-test-tool', '#!/bin/sh'],
    ['hutch-test-tool', '#!/bin/sh'],
  ] as const) {
    writeFileSync(`${elsewhere}/${name}`, `${line}\n`)
    chmodSync(`${elsewhere}/${name}`, 0o755)
  }
  copyFileSync('/bin/true', `${elsewhere}/tool`)
})

afterAll(() => {
  for (const path of [directory, elsewhere]) rmSync(path, { recursive: true, force: true })
  const list = (counts: Map<unknown, number>) => [...counts].map(([name, count]) => `${name} ${count}`).join(', ')
  console.log(`ends named rightly: ${list(kinds)}\nremedies applied, by rounds: ${list(rounds)}`)
})

/** What ended it and what held it up: a timeout may be the end of either. */
const kindsOf = ({ kind, side }: End) => (side === undefined ? [kind] : [kind, side])

/** Memory runs out, and the kernel may kill nothing. */
const killsNothing = ({ options: { oomScoreAdj, limits } }: End) =>
  oomScoreAdj === -1000 || (typeof limits === 'object' && 'memory.oom_control' in limits)

test('there are enough of them, of each kind', () => {
  expect(ends.length).toBeGreaterThanOrEqual(200)
  const counts = new Map<string, number>()
  for (const kind of ends.flatMap(kindsOf)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  const expected = [
    ...[
      'exited',
      'oom',
      'fork-refused',
      'timeout',
      'cpu-time',
      'throttled',
      'slowed',
      'space',
      'descriptors',
      'ulimit',
    ],
    ...[
      'output',
      'signal',
      'filter',
      'exec-failed',
      'not-inside',
      'aborted',
      'interrupted',
      'oomd',
      'host-oom',
      'unknown',
    ],
  ]
  expect(expected.filter((kind) => (counts.get(kind) ?? 0) < 6)).toEqual([])
})

type Titled = readonly [title: string, end: End]
const titled = ends.map((end, i): Titled => {
  const kind = killsNothing(end) ? 'oom, nothing killable' : (end.side ?? end.kind)
  return [`${i} ${kind}: ${end.command.join(' ').replace(/\s+/g, ' ').slice(0, 90)}`, end]
})

/**
 * Rows of `npm test`: of those that every host can make one in six on the host alone, of those that need pure v2 or a VM one in eight wherever they
 * can be made. `npm run test:kernels` tries all rows everywhere.
 */
function chosen(): readonly Titled[] {
  if (process.env.WHOLE === '1') return titled
  const needsMore = ([, { needs }]: Titled) => [needs ?? []].flat().some((need) => need === 'v2' || need === 'a VM')
  const [simple, demanding] = [titled.filter((row) => !needsMore(row)), titled.filter(needsMore)]
  const there = sampled(
    demanding.filter(([, { long }]) => !long),
    true,
    8,
  )
  return process.env.VM === undefined ? [...sampled(simple, true, 6), ...there] : there
}

test.for(chosen())('%s', async ([, end], context) => {
  requires(context, ...[end.needs ?? []].flat())
  const { expect } = context
  const before = lastKill()
  const cause = await made(end)
  const named = [cause.kind, ...sidesOf(cause)]
  if (isDeepStrictEqual(named, end.or)) return
  expect(named).toEqual(kindsOf(end))
  // the kernel's own record of a kill, for those who may read it
  const killed = kindsOf(end).some((kind) => kind === 'oom' || kind === 'host-oom') && !killsNothing(end)
  // on v1 hutch itself kills the group of --oom-group, at times before the kernel kills a process of it
  const byHutch = end.options.limits !== 'none' && end.options.limits?.oomGroup === true && readHost().layout !== 'v2'
  if (before !== undefined && killed && !byHutch) expect(lastKill()).not.toBe(before)
  for (const kind of kindsOf(end)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  // what is slow there is tried here
  if (end.rounds !== undefined && (process.env.VM === undefined || end.needs !== undefined)) await cure(end, expect)
})

/** The last record of a kill for memory; undefined if the log cannot be read. */
function lastKill(): string | undefined {
  try {
    return (
      execFileSync('dmesg', { encoding: 'utf8', maxBuffer: 2 ** 26 })
        .split('\n')
        .findLast((line) => line.includes('Killed process')) ?? ''
    )
  } catch {
    return undefined
  }
}

/** In a VM a program takes seconds to begin, and what holds it must come before its time is over. */
function patience({ options, side }: End): RunOptions {
  const comesFirst = side === 'descriptors' || side === 'fork-refused' || side === 'stopped'
  return process.env.VM !== undefined && comesFirst && typeof options.timeout === 'number'
    ? { timeout: options.timeout * 10 }
    : {}
}

async function made(end: End): Promise<Cause> {
  const {
    command: [file, ...args],
    options,
    act,
  } = end
  const slow = process.env.VM === undefined ? 1 : 4
  const timeout = 30_000 * slow
  if (act === undefined)
    return (await run(file, args, { timeout, maxOutput: '1M', ...options, ...patience(end) })).cause
  const job = await start(file, args, { timeout, ...options, stdio: 'ignore' })
  // until it is a program that waits, and no longer hutch or a shell that begins
  await pause(400 * slow)
  const { pid } = job
  await acts[act]?.(job)
  if (acts[act] === undefined) {
    if (end.why) process.kill(pid, act as NodeJS.Signals)
    else job.kill(act as NodeJS.Signals)
  }
  const { cause } = await job.result
  return end.why ? whyGone(pid, end.why) : cause
}

async function whyGone(pid: number, user: 'root' | 'nobody'): Promise<Cause> {
  if (user === 'root') return why(pid).cause
  return JSON.parse((await hutch(['why', '--json', String(pid)], { uid: 65_534 })).stdout).cause
}

const acts: { [act: string]: (job: Job) => unknown } = {
  stop: (job) => job.stop(),
  choose: () => writeFileSync('/proc/sysrq-trigger', 'f'),
  // as systemd-oomd does (oomd_cgroup_kill): it notes that it acts, kills, and notes how many it killed
  oomd: ({ directories: [group] }) => {
    const notes =
      'import os, sys\nfor name in ("oomd_ooms", "oomd_kill"): os.setxattr(sys.argv[1], "user." + name, b"1")'
    execFileSync('python3', ['-c', notes, group!])
    if (writeGroupFile(group!, 'cgroup.kill', '1') !== undefined) throw new Error('cannot kill the group')
  },
}

/** What is certain or likely to have happened beside the end, each kind once. */
const sidesOf = ({ sideEvents }: Cause) => [
  ...new Set(sideEvents.filter(({ confidence }) => confidence !== 'unknown').map(({ kind }) => kind)),
]

/** Applies the remedy of each attempt to the next, until the job passes. */
async function cure({ command, options, rounds: allowed }: End, expect: Expect): Promise<void> {
  let flags = flagsOf(options as RunOptions, directory)
  let ended = await attempt(flags, command)
  expect(ended.status, `without the remedy: ${ended.stderr}`).not.toBe(0)
  const tried: string[] = []
  for (let round = 1; round <= allowed!; round++) {
    tried.push(`${flags.flat().join(' ')}: ${ended.remedy}`)
    const cured = await paste(ended.remedy, flags)
    if (cured === undefined) break
    flags = cured
    ended = await attempt(flags, command)
    if (ended.status === 0) {
      rounds.set(round, (rounds.get(round) ?? 0) + 1)
      return
    }
  }
  expect.fail(`no remedy makes it pass:\n${tried.join('\n')}\n${ended.stderr}`)
}

type Expect = typeof expect
