// SPDX-License-Identifier: Apache-2.0
// hutch itself is killed at a random moment, over and over: the next run leaves nothing of it.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { hutchArgs, hutchFile } from '../../support/command.ts'
import { killsHutches, leftBy } from '../../support/leaks.ts'
import { repetitions } from '../../support/sample.ts'
import { killAfter } from '../../support/sleeper.ts'

killsHutches()

/** `npm run test:kernels` sets KILLS to 1,000, and to 100 in VMs. */
const rounds = Number(process.env.KILLS ?? repetitions(1000, 40, 10))
/** KILL_SEED repeats the moments and options of an earlier run. */
const seed = Number(process.env.KILL_SEED ?? Date.now() % 2 ** 32)
const batch = 5
/** In the words of this test's commands alone. */
const mark = `4711.${process.pid}`
/** The hutches that were killed. */
const killed = new Set<number>()

test(`${rounds} runs with hutch SIGKILLed at a random moment leave no process, group or mount`, {
  timeout: 1_200_000,
}, async () => {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
  // several at once share the processors, so the longest delay is some runs long: kills fall before, into and after the launch
  const first = await timeOneRun()
  let longest = first
  let launched = 0
  // some kills must have hit a running command, else this tests nothing: on a machine that got slow meanwhile that takes more of them
  const enough = () => launched > rounds / 20
  for (let done = 0; done < rounds || (!enough() && done < 5 * rounds); done += batch) {
    const runs = Array.from({ length: batch }, () => killedRun(random() * longest * 5))
    launched += (await Promise.all(runs)).filter(Boolean).length
    // each time, one short run has to clear up after all of the batch: it is over before it could put that off
    longest = Math.min(await timeOneRun(), 3 * first)
    expect(leftBy(killed), `seed ${seed}`).toEqual([])
    expect(survivors(), `seed ${seed}`).toEqual([])
  }
  expect(enough()).toBe(true)
  expect(readFileSync('/proc/self/mounts', 'utf8')).toBe(mounts)
})

let state = seed
/** Returns a number from 0 to 1 (mulberry32). */
function random(): number {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

async function timeOneRun(): Promise<number> {
  const before = performance.now()
  await end(spawn(hutchFile, [...hutchArgs, 'run', '--memory', '50M', '--', 'true']))
  return performance.now() - before
}

/** Whether the command had been started. */
async function killedRun(after: number): Promise<boolean> {
  const isolate = random() < 0.5 ? 'pid,mount,ipc,uts,cgroup' : 'none'
  const child = spawn(
    hutchFile,
    [
      ...hutchArgs,
      'run',
      '--memory',
      '50M',
      '--pids',
      '9',
      // a hierarchy that the run which clears up does not use
      ...(random() < 0.5 ? ['--cpus', '0.9'] : []),
      '--isolate',
      isolate,
      '--',
      'sh',
      '-c',
      'echo up; sleep "$0"; true',
      mark,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  killed.add(child.pid!)
  return killAfter(child, after)
}

function end(child: ReturnType<typeof spawn>): Promise<unknown> {
  return new Promise((resolve) => child.once('exit', resolve))
}

/** Commands of this test that still run. */
function survivors(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(mark)
    } catch {
      return false
    }
  })
}
