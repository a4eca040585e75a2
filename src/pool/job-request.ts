// SPDX-License-Identifier: Apache-2.0
// Handles a single job of a pool: parses its options into a Spec within the pool's limits, and encodes the request to a
// prestarted sandbox. Pure.

import type { PlannedGroup } from '../cgroup/planned-group.ts'
import { type LimitWrite, translateLimits } from '../cgroup/v1/translate.ts'
import { fail } from '../errors/errors.ts'
import type { Op, Program } from '../ops/ops.ts'
import { resolveAliases } from '../options/aliases.ts'
import { parseEnvironment } from '../options/environment-option.ts'
import { type Limits, refuseNul, refuseUnknown } from '../options/options.ts'
import type { Spec } from '../options/spec.ts'
import { limitRowOf } from '../options/table.ts'
import { addTools, defaultSearchPath, type ToolPath } from '../plan/environment.ts'
import type { Plan } from '../plan/plan.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../text/units.ts'

/** Options of a single job of a pool. Its limits can only be lower than the pool's own limits. */
export interface OrderOptions {
  /** Limits of this job. Each must be at most the pool's limit. By default the pool's limits. */
  limits?: Pick<Limits, 'memory' | 'swap' | 'pids' | 'cpus'>
  /** Time limit in milliseconds, or as text such as `'10s'`, counted from the job's start. By default the pool's `timeout`. */
  timeout?: number | string
  /** CPU time of all processes together, in milliseconds or as text. At most, and by default, the pool's `cpuTime`. */
  cpuTime?: number | string
  /**
   * Maximum size of stdout, and separately of stderr, in bytes or as text such as `'1M'`. At most, and by default, the
   * pool's `maxOutput`.
   */
  maxOutput?: number | string
  /** Changes to the pool's environment. A variable whose value is undefined is removed. None by default. */
  env?: { [name: string]: string | undefined }
  /** Directory in which the command starts, as the job sees it: a path, or a file URL. `cwd` is the same option. The pool's by default. */
  workdir?: string | URL
  /** The same as `workdir`. */
  cwd?: string | URL
}

const lowerable = ['memory', 'swap', 'pids', 'cpus'] as const
const aTime = 'a time such as 10s, 500ms or 2m'

/**
 * Returns the pool's Spec with the values of a single job.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT, COMMAND_MISSING
 */
export function parseOrder(argv: readonly string[], requested: OrderOptions, pool: Spec): Spec {
  if (typeof argv[0] !== 'string' || argv[0] === '')
    throw fail('COMMAND_MISSING', { usage: "pool.run('command', ['argument'], options)" })
  for (const word of argv) refuseNul(word, 'command')
  const options = resolveAliases(requested)
  const { env, limits } = options
  const workdir = options.workdir as string | undefined
  if (workdir !== undefined && (typeof workdir !== 'string' || workdir === '' || workdir.includes('\0')))
    throw fail('OPTION_INVALID', {
      name: 'workdir',
      value: workdir,
      accepted: 'a directory',
    })
  const timeoutMs = lower(options, 'timeout', pool.timeoutMs, parseTime, formatDuration, aTime)
  if (options.cpuTime !== undefined && pool.cpuTimeMs === undefined) throw nothingToLower('cpuTime')
  const cpuTimeMs = lower(options, 'cpuTime', pool.cpuTimeMs, parseTime, formatDuration, aTime)
  const maxOutput = lower(options, 'maxOutput', pool.maxOutput, parseSize, formatSize, 'a size such as 64K or 1M')
  return {
    ...pool,
    command: argv[0],
    args: argv.slice(1),
    timeoutMs: timeoutMs ?? 0,
    ...(cpuTimeMs !== undefined && { cpuTimeMs }),
    ...(maxOutput !== undefined && { maxOutput }),
    ...(limits !== undefined && { limits: lowerLimits(limits, pool.limits) }),
    ...(env !== undefined && { env: { ...pool.env, ...parseEnvironment(env, 'env') } }),
    ...(workdir !== undefined && { workdir }),
  }
}

function parseTime(value: unknown): number | undefined {
  return parseDuration(value, 1) || undefined
}

/** Returns the lower of the pool's limit and the job's limit. 0 or undefined means no limit. */
function lower(
  options: OrderOptions,
  name: 'timeout' | 'cpuTime' | 'maxOutput',
  max: number | undefined,
  parse: (value: unknown) => number | 'max' | undefined,
  format: (value: number) => string,
  accepted: string,
): number | undefined {
  const value = options[name]
  if (value === undefined) return max
  const parsed = parse(value)
  if (parsed === undefined) throw fail('OPTION_INVALID', { name, value, accepted })
  if (max && (parsed === 'max' || parsed > max)) throw raised(name, value, format(max))
  return parsed === 'max' ? undefined : parsed
}

function raised(name: string, value: unknown, max: string) {
  return fail('OPTION_INVALID', {
    name,
    value,
    why: `the pool's plan has ${max}`,
    accepted: 'the same value or a lower one: a job cannot raise a limit of its pool',
  })
}

function nothingToLower(name: string) {
  return fail('OPTION_CONFLICT', {
    name,
    why: 'the pool has no such limit',
    remedy: `give ${name} in the plan of createPool: it is the maximum for each job`,
  })
}

