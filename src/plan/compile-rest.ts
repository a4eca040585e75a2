// SPDX-License-Identifier: Apache-2.0
// Compiles the operations of a Plan that follow the command's start: watches, the wait, reading figures, and removing
// groups. Can also compile them as a program for another process. Pure.
import { endFiles, reportRows } from '../cgroup/controllers/report-rows.generated.ts'
import { daemonNote, memoryEventsFile, memoryKillFile, memorySwapFiles } from '../cgroup/memory.ts'
import { pidsLevelFile } from '../cgroup/pids.ts'
import type { PlannedGroup } from '../cgroup/planned-group.ts'
import { controllerOf } from '../cgroup/v1/translate.ts'
import type { Op, Program } from '../ops/ops.ts'
import type { Spec } from '../options/spec.ts'
import type { Plan } from './plan.ts'
import { clonedKinds, countsForksByLevel, reaps, staysOutside } from './processes.ts'

/** A running process. The start time, in clock ticks as in proc_pid_stat(5), distinguishes it from a later process with the same pid. */
interface RunningProcess {
  pid: number
  started: number
}

/**
 * Compiles a program for another process, from a plan whose `rest` is `'nobody'`. That process takes over the command,
 * waits for its end and reads the figures. With `removes`, it also kills the processes left in the groups and removes
 * the groups. Otherwise the groups stay, as for a container.
 */
export function compileRest(plan: Plan, process: RunningProcess, removes = !keepsGroup(plan.spec)): Program {
  const adopt: Op = { op: 'adopt', ...process, origin: 'run' }
  const watches = [...levelReads(plan), ...watchOps(plan, [], false)]
  return { outer: [adopt, ...watches, ...waitOps(plan), ...endOps(plan, removes)], inner: [] }
}

/** Returns true if the job's group stays after the job's end. */
export function keepsGroup({ group }: Spec): boolean {
  return group !== undefined && 'name' in group && group.lifetime === 'container'
}

/**
 * Returns the operations that read the memory events of the groups above the job's, before and after the run. An
 * increase shows which group reached its limit. v1 has no such events, so its figures are read only if a kill must be
 * explained.
 */
export function levelReads({ layout, groups, ancestors }: Plan): Op[] {
  if (layout === 'v2') return ancestors.map(({ directory }) => read(`${directory}/${memoryEventsFile}`))
  if (groups.some(({ controller }) => controller === 'memory')) return []
  return ancestors.slice(0, 1).map(({ directory }) => read(`${directory}/${memoryKillFile.v1}`))
}

/**
 * Returns the operations from the start of the child up to the wait for its end. The child runs already, and does not
 * wait for them.
 */
export function waitOps(plan: Plan): Op[] {
  const { groups, spec } = plan
  const limit: Op[] =
    spec.cpuTimeMs === undefined
      ? []
      : [
          {
            op: 'limitCpu',
            limitMs: spec.cpuTimeMs,
            extraMs: spec.extraTimeMs ?? 0,
            file: cpuTimeFile(plan),
            origin: 'cpuTime',
          },
        ]
  return [
    ...limit,
    ...forkReads(plan),
    {
      op: 'wait',
      timeoutMs: spec.timeoutMs,
      killAfterMs: spec.killAfterMs,
      stopSignal: spec.stopSignal,
      reaps: reaps(plan) || Number(staysOutside(plan)),
      procs: procsOf(groups),
      killFile: killFileOf(groups),
      origin: 'timeout',
    },
  ]
}

/**
 * Returns the operations after the command's end. With `removes`, they kill the processes left in the job's groups and
 * remove the groups.
 */
export function endOps(plan: Plan, removes: boolean): Op[] {
  const { groups, layout } = plan
  const ops: Op[] = []
  // the kernel kills all processes of a pid namespace when its PID 1 ends, but other processes may enter a container's group
  if (removes && groups.length > 0 && (keepsGroup(plan.spec) || !clonedKinds(plan).includes('pid')))
    ops.push({ op: 'killGroup', procs: procsOf(groups), killFile: killFileOf(groups), origin: 'run' })
  ops.push(...groups.flatMap((group) => figureFiles(group, layout)).map(read))
  ops.push(...levelReads(plan), ...forkReads(plan))
  ops.push(
    ...groups
      .flatMap((group) => [
        ...limitFiles(group, layout),
        ...(layout === 'v2' ? [`${group.directory}/${daemonNote}`] : []),
      ])
      .map((path): Op => ({ op: 'readIfFailed', path, origin: 'usage' })),
  )
  if (!removes) return ops
  for (const group of [...groups].reverse()) {
    ops.push({ op: 'removeGroup', path: group.directory, shared: 0, origin: 'run' })
    for (const path of [...group.madeParents].reverse())
      ops.push({ op: 'removeGroup', path, shared: 1, origin: 'parent' })
  }
  return ops
}

