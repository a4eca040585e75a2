// SPDX-License-Identifier: Apache-2.0
// Moves a process to the group of its rule, and creates groups from templates. Returns errors instead of throwing, so that the caller can
// continue with the next process.

import { addLevels, type Undo, withUndo } from '../cgroup/create.ts'
import { isGroup, readGroupFile, writeGroupFile } from '../cgroup/files.ts'
import { isUnified } from '../cgroup/group-state.ts'
import { isJobGroup, isRootsJobGroup } from '../cgroup/stale-groups.ts'
import { fail, HutchError, quote } from '../errors/errors.ts'
import type { PasswdMaps } from '../host/passwd.ts'
import { isBelow } from '../text/paths.ts'
import { findRule, findTargets, groupAt, type ProcessIdentity, type RuleTarget, targetDirectory } from './match.ts'
import type { Rule } from './parse.ts'
import { applyTemplate } from './template.ts'

/** The result of moving one process by a rule. */
export interface MoveResult {
  pid: number
  program: string
  uid: number
  /** The rule's `file:line`. */
  rule: string
  /** Groups that the process was moved to, without those that already contained it. */
  moved: RuleTarget[]
  failed: HutchError[]
  /** True if the process ended before all moves were done. */
  gone: boolean
}

/**
 * Moves a process by the first rule that matches it. Returns undefined if no rule matches, or if the process must stay.
 * With `dry`, only returns what would be moved.
 */
export function placeProcess(
  rules: readonly Rule[],
  process: ProcessIdentity,
  ids: PasswdMaps,
  dry = false,
): MoveResult | undefined {
  const rule = findRule(rules, process, ids)
  if (!rule || rule.ignore || (rule.ignoreRealtime && process.realtime)) return undefined
  const { targets, missing } = findTargets(rule, process, ids)
  const { pid, program, uid } = process
  const placed: MoveResult = { pid, program, uid, rule: rule.origin, moved: [], failed: [], gone: false }
  if (missing.length > 0)
    placed.failed.push(fail('CGROUP_HIERARCHY_MISSING', { controllers: missing.join(', '), origin: rule.origin }))
  const absent: RuleTarget[] = []
  const due = targets.filter((target) => {
    const own = groupAt(process.groups, target.mount) ?? ''
    const wanted = targetDirectory(target)
    // a job of hutch keeps its own group and limits if root started it, or if its group is below the rule's group
    return own !== wanted && !(isJobGroup(own) && isBelow(own, wanted)) && !isRootsJobGroup(own)
  })
  if (dry) return { ...placed, moved: due }
  const refused = makeTemplated(due)
  if (refused) return { ...placed, failed: [...placed.failed, refused] }
  for (const target of due) {
    const errno = moveTo(target, pid)
    if (errno === undefined) placed.moved.push(target)
    else if (errno === 'ESRCH') placed.gone = true
    // if the rule says `*`, hierarchies without the group are skipped
    else if (errno === 'ENOENT' && target.every) absent.push(target)
    else placed.failed.push(explain(target, placed, errno))
  }
  if (absent[0] && absent.length === targets.length) placed.failed.push(explain(absent[0], placed, 'ENOENT'))
  return placed
}

/** Returns true if the group already exists. */
export function isMade(target: RuleTarget): boolean {
  return readGroupFile(targetDirectory(target), 'cgroup.procs') !== undefined
}

/** Formats a target group for people, such as `cpu,memory:web/alice`. */
export function formatTarget({ controllers, path }: RuleTarget): string {
  return `${controllers.join(',') || 'v2'}:/${path}`
}

function moveTo(target: RuleTarget, pid: number): string | undefined {
  return writeGroupFile(targetDirectory(target), 'cgroup.procs', String(pid))
}

/**
 * Creates the groups of rules with templates, in all hierarchies or in none. Otherwise a process could be in only some
 * of its groups.
 */
function makeTemplated(targets: readonly RuleTarget[]): HutchError | undefined {
  const missing = targets.filter((target) => target.templated && !isGroup(targetDirectory(target)))
  if (missing.length === 0) return undefined
  try {
    withUndo((undo) => {
      for (const target of missing) makeGroups(target, undo)
    })
    return undefined
  } catch (error) {
    if (HutchError.is(error)) return error
    throw error
  }
}

/**
 * Creates a group and its missing ancestors. If the rule says `*`, no controller is enabled, because enabling all of
 * them for every user would slow the whole machine.
 */
function makeGroups(target: RuleTarget, undo: Undo[]): void {
  const { mount, controllers, every, template } = target
  const handed =
    isUnified(mount) && !every ? controllers.map((name) => ({ blkio: 'io', cpuacct: 'cpu' })[name] ?? name) : []
  addLevels(mount, targetDirectory(target), handed, undo)
  if (template) applyTemplate(target, template)
}

function explain(target: RuleTarget, { pid, program }: MoveResult, errno: string): HutchError {
  const path = targetDirectory(target)
  const what = `move process ${pid} (${quote(program)}) to`
  const remedies: { [errno: string]: string } = {
    ENOENT: `create the group first: mkdir -p ${path}; or use a template such as %u in the rule, so that it is created`,
    EACCES: 'run as root',
    EPERM: 'run as root',
    EBUSY: 'on v2 a group whose children have controllers cannot have processes: name one of its children',
    ENOSPC: 'a cpuset group accepts processes after cpuset.cpus and cpuset.mems are set',
    EINVAL: 'a real-time process needs cpu.rt_runtime_us in the group: give the rule the option ignore_rt',
    EOPNOTSUPP: 'the group is threaded, or its type is invalid: see its cgroup.type',
  }
  return fail('CGROUP_REFUSED', {
    what,
    path,
    errno,
    evidence: [`requested by ${target.origin}`],
    remedy: remedies[errno] ?? "see cgroups(7) for the kernel's conditions",
  })
}
