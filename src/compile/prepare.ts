// SPDX-License-Identifier: Apache-2.0
// Turns a Spec into the contents of a compiled file: the plan of a future process, and every text that its end may need.

import { controllerOf } from '../cgroup/v1/translate.ts'
import { fail } from '../errors/errors.ts'
import { type Parent, readParent } from '../host/parent-group.ts'
import { findObstacles } from '../host/privileges.ts'
import { type Op, ops, type Program, rowOf } from '../ops/ops.ts'
import { explainByLimits } from '../options/limit-causes.ts'
import type { Spec } from '../options/spec.ts'
import { compilePlan } from '../plan/compile.ts'
import { makePlan, type Plan, type PlanFacts } from '../plan/plan.ts'
import { clonesTime } from '../plan/processes.ts'
import { type LaunchHooks, readPlanFacts } from '../run/launch.ts'
import { explainRefusal } from '../run/op-errors.ts'
import { systemConstants } from '../system/constants.ts'
import { encodeRows, endRows, heldRows } from '../verdict/decide.ts'
import { explainErrno } from '../verdict/exec-failure.ts'
import { execErrnos } from '../verdict/exec-words.ts'
import { type Compiled, type CompiledRefusal, groupPlaceholder, ownPlaceholder, slots } from './file-format.ts'
import { compiledWordsOf } from './words.ts'

const [first, second] = slots

/**
 * Prepares a compiled file from a Spec, without the options of `hutch compile` itself. `recompile` replaces the program made from the Spec,
 * for example by that of bwrap, and handles the environment itself.
 * @throws as `prepare`, OPTION_CONFLICT
 */
export function prepareCompiled(
  spec: Spec,
  { recompile, filter }: LaunchHooks = {},
): Omit<Compiled, 'flags' | 'explained'> {
  refuseProcesses(spec)
  refuseNetwork(spec)
  refusePlaceholder(spec)
  const planFacts = belowCaller(spec, readPlanFacts(spec, filter))
  const planned = makePlan(spec, ofAnyStart(planFacts))
  // no controllers are enabled by the program: each start finds its own parent group and enables them there
  // (native/compiled/place-groups.c)
  const plan = {
    ...planned,
    groups: planned.groups.map((one) => (isPlaced(one.parent) ? { ...one, enable: [] } : one)),
  }
  // leave out the ancestors: the verdict of a compiled file does not distinguish between them
  const compiled = compilePlan({ ...plan, ancestors: [] })
  const program = recompile
    ? recompile(plan, compiled)
    : spec.env.PATH === undefined && !spec.sandbox
      ? withoutPath(compiled)
      : compiled
  // a program that creates no group needs no properties of groups
  const grouped = program.outer.some(({ op }) => op === 'makeGroup')
  const facts = [...hostFacts(plan, planFacts), ...(grouped ? groupFacts(planned, program, planFacts) : [])]
  return {
    program,
    refusals: refusalsOf(program, plan),
    words: compiledWordsOf(plan, program),
    rows: [encodeRows(endRows), encodeRows(heldRows)],
    facts,
  }
}

/**
 * Removes PATH from the environment of the command, so that each start uses its caller's PATH. The search path of the exec stays, for a
 * caller without PATH.
 */
function withoutPath(program: Program): Program {
  const change = (op: Op): Op =>
    op.op === 'exec' ? { ...op, env: op.env.filter((entry) => !entry.startsWith('PATH=')) } : op
  return { ...program, inner: program.inner.map(change) }
}

/**
 * Places the groups of a job of root below the group of each start's caller. The group of the process that compiles need not exist at that
 * time.
 */
function belowCaller({ parent }: Spec, facts: PlanFacts): PlanFacts {
  const { host } = facts
  if (parent !== undefined || host.uid !== 0 || host.home !== undefined) return facts
  const atRoot = <H extends { mount: string }>(hierarchy: H) => ({ ...hierarchy, own: hierarchy.mount })
  const roots = {
    ...host,
    ...(host.unified && { unified: atRoot(host.unified) }),
    v1: Object.fromEntries(Object.entries(host.v1).map(([name, hierarchy]) => [name, atRoot(hierarchy)])),
  }
  const placed = (name: string): Parent => {
    const parent = readParent(roots, name)
    return {
      ...parent,
      directory: `${parent.directory}/${ownPlaceholder}${name}`,
      type: undefined,
      processes: [],
      ...(parent.inherit && { inherit: { 'cpuset.cpus': ownPlaceholder, 'cpuset.mems': ownPlaceholder } }),
    }
  }
  const own = Object.entries(host.v1).map(([name, { mount }]) => [
    name,
    { mount, own: `${mount}/${ownPlaceholder}${name}` },
  ])
  // no share here: it would be that of the compiling process's group, and each start compares its own
  return {
    ...facts,
    host: { ...host, v1: Object.fromEntries(own) },
    share: undefined,
    parents: new Map([...facts.parents.keys()].map((name) => [name, placed(name)])),
  }
}

