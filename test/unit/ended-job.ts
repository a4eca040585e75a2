// SPDX-License-Identifier: Apache-2.0
// The result of a job from given figures, without running it.
import type { Host } from '../../src/host/host.ts'
import type { RunOptions } from '../../src/options/options.ts'
import { compilePlan } from '../../src/plan/compile.ts'
import { conclude } from '../../src/verdict/conclude.ts'
import type { Outcome } from '../../src/verdict/outcome.ts'
import type { Result } from '../../src/verdict/result.ts'
import { plan } from './hosts.ts'

/** Returns the result of a job. `files` are the texts of kernel files at its end, `before` those before its start. */
export function end(
  host: Host,
  options: RunOptions,
  outcome: Partial<Outcome>,
  files: Record<string, string> = {},
  before: Record<string, string> = {},
  parent = {},
): Result {
  const made = plan(host, options, parent)
  const program = compilePlan(made)
  const spawn = program.outer.findIndex((op) => op.op === 'spawn')
  const figures = new Map<number, string>()
  for (const [step, op] of program.outer.entries()) {
    if (op.op !== 'readFile') continue
    const texts = step < spawn ? before : files
    const key = Object.keys(texts).find((name) => op.path.endsWith(name))
    if (key) figures.set(step, texts[key]!)
  }
  const defaults: Outcome = {
    durationMs: 1500,
    commandStatus: 0,
    ownStatus: 0,
    killed: false,
    oomNoticed: false,
    sent: new Set(),
    forwarded: new Set(),
    readLate: () => undefined,
    spareMemory: () => 8 * 2 ** 30,
    hostCpus: () => 2,
    userUsec: 3,
    systemUsec: 4,
    maxRss: 0,
    voluntary: 0,
    forced: 0,
    figures,
    used: { fullSpaces: 0, fullTables: 0, tableLimit: 0 },
    events: [],
  }
  return conclude(made, program, { ...defaults, ...outcome })
}
