// SPDX-License-Identifier: Apache-2.0
// One job of a pool: its options → a Spec below the pool's, and what its order says to the sandbox that waits. Pure.
import { type LimitWrite, translateLimits } from '../cgroup/v1/translate.ts'
import { fail } from '../errors/errors.ts'
import type { Op, Program } from '../ops/ops.ts'
import { parseEnvironment } from '../options/environment-option.ts'
import { type Limits, refuseNul, refuseUnknown } from '../options/options.ts'
import type { Spec } from '../options/spec.ts'
import { limitRowOf } from '../options/table.ts'
import type { PlannedGroup } from '../plan/groups.ts'
import { type Plan, usualPath } from '../plan/plan.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../text/units.ts'

/** What a job of a pool may say for itself. Its limits lower those of the pool's plan, and raise none. */
export interface OrderOptions {
  /** Each lowers one that the plan has. */
  limits?: Pick<Limits, (typeof lowerable)[number]>
  /** Milliseconds, or a text such as `'10s'`, counted from the order. */
  timeout?: number | string
  /** CPU time of all its processes together; lowers the plan's. */
  cpuTime?: number | string
  /** Bytes, or a text such as `'1M'`, to stdout, and as many to stderr. */
  maxOutput?: number | string
  /** Changes of the plan's environment; undefined takes a variable away. */
  env?: { [name: string]: string | undefined }
  /** Directory in which the command starts. */
  workdir?: string
}

const lowerable = ['memory', 'swap', 'pids', 'cpus'] as const
/** The last four are the pool's own, and not in what comes here. */
const words = ['limits', 'timeout', 'cpuTime', 'maxOutput', 'env', 'workdir', 'stdin', 'stdio', 'signal', 'onEvent']
const aTime = 'a time such as 10s, 500ms or 2m'

/**
 * Returns the pool's Spec with this job's values. @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT, COMMAND_MISSING
 */
export function parseOrder(argv: readonly string[], options: OrderOptions, pool: Spec): Spec {
  refuseUnknown(options, words, '', 'option')
  if (!Array.isArray(argv) || typeof argv[0] !== 'string' || argv[0] === '')
    throw fail('COMMAND_MISSING', { usage: "pool.run(['command', 'argument'], options)" })
  for (const word of argv) refuseNul(word, 'command')
  const { workdir, env, limits } = options
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

/** 0 or undefined means no limit, so every limit is lower. */
function lower(
  options: OrderOptions,
  name: 'timeout' | 'cpuTime' | 'maxOutput',
  most: number | undefined,
  parse: (value: unknown) => number | 'max' | undefined,
  format: (value: number) => string,
  accepted: string,
): number | undefined {
  const value = options[name]
  if (value === undefined) return most
  const parsed = parse(value)
  if (parsed === undefined) throw fail('OPTION_INVALID', { name, value, accepted })
  if (most && (parsed === 'max' || parsed > most)) throw raised(name, value, format(most))
  return parsed === 'max' ? undefined : parsed
}

function raised(name: string, value: unknown, most: string) {
  return fail('OPTION_INVALID', {
    name,
    value,
    why: `the pool's plan has ${most}`,
    accepted: 'the same value or a lower one: a job cannot raise a limit of its pool',
  })
}

function nothingToLower(name: string) {
  return fail('OPTION_CONFLICT', {
    name,
    why: "the pool's plan has no such limit",
    remedy: `give ${name} in the plan of createPool: the most that a job may have`,
  })
}

function lowerLimits(limits: OrderOptions['limits'] & object, before: readonly LimitWrite[]): LimitWrite[] {
  refuseUnknown(limits, [...lowerable], 'limits.', 'limit')
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

/** Of a limit's text: cpu.max is a quota in a period. */
function amount(file: string, text: string): number {
  const [first = '', period] = text.split(' ')
  const size = parseSize(first)
  if (size === 'max') return Number.POSITIVE_INFINITY
  return file === 'cpu.max' ? (size ?? 0) / Number(period ?? 100_000) : (size ?? 0)
}

/** A sandbox of a pool: its program up to the wait, and the ops that an order brings after it. */
export function waitForOrder({ outer, inner }: Program): { program: Program; rest: Op[] } {
  const rest = inner.filter((op) => op.op === 'exec' || op.op === 'checkStreams' || isNarrow(op))
  return {
    program: {
      outer: outer.flatMap((op): Op[] => (op.op === 'wait' ? [{ op: 'watchReady', origin: 'pool' }, op] : [op])),
      inner: [...inner.filter((op) => !rest.includes(op)), { op: 'awaitOrder', origin: 'pool' }],
    },
    rest,
  }
}

/** A limit of descriptors (RLIMIT_NOFILE) below which those of an order could not come in. */
function isNarrow(op: Op): boolean {
  return op.op === 'setLimit' && op.resource === 7 && op.soft >= 0 && op.soft < 16
}

/**
 * One job: the plan and the program of its sandbox with the job's own values, the writes that lower its groups' limits, and its request.
 */
interface Order {
  plan: Plan
  program: Program
  writes: Extract<Op, { op: 'writeFile' }>[]
  ops: Op[]
}

/** `toolPath`: where contained commands find `hutch`. */
export function makeOrder(
  spec: Spec,
  options: OrderOptions,
  sandbox: { plan: Plan; program: Program; rest: readonly Op[] },
  toolPath: string,
): Order {
  const { groups, writes } = options.limits
    ? lowerGroups(sandbox.plan, spec.limits)
    : { groups: sandbox.plan.groups, writes: [] }
  const plan: Plan = {
    ...sandbox.plan,
    // which files of its root are there was found out for this one
    spec: { ...spec, ...(sandbox.plan.spec.root && { root: sandbox.plan.spec.root }) },
    groups,
    argv: [spec.command, ...spec.args],
    ...(options.env && changeEnvironment(sandbox.plan, options.env, toolPath)),
  }
  const { argv, env, searchPath } = plan
  const ops = sandbox.rest.map((op) => (op.op === 'exec' ? { ...op, argv, env, path: searchPath } : op))
  if (options.workdir !== undefined) ops.unshift({ op: 'changeDirectory', path: options.workdir, origin: 'workdir' })
  return { plan, program: { outer: sandbox.program.outer, inner: [...sandbox.program.inner, ...ops] }, writes, ops }
}

function changeEnvironment(
  plan: Plan,
  changes: { [name: string]: string | undefined },
  toolPath: string,
): { env: string[]; searchPath: string } {
  const env = plan.env.filter((entry) => !(entry.slice(0, entry.indexOf('=')) in changes))
  for (const [name, value] of Object.entries(changes))
    if (name !== 'PATH' && value !== undefined) env.push(`${name}=${value}`)
  if (!('PATH' in changes)) return { env, searchPath: plan.searchPath }
  const tools = plan.spec.root?.directory === undefined ? `${toolPath}:` : ''
  const searchPath = tools + (changes.PATH ?? usualPath)
  return { env: [...env, `PATH=${searchPath}`], searchPath }
}

/** The groups with the job's limits, and the writes that this takes, in the order in which they were first written. */
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
