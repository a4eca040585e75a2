// SPDX-License-Identifier: Apache-2.0
// Checks the advice for a workload against its need: the smallest limit at which it passes 20 of 20. Needs the real kernel.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect } from 'vitest'
import type { Advice } from '../../src/advise/advice.ts'
import { type Baseline, baselineOf, judgeTrial } from '../../src/advise/judge-trial.ts'
import { runTrial, type Trial, type TrialLimits, type Workload } from '../../src/advise/trial.ts'
import { begin } from '../cli/hutch.ts'
import { hutchArgs, hutchFile } from '../support/command.ts'
import { compile } from '../support/compile.ts'
import { bisectionRuns } from './bisection.ts'

/** The short workloads: the arguments of workload.c. */
export const shortWorkloads: readonly { name: string; args: (file: string) => string[] }[] = [
  { name: 'a hog', args: () => ['hog', '80'] },
  { name: 'two phases, of which the second needs more', args: () => ['phases', '30', '60'] },
  { name: 'a leak', args: () => ['leak', '40'] },
  { name: 'a reader of much page cache that needs little', args: (file) => ['cache', file, '8'] },
  { name: 'memory that two processes share', args: () => ['share', '50'] },
  { name: 'a tree of processes', args: () => ['tree', '3', '4'] },
]

const mib = 2 ** 20
const page = 4096
const tries = 20
const slowdown = 0.05

/** Compiles the workloads and makes a file for those that read one. Returns their paths, and a function that removes them. */
export function makeWorkloads(): { directory: string; program: string; file: string; remove(): void } {
  const directory = mkdtempSync(`${tmpdir()}/hutch-advise-`)
  const [program, file] = [`${directory}/workload`, `${directory}/file`]
  compile(program, ['test/advise/workload.c'], ['-O2', '-static', '-pthread'])
  // written to the disk at once, so that its pages can be dropped
  writeFileSync(file, Buffer.alloc(24 * mib, 'workload'), { flush: true })
  return { directory, program, file, remove: () => rmSync(directory, { recursive: true }) }
}

/** The advice of the command line, as JSON. */
export async function advise(argv: readonly string[], ...flags: string[]): Promise<Advice> {
  const { status, stdout, stderr } = await begin(hutchFile!, [
    ...hutchArgs,
    'advise',
    '--json',
    ...flags,
    '--',
    ...argv,
  ]).ended
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout) as Advice
}

/** Runs the workload once; `usualMs` is its time without limits. */
async function tryOnce(workload: Workload, limits: TrialLimits, usualMs?: number): Promise<Trial> {
  const { signal } = new AbortController()
  return runTrial(workload, 'probe', limits, { signal, showsErrors: false, swaps: false, usualMs })
}

/** Returns the first outcome of up to 20 runs that is not `passed`; `passed` if all pass. */
async function outcomeOf(workload: Workload, limits: TrialLimits, baseline: Baseline, atOnce: number): Promise<string> {
  for (let i = 0; i < tries; i += atOnce) {
    const trials = await Promise.all(
      Array.from({ length: atOnce }, () => tryOnce(workload, limits, baseline.durationMs)),
    )
    const other = trials.map((trial) => judgeTrial(trial, baseline, slowdown)).find((outcome) => outcome !== 'passed')
    if (other !== undefined) return other
  }
  return 'passed'
}

/** Runs of hutch's search and of bisection, for the comparison at the end of a file. */
export interface RunCount {
  name: string
  search: number
  bisection: number
}

/** What a check needs of a workload. */
interface Check {
  name: string
  workload: Workload
  advice: Advice
  /** How far the advice may be above the need, as a share; or 2 MiB. */
  above: number
  /** Runs at the same time. */
  atOnce?: number
}

/** Returns the highest limit below the advice that must not pass, and outcomes at limits. */
async function prepare({ workload, advice, above, atOnce = 4 }: Check) {
  const limit = advice.resources.memoryLimit!
  const trials = [await tryOnce(workload, {}), await tryOnce(workload, {}), await tryOnce(workload, {})]
  const baseline = baselineOf(trials)
  return {
    limit,
    lower: Math.floor(Math.min(limit / (1 + above), limit - 2 * mib) / page) * page,
    outcomeAt: async (memory: number) => (memory < mib / 8 ? 'oom' : outcomeOf(workload, { memory }, baseline, atOnce)),
  }
}

/** Checks that the workload passes 20 of 20 at the advised limit, and does not below what the advice may be above the need. */
export async function checkAdvice(check: Check): Promise<RunCount> {
  const { limit, lower, outcomeAt } = await prepare(check)
  expect([check.name, 'below', await outcomeAt(lower)]).not.toEqual([check.name, 'below', 'passed'])
  expect([check.name, 'at', await outcomeAt(limit)]).toEqual([check.name, 'at', 'passed'])
  return countRuns(check)
}

/** Finds the need, the smallest limit in steps of 2 % that passes 20 of 20, and checks that the advice is near it. */
export async function checkNeed(check: Check): Promise<RunCount> {
  const { limit, lower, outcomeAt } = await prepare(check)
  const limitOf = (step: number) => Math.floor(limit / 1.02 ** step / page) * page
  const known = new Map<number, boolean>()
  const passesAt = async (step: number) => {
    if (!known.has(step)) known.set(step, (await outcomeAt(limitOf(step))) === 'passed')
    return known.get(step)!
  }
  expect([check.name, 'at', await passesAt(0)]).toEqual([check.name, 'at', true])
  let [enough, failed] = [0, 4]
  for (; await passesAt(failed); failed *= 2) enough = failed
  while (failed - enough > 1) {
    const middle = Math.floor((enough + failed) / 2)
    if (await passesAt(middle)) enough = middle
    else failed = middle
  }
  // where runs differ, a limit below one that failed can pass: the need is found when two steps below it fail
  for (let below = 1; below <= 2; below++)
    if (await passesAt(enough + below)) {
      enough += below
      below = 0
    }
  const need = limitOf(enough)
  console.log(`${check.name}: need ${need}, advice ${limit}, ${((limit / need - 1) * 100).toFixed(1)} % above`)
  expect(need, check.name).toBeGreaterThanOrEqual(lower)
  return countRuns(check)
}

/** Counts the runs of both sides: with the runs without limits, and the last one at the answer. */
function countRuns({ name, advice: { memory, sure } }: Check): RunCount {
  return { name, search: sure.runs, bisection: sure.measured + bisectionRuns(memory!.need, memory!.peak) + 1 }
}

/** Checks that the search took on the mean at most 0.6 of bisection's runs. */
export function checkCounts(counts: readonly RunCount[]): void {
  const mean = counts.reduce((sum, { search, bisection }) => sum + search / bisection, 0) / counts.length
  expect(mean, JSON.stringify(counts)).toBeLessThanOrEqual(0.6)
}
