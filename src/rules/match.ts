// SPDX-License-Identifier: Apache-2.0
// Finds the rule for a process and its target groups. Pure: processes, names and hierarchies are arguments.

import { parseGroupPath } from '../cgroup/path.ts'
import { HutchError } from '../errors/errors.ts'
import type { Hierarchies } from '../host/hierarchy.ts'
import type { PasswdMaps } from '../host/passwd.ts'
import { resolve } from '../system/paths.ts'
import { isBelow } from '../text/paths.ts'
import type { GroupSection } from './config-file.ts'
import type { Destination, Letter, Rule } from './parse.ts'

/** The properties of a process that rules match. */
export interface ProcessIdentity {
  pid: number
  /** Effective user and group. */
  uid: number
  gid: number
  /** Full path of the program or of the interpreted script. */
  program: string
  /** Whether it is scheduled as SCHED_FIFO or SCHED_RR. */
  realtime: boolean
  /** The hierarchies. `own` is the process's group in each. */
  groups: Hierarchies
  /** The controllers of the v2 tree. */
  unified: readonly string[]
}

/** The target group of a process in a hierarchy. */
export interface RuleTarget {
  mount: string
  /** Path relative to the mount. '' is the root. */
  path: string
  /** Controllers that the rule names. For `*`, all controllers of this hierarchy, or none for a v2 tree. */
  controllers: string[]
  /** Whether the rule says `*`: only hierarchies that have the group are meant. */
  every: boolean
  /** Whether a missing group is created, because the rule has a template. */
  templated: boolean
  /** Settings of a created group. */
  template?: GroupSection
  origin: string
}

/** Returns the directory of a target's group. */
export function targetDirectory({ mount, path }: RuleTarget): string {
  return path === '' ? mount : `${mount}/${path}`
}

/** Returns the first matching rule, as cgrulesengd does. */
export function findRule(rules: readonly Rule[], process: ProcessIdentity, ids: PasswdMaps): Rule | undefined {
  return rules.find(
    (rule) =>
      matchesWho(rule, process, ids) &&
      matchesProgram(rule.program, process.program) &&
      (!rule.ignore || isThere(rule, process, ids)),
  )
}

function matchesWho({ who }: Rule, { uid, gid }: ProcessIdentity, ids: PasswdMaps): boolean {
  if (who.kind === 'any') return true
  if (who.kind === 'user') return (ids.users.get(who.name) ?? numberOf(who.name)) === uid
  const group = ids.groups.get(who.name)
  if (!group) return numberOf(who.name) === gid
  return group.gid === gid || group.members.includes(ids.userNames.get(uid) ?? '')
}

function numberOf(name: string): number | undefined {
  return /^\d{1,10}$/.test(name) ? Number(name) : undefined
}