function procsOf(groups: readonly PlannedGroup[]): string[] {
  return groups.map((group) => `${group.directory}/cgroup.procs`)
}

function killFileOf(groups: readonly PlannedGroup[]): string {
  const unified = groups.find((group) => group.controller === '')
  return unified ? `${unified.directory}/cgroup.kill` : ''
}

function forkReads(plan: Plan): Op[] {
  const levels = countsForksByLevel(plan) ? plan.ancestors : []
  return levels.map(({ directory }) => read(`${directory}/${pidsLevelFile}`))
}

function read(path: string): Op {
  return { op: 'readFile', path, origin: 'usage' }
}

/** Returns the operations that watch for out-of-memory events: in the groups of `late`, or with `ofLate` false in all others. */
export function watchOps(plan: Plan, late: readonly PlannedGroup[], ofLate: boolean): Op[] {
  const groups = plan.groups.filter((group) => late.includes(group) === ofLate)
  return groups.flatMap((group): Op[] => {
    const watch = (file: string): Op => ({ op: 'watchFile', path: `${group.directory}/${file}`, origin: 'events' })
    if (group.controller === '') return plan.layout === 'v2' ? [watch('memory.events'), watch('pids.events')] : []
    if (group.controller === 'pids') return [watch('pids.events')]
    if (group.controller !== 'memory') return []
    // v1 reports that a group is out of memory, but not how many processes were killed. The event is therefore watched
    // only if hutch must kill the whole group.
    if (!plan.spec.limits.some((limit) => limit.file === 'memory.oom.group' && limit.value === '1')) return []
    const unified = plan.groups.find((other) => other.controller === '')!
    return [{ op: 'watchOom', group: group.directory, kill: `${unified.directory}/cgroup.kill`, origin: 'oomGroup' }]
  })
}

/** Returns the file in which the kernel counts the job's CPU time: cpu.stat on v2, otherwise cpuacct.usage. */
function cpuTimeFile({ groups }: Plan): string {
  const unified = groups.find((group) => group.controller === '')
  if (unified) return `${unified.directory}/cpu.stat`
  const counting =
    groups.find((group) => group.controller === 'cpuacct') ?? groups.find((group) => group.controller === 'cpu')
  return `${counting!.directory}/cpuacct.usage`
}

/**
 * Returns the files of a group that a report's figures are read from, for its controllers. If the kernel lacks a file,
 * the figure is missing.
 */
function figureFiles({ controller, directory, writes }: PlannedGroup, layout: Plan['layout']): string[] {
  const swap = controller === 'memory' && writes.some((write) => write.file.includes('.memsw.'))
  const key = `${layout} ${controller} ${swap}`
  const names = knownFigures.get(key) ?? namesOfFigures(controller, layout, swap)
  knownFigures.set(key, names)
  return names.map((file) => `${directory}/${file}`)
}

const knownFigures = new Map<string, readonly string[]>()

function namesOfFigures(controller: string, layout: Plan['layout'], swap: boolean): string[] {
  const rows = reportRows.filter(({ live }) => !live)
  const files =
    controller === ''
      ? rows.filter((row) => layout === 'v2' || row.controller === '').map(({ v2 }) => v2.file)
      : rows.flatMap(({ v1 }) => (v1 && controllerOf(v1.file) === controller ? [v1.file] : []))
  return [...new Set([...files, ...(swap ? memorySwapFiles : [])])]
}

/**
 * Returns the files of limits, which another process may have changed during the run. Also returns memory.stat, whose
 * count of pages read again after reclaim shows a lack of memory.
 */
function limitFiles({ controller, directory, writes }: PlannedGroup, layout: Plan['layout']): string[] {
  if (controller === '' && layout !== 'v2') return []
  const names = knownLimits.get(controller) ?? namesOfLimits(controller)
  knownLimits.set(controller, names)
  return names
    .filter(([name, always]) => always || writes.some(({ file }) => file === name))
    .map(([name]) => `${directory}/${name}`)
}

const knownLimits = new Map<string, readonly [name: string, always: boolean][]>()

function namesOfLimits(controller: string): [name: string, always: boolean][] {
  const names = Object.entries(controller === '' ? endFiles.v2 : endFiles.v1)
  return names.filter(([name]) => controller === '' || controllerOf(name) === controller)
}