function lowerLimits(limits: OrderOptions['limits'] & object, before: readonly LimitWrite[]): LimitWrite[] {
  refuseUnknown('pool.run', limits, { name: 'limits', keys: lowerable, kind: 'limit' })
  const lowered = new Map<string, LimitWrite>()
  for (const word of lowerable) {
    const value = limits[word]
    if (value === undefined) continue
    const { file, parse, accepted } = limitRowOf[word]
    const origin = `limits.${word}`
    const parsed = parse(value)
    if (parsed === undefined) throw fail('OPTION_INVALID', { name: origin, value, accepted })
    const own = before.find((limit) => limit.file === file)
    if (!own) throw nothingToLower(origin)
    if (amount(file, parsed) > amount(file, own.value)) throw raised(origin, value, `${file} ${own.value}`)
    lowered.set(file, { file, value: parsed, origin })
  }
  return before.map((limit) => lowered.get(limit.file) ?? limit)
}

/** Returns a limit as a number, to compare limits. For cpu.max this is the quota divided by the period. */
function amount(file: string, text: string): number {
  const [first = '', period] = text.split(' ')
  const size = parseSize(first)
  if (size === 'max') return Number.POSITIVE_INFINITY
  return file === 'cpu.max' ? (size ?? 0) / Number(period ?? 100_000) : (size ?? 0)
}

/**
 * Splits a program at the point where a prestarted sandbox waits for a job. `rest` are the operations after that point,
 * which a request contains.
 */
export function waitForOrder({ outer, inner }: Program): { program: Program; rest: Op[] } {
  const rest = inner.filter((op) => op.op === 'exec' || op.op === 'checkStreams' || isNarrow(op))
  return {
    program: {
      outer: outer.flatMap((op): Op[] =>
        op.op === 'wait' ? [{ op: 'watchReady', orders: 1, origin: 'pool' }, op] : [op],
      ),
      inner: [...inner.filter((op) => !rest.includes(op)), { op: 'awaitOrder', origin: 'pool' }],
    },
    rest,
  }
}

/** Returns true for a limit on descriptors (RLIMIT_NOFILE) that is too low to receive the descriptors of a request. */
function isNarrow(op: Op): boolean {
  return op.op === 'setLimit' && op.resource === 7 && op.soft >= 0 && op.soft < 16
}

/**
 * A job of a pool, ready to send: its plan, its program, the writes that lower the limits of its groups, and the
 * encoded request.
 */
interface Order {
  plan: Plan
  program: Program
  writes: Extract<Op, { op: 'writeFile' }>[]
  ops: Op[]
}

/**
 * Creates the request that starts a job in a prestarted sandbox. `toolPath` is the directory of `hutch`, so that
 * commands in the job can call it.
 */
export function makeOrder(
  spec: Spec,
  options: OrderOptions,
  sandbox: { plan: Plan; program: Program; rest: readonly Op[] },
  toolPath: ToolPath,
): Order {
  const { groups, writes } = options.limits
    ? lowerGroups(sandbox.plan, spec.limits)
    : { groups: sandbox.plan.groups, writes: [] }
  const plan: Plan = {
    ...sandbox.plan,
    // use the root of the sandbox's Spec: mounts whose sources are missing on the host were removed from it
    spec: { ...spec, ...(sandbox.plan.spec.root && { root: sandbox.plan.spec.root }) },
    groups,
    argv: [spec.command, ...spec.args],
    ...(options.env && changeEnvironment(sandbox.plan, options.env, toolPath)),
  }
  const { argv, env, searchPath } = plan
  const ops = sandbox.rest.map((op) => (op.op === 'exec' ? { ...op, argv, env, path: searchPath } : op))
  const { workdir } = resolveAliases(options) as { workdir?: string }
  if (workdir !== undefined) ops.unshift({ op: 'changeDirectory', path: workdir, origin: 'workdir' })
  return { plan, program: { outer: sandbox.program.outer, inner: [...sandbox.program.inner, ...ops] }, writes, ops }
}

function changeEnvironment(
  plan: Plan,
  changes: { [name: string]: string | undefined },
  toolPath: ToolPath,
): { env: string[]; searchPath: string } {
  const env = plan.env.filter((entry) => !(entry.slice(0, entry.indexOf('=')) in changes))
  for (const [name, value] of Object.entries(changes))
    if (name !== 'PATH' && value !== undefined) env.push(`${name}=${value}`)
  if (!('PATH' in changes)) return { env, searchPath: plan.searchPath }
  const tools = plan.spec.root?.directory === undefined ? toolPath : {}
  const searchPath = addTools(changes.PATH ?? defaultSearchPath, tools)
  return { env: [...env, `PATH=${searchPath}`], searchPath }
}

/**
 * Returns the groups with the job's limits, and the writes that set them. They are written in the same order as at the
 * sandbox's launch.
 */
function lowerGroups(plan: Plan, limits: readonly LimitWrite[]): { groups: PlannedGroup[]; writes: Order['writes'] } {
  const files = new Set<string>(lowerable.map((word) => limitRowOf[word].file))
  const own = limits.filter(({ file }) => files.has(file))
  const wanted = plan.layout === 'v2' ? own : translateLimits(own)
  const writes: Order['writes'] = []
  const groups = plan.groups.map((group) => ({
    ...group,
    writes: group.writes.map((write) => {
      const now = wanted.find(({ file }) => file === write.file)
      if (!now || now.value === write.value) return write
      const { file, value, origin } = now
      writes.push({ op: 'writeFile', path: `${group.directory}/${file}`, value, origin })
      return { file, value, origin }
    }),
  }))
  return { groups, writes }
}