function matchesProgram(wanted: string | undefined, program: string): boolean {
  if (wanted === undefined) return true
  const names = [program, baseOf(program)]
  return wanted.endsWith('*')
    ? names.some((name) => name.startsWith(wanted.slice(0, -1)))
    : names.some((name) => name === wanted)
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Returns whether the process is in a group of the rule or below. The destination `*` is every group. */
function isThere(rule: Rule, process: ProcessIdentity, ids: PasswdMaps): boolean {
  if (rule.destinations.some(({ path }) => path.length === 1 && path[0] === '*')) return true
  return findTargets(rule, process, ids).targets.some(({ mount, path }) => {
    const own = groupAt(process.groups, mount)
    const directory = path === '' ? mount : `${mount}/${path}`
    return own !== undefined && isBelow(own, directory)
  })
}

/** Returns the directory of the process's group in the hierarchy at a mount. */
export function groupAt({ unified, v1 }: Hierarchies, mount: string): string | undefined {
  return [unified, ...Object.values(v1)].find((hierarchy) => hierarchy?.mount === mount)?.own
}

/** Returns a rule's targets, one a hierarchy (the later of two wins), and the controllers that this host lacks. */
export function findTargets(
  rule: Rule,
  process: ProcessIdentity,
  ids: PasswdMaps,
): { targets: RuleTarget[]; missing: string[] } {
  const targets = new Map<string, RuleTarget>()
  const missing: string[] = []
  for (const destination of rule.destinations) {
    const path = expandPath(destination, process, ids)
    const templated = destination.path.some((part) => typeof part !== 'string')
    for (const controller of destination.controllers) {
      const mounts = mountsOf(process, controller)
      if (mounts.length === 0) missing.push(controller)
      for (const mount of mounts) {
        const before = targets.get(mount)
        const together = before?.origin === destination.origin ? before.controllers : []
        const every = controller === '*'
        targets.set(mount, {
          mount,
          path,
          controllers: every ? controllersAt(process.groups, mount) : [...together, controller],
          every,
          templated,
          ...(destination.template && { template: destination.template }),
          origin: destination.origin,
        })
      }
    }
  }
  return { targets: [...targets.values()], missing }
}

/** Names of the same controller on v1 and v2. */
const otherNames: { [name: string]: string } = { blkio: 'io', io: 'blkio', cpuacct: 'cpu' }

function mountsOf({ groups: { unified, v1 }, unified: offered }: ProcessIdentity, controller: string): string[] {
  if (controller === '*')
    return [...new Set([...Object.values(v1), ...(unified ? [unified] : [])].map(({ mount }) => mount))]
  const names = [controller, otherNames[controller] ?? controller]
  const legacy = names.find((name) => Object.hasOwn(v1, name))
  if (legacy !== undefined) return [v1[legacy]!.mount]
  return unified && names.some((name) => offered.includes(name)) ? [unified.mount] : []
}

function controllersAt({ v1 }: Hierarchies, mount: string): string[] {
  return Object.keys(v1).filter((name) => v1[name]!.mount === mount)
}

function expandPath(destination: Destination, process: ProcessIdentity, ids: PasswdMaps): string {
  const values: { [letter in Letter]: [name: string | undefined, number: number] } = {
    u: [ids.userNames.get(process.uid), process.uid],
    U: [undefined, process.uid],
    g: [ids.groupNames.get(process.gid), process.gid],
    G: [undefined, process.gid],
    p: [baseOf(process.program), process.pid],
    P: [undefined, process.pid],
  }
  const expand = (useNames: boolean) =>
    destination.path
      .map((part) => {
        if (typeof part === 'string') return part
        const [name, number] = values[part.letter]
        return useNames && name !== undefined && isName(name) ? name : String(number)
      })
      .join('')
  const path = expand(true)
  return parseGroupPath(isPath(path) ? path : expand(false), destination.origin)
}

/**
 * Programs choose their own names. A name that is invalid for a group is replaced by the number, so that it cannot lead out of the tree.
 */
function isName(name: string): boolean {
  return !name.includes('/') && name !== '' && isPath(name)
}

function isPath(text: string): boolean {
  try {
    parseGroupPath(text, '')
    return true
  } catch (error) {
    if (HutchError.is(error)) return false
    throw error
  }
}

/**
 * Returns the running program from /proc/PID: the program's path, or the script's path if an interpreter runs it. The kernel names the
 * process after the script (its first 15 bytes).
 */
export function programOf(exe: string, comm: string, cmdline: string, cwd = ''): string {
  const path = exe.replace(/ \(deleted\)$/, '')
  if (path === '') return comm
  const isCalled = (word: string) => Buffer.from(baseOf(word)).subarray(0, 15).toString('latin1') === latin(comm)
  if (isCalled(path)) return path
  // the kernel hands an interpreter the script's path, so a word without a slash is the program's other name
  const words = cmdline.split('\0').slice(0, 8)
  const script = words.find((word) => word.includes('/') && isCalled(word))
  if (script === undefined) return path
  return script.startsWith('/') || cwd === '' ? script : resolve(cwd, script)
}

function latin(text: string): string {
  return Buffer.from(text).toString('latin1')
}
