// SPDX-License-Identifier: Apache-2.0
// Runs bwrap with limits: the groups, figures and verdict of `hutch run` around bubblewrap's program. Loaded by bwrap.ts only if limits are
// requested.
import { fail, type HutchError } from '../../errors/errors.ts'
import type { Program } from '../../ops/ops.ts'
import { parseOptions } from '../../options/options.ts'
import type { Spec } from '../../options/spec.ts'
import type { Plan } from '../../plan/plan.ts'
import { execError } from '../../run/exec-facts.ts'
import { startSpec } from '../../run/job.ts'
import { native } from '../../system/native.ts'
import { writeStderr } from '../../system/stderr.ts'
import { ensureScope } from '../../systemd/own-scope.ts'
import { parseCount, parseCpus, parseDuration, parseSize } from '../../text/units.ts'
import { formatVerdict, wantsColor } from '../../verdict/format-result.ts'
import { describeOuter } from '../../verdict/outer-limit-words.ts'
import { describe, isWorthTelling } from '../../verdict/words.ts'
import { deniedBySandbox } from './denied.ts'
import { bwrapNames } from './names.ts'
import { type BwrapLaunch, type BwrapPlan, compileBwrap } from './program.ts'
import type { BwrapRequest } from './request.ts'

/**
 * Runs the program in control groups with limits. Returns the program's exit status, or 124 after a timeout.
 *
 * @throws OPTION_INVALID, CGROUP_*, SYSTEMD_*, and the errors of each step
 */
export async function runLimited(
  plan: BwrapPlan,
  launch: BwrapLaunch,
  limits: BwrapRequest['limits'],
  started: (pid: number) => void,
): Promise<number> {
  const [command = ''] = launch.words
  const spec = limitedSpec(launch.words, limits)
  await ensureScope(spec, bwrapNames)
  native().holdSignals()
  let refused: HutchError | undefined
  const job = startSpec(spec, {
    stdio: 'inherit',
    execFailed: (failure, errno) => {
      refused = execError(failure, command, errno)
    },
    recompile: (groups, program) => combine(groups, program, plan, launch),
  })
  job.forwardSignals()
  const outer = describeOuter(job.outerLimits)
  if (outer !== undefined) writeStderr(`hutch: ${outer}\n`)
  started(job.pid)
  const result = await job.result
  if (refused) throw refused
  if (isWorthTelling(result.cause)) {
    const described = { ...result, verdict: describe(result.cause, 'bwrap') }
    writeStderr(formatVerdict(described, { color: wantsColor(process.stderr), verbose: false }))
  } else if (result.cause.kind === 'exited') {
    const denied = deniedBySandbox(plan, result.status)
    if (denied !== undefined) writeStderr(denied)
  }
  return result.status
}

/** Returns the Spec that `hutch run` has for the same limits. @throws OPTION_INVALID */
export function limitedSpec(words: readonly string[], { timeout, ...limits }: BwrapRequest['limits']): Spec {
  for (const [name, value] of Object.entries({ timeout, ...limits })) checkLimit(name as LimitName, value)
  const [command = '', ...args] = words
  const options = { limits, isolate: 'none' as const, ...(timeout !== undefined && { timeout }) }
  const spec = parseOptions(command, args, options, 'cli')
  for (const limit of spec.limits) limit.origin = limit.origin.replace('--', '--hutch-')
  return spec
}

type LimitName = keyof BwrapRequest['limits']

const parsers: { [name in LimitName]: [parse: (value: string) => unknown, accepted: string] } = {
  memory: [parseSize, 'a size above 0, such as 512M, or max'],
  pids: [parseCount, 'a number above 0, or max'],
  cpus: [parseCpus, 'a number above 0, such as 0.5, or max'],
  timeout: [(value) => parseDuration(value, 1000), 'a time such as 10s, 500ms or 2m'],
}

/** Checks a limit. Errors name the option of `hutch bwrap`. */
function checkLimit(name: LimitName, value: string | undefined): void {
  const [parse, accepted] = parsers[name]
  if (value === undefined || parse(value) !== undefined) return
  const both = `--hutch-${name} or HUTCH_${name.toUpperCase()}`
  throw fail('OPTION_INVALID', { name: both, value, accepted })
}

/** Returns the outer operations of a run with groups. The start and the inner section are those of bubblewrap. */
export function combine(groups: Plan, program: Program, plan: BwrapPlan, launch: BwrapLaunch): Program {
  const unified = groups.groups.find(({ controller }) => controller === '')
  const joins = program.inner.flatMap((op) => (op.op === 'joinGroup' ? [op.path] : []))
  const own = compileBwrap(plan, { ...launch, joins, ...(unified && { group: unified.directory }) })
  const start = own.outer.filter(({ op }) => op !== 'wait')
  const outer = program.outer.flatMap((op) =>
    op.op === 'spawn' ? start : op.op === 'wait' ? [{ ...op, reaps: Number(plan.stays) }] : [op],
  )
  return { outer, inner: own.inner }
}
