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

const mib = 2 ** 20
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

const options = () => ({ signal: new AbortController().signal, showsErrors: false, swaps: false })

async function tryOnce(workload: Workload, limits: TrialLimits): Promise<Trial> {
  return runTrial(workload, 'probe', limits, options())
}

/** Returns the first outcome of up to 20 runs that is not `passed`; `passed` if all pass. */
async function outcomeOf(workload: Workload, limits: TrialLimits, baseline: Baseline, atOnce: number): Promise<string> {
  for (let i = 0; i < tries; i += atOnce) {
    const trials = await Promise.all(Array.from({ length: atOnce }, () => tryOnce(workload, limits)))
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

/**
 * Checks that the workload passes 20 of 20 at the advised limit, and that a limit below by more than `above` (a share, or 2 MiB) does
 * not; `atOnce` runs at the same time. The need is then between the two. Both sides of the comparison count the runs without limits and the last one at the answer.
 */
export async function checkAdvice(
  name: string,
  workload: Workload,
  advice: Advice,
  above: number,
  atOnce = 4,
): Promise<RunCount> {
  const { memory, resources, sure } = advice
  const limit = resources.memoryLimit!
  const baseline = baselineOf([await tryOnce(workload, {}), await tryOnce(workload, {}), await tryOnce(workload, {})])
  const lower = Math.min(limit / (1 + above), limit - 2 * mib)
  const atLower =
    lower < mib / 8 ? 'oom' : await outcomeOf(workload, { memory: Math.floor(lower / 4096) * 4096 }, baseline, atOnce)
  expect([name, 'below', atLower]).not.toEqual([name, 'below', 'passed'])
  expect([name, 'at', await outcomeOf(workload, { memory: limit }, baseline, atOnce)]).toEqual([name, 'at', 'passed'])
  return { name, search: sure.runs, bisection: sure.measured + bisectionRuns(memory!.need, memory!.peak) + 1 }
}

/** Checks that the search took on the mean at most 0.6 of bisection's runs. */
export function checkCounts(counts: readonly RunCount[]): void {
  const mean = counts.reduce((sum, { search, bisection }) => sum + search / bisection, 0) / counts.length
  expect(mean, JSON.stringify(counts)).toBeLessThanOrEqual(0.6)
}