function isPlaced(directory: string): boolean {
  return directory.includes(`/${ownPlaceholder}`)
}

/** Removes facts that apply only to this process. For example, controllers that are enabled now may be disabled after a reboot. */
function ofAnyStart(facts: PlanFacts): PlanFacts {
  const parents = new Map(
    [...facts.parents].map(([name, parent]) => [
      name,
      {
        ...parent,
        levels: parent.levels.map((level) => ({ ...level, enabled: parent.writable ? [] : level.enabled })),
      },
    ]),
  )
  const owner = { pid: 0, startTime: '0', pidNamespace: '0' }
  return { ...facts, host: { ...facts.host, owner }, parents, env: [], toolPath: {}, serial: 0 }
}

/** Refuses namespaces of process ids: at a later start, other processes may have these ids. */
function refuseProcesses({ joins }: Spec): void {
  const join = joins.find(({ path }) => /^\/proc\/(\d+|self)\//.test(path))
  if (join)
    throw fail('OPTION_CONFLICT', {
      name: '--join',
      why: `the process behind ${join.path} does not exist at a later start`,
      remedy: 'name a permanent file, such as net=/run/netns/web, or leave it out',
    })
}

/** Refuses networks that hutch must connect: when a compiled file starts, hutch is not there to connect them. */
function refuseNetwork({ network }: Spec): void {
  if (network)
    throw fail('OPTION_CONFLICT', {
      name: '--network',
      why: `a compiled file cannot connect a network${network.publish.length > 0 ? ', which --publish takes' : ''}`,
      remedy: 'use hutch run, --network none, or --join of a permanent network, such as net=/run/netns/web',
    })
}

function refusePlaceholder({ parent }: Spec): void {
  if (parent?.split('/').some((part) => part === groupPlaceholder || part.startsWith(ownPlaceholder)))
    throw fail('CGROUP_PARENT_INVALID', {
      value: parent,
      why: `${groupPlaceholder} and ${ownPlaceholder} stand for groups of each start`,
      origin: '--parent',
    })
}

function hostFacts(plan: Plan, { privileges }: PlanFacts): Compiled['facts'] {
  return [
    ['kernel', clonesTime(plan) ? '6.3' : plan.spec.root ? '5.12' : '5.11'],
    ['user', String(privileges.uid)],
    ['group', String(privileges.gid)],
    ['capabilities', BigInt(`0x${privileges.permitted}`).toString(16)],
  ]
}

/** Returns the properties by which native/compiled/place-groups.c places the groups of a start. */
function groupFacts(plan: Plan, program: Program, facts: PlanFacts): Compiled['facts'] {
  const { host } = facts
  const { groups, spec } = plan
  const places = groups.map(({ controller, parent, madeParents }): [string, string] => {
    const { mount } = controller === '' ? host.unified! : host.v1[controller]!
    return [controller === '' ? 'cgroup2' : 'cgroup', isPlaced(parent) || madeParents.length > 0 ? mount : parent]
  })
  const text = JSON.stringify(program)
  const used = ['', ...Object.keys(host.v1)].filter((name) => RegExp(`/${ownPlaceholder}${name}(?![a-z_])`).test(text))
  const owners = used.map((name): [string, string] => [
    `${ownPlaceholder}${name}`,
    (name === '' ? host.unified! : host.v1[name]!).mount,
  ])
  return [...places, ...owners, ...(owners.length > 0 ? wishes(groups, spec) : [])]
}

/** Returns what a start needs from its groups: the v2 controllers for limits and for counters, and on v1 the share of CPU time. */
function wishes(groups: Plan['groups'], { limits }: Spec): Compiled['facts'] {
  const requested = new Set(limits.map(({ file }) => controllerOf(file)))
  const enable = groups.flatMap((group) => group.enable.flatMap((level) => level.controllers))
  const list = (needed: boolean) =>
    [...new Set(enable)].filter((name) => requested.has(name) === needed).map((name) => `+${name}`)
  const cpus = limits.find(({ file }) => file === 'cpu.max')
  const facts: Compiled['facts'] = [
    ['enable', list(true).join(' ')],
    ['account', list(false).join(' ')],
    [cpus?.origin.endsWith('sandbox)') ? 'share' : 'cpu.max', cpus?.value ?? ''],
  ]
  return facts.filter(([, value]) => value !== '')
}

/** Numbers of the parts of an operation that have messages of their own: see run/mount-errors.ts. */
const parts = {
  whole: 0,
  source: 1,
  target: 2,
  attach: 5,
  process: 8,
  'read only': 9,
  'no suid': 10,
  'no dev': 11,
  'no exec': 12,
} as const
type PartError = readonly [part: keyof typeof parts, errno: keyof typeof systemConstants.errno]
const commonErrors: readonly PartError[] = [
  ['whole', 'ENOENT'],
  ['whole', 'EACCES'],
  ['whole', 'EPERM'],
  ['whole', 'EBUSY'],
  ['whole', 'EROFS'],
  ['whole', 'EINVAL'],
  ['whole', 'ENOSPC'],
  ['source', 'ENOENT'],
  ['source', 'ENOTDIR'],
  ['source', 'EACCES'],
  ['target', 'ENOENT'],
  ['target', 'EROFS'],
  ['target', 'ELOOP'],
  ['target', 'ENOTDIR'],
  ['target', 'EACCES'],
  ['attach', 'ENOTDIR'],
  ['attach', 'EISDIR'],
]
/** Further errors, for a source whose mount has flags that cannot be removed. */
const kept: readonly PartError[] = [
  ['read only', 'EROFS'],
  ['no suid', 'EPERM'],
  ['no dev', 'EPERM'],
  ['no exec', 'EPERM'],
]

/** Returns the errors of an operation that can have messages of their own. The job's limits can refuse some operations. */
function errorsOf(op: Op): readonly PartError[] {
  const byLimits = Object.keys(rowOf(op).limits ?? {}) as (keyof typeof systemConstants.errno)[]
  // the texts for a refused execve are those of execErrnos: its other part is the start of the process
  if (op.op === 'exec') return byLimits.map((errno) => ['process', errno])
  const common = 'absent' in op && op.absent > 0 ? [...commonErrors, ...kept] : commonErrors
  const isNew = (errno: string) => !common.some(([part, other]) => part === 'whole' && errno === other)
  return [...common, ...byLimits.filter(isNew).map((errno): PartError => ['whole', errno])]
}

function refusalsOf(program: Program, plan: Plan): CompiledRefusal[] {
  const cover = (section: 'outer' | 'inner') => (op: Op, step: number) => {
    const text = (errno: string, part: number) =>
      `hutch: ${explainRefusal(op, errno, plan, findObstacles, part).message.replaceAll(groupPlaceholder, second)}\n`
    const part = op.op === 'exec' ? parts.process : parts.whole
    const any = text(first, part)
    const found: CompiledRefusal[] = [{ section, step, part, errno: 0, text: any }]
    // one message is enough for these frequent operations: hutch itself chooses their paths
    if (op.op === 'coverPath' || op.op === 'makeLink') return found
    for (const [part, errno] of errorsOf(op)) {
      const words = text(errno, parts[part])
      if (words === any.replaceAll(first, errno)) continue
      // leave out the message for a part if it equals that for the whole operation
      if (parts[part] !== found[0]!.part && words === text(errno, parts.whole)) continue
      found.push({ section, step, part: parts[part], errno: systemConstants.errno[errno]!, text: words })
    }
    return found
  }
  const never = new Set(['readFile', 'readIfFailed', 'wait', 'killGroup'])
  const refusable = (list: Op[], section: 'outer' | 'inner') =>
    list.flatMap((op, step) => (never.has(op.op) ? [] : cover(section)(op, step)))
  // the file of the command is unknown at compile time; ENOENT has a text of its own
  const step = program.inner.findIndex(({ op }) => op === 'exec')
  const execs = execErrnos.flatMap((errno): CompiledRefusal[] => {
    const number = (systemConstants.errno as { [name: string]: number })[errno]
    if (step < 0 || number === undefined || errno === 'ENOENT') return []
    const { headline, evidence, remedy } = explainErrno(
      plan.argv[0]!,
      errno,
      plan.searchPath,
      plan.spec,
      explainByLimits(ops.exec.limits?.[errno], plan.spec),
    )
    const lines = evidence.map(([label, text]) => `  ${label.padEnd(12)} ${text}\n`).join('')
    const text = `hutch: ${headline}\n${lines}  remedy       ${remedy}\n`
    return [{ section: 'inner', step, part: 0, errno: number, text }]
  })
  return [...refusable(program.outer, 'outer'), ...refusable(program.inner, 'inner'), ...execs]
}
