// SPDX-License-Identifier: Apache-2.0
// Finds the rule that matches a process, and the groups that the process must be moved to. Pure: processes, names and
// hierarchies are arguments.

import { parseGroupPath } from '../cgroup/path.ts'
import { HutchError } from '../errors/errors.ts'
import type { Hierarchies } from '../host/hierarchy.ts'
import type { PasswdMaps } from '../host/passwd.ts'
import { resolve } from '../system/paths.ts'
import { isBelow } from '../text/paths.ts'
import type { GroupSection } from './config-file.ts'
import type { Destination, Letter, Rule } from './parse.ts'

/** The properties of a process that rules can match. */
export interface ProcessIdentity {
  pid: number
  /** The effective user and group of the process. */
  uid: number
  gid: number
  /** Full path of the program, or of the script that an interpreter runs. */
  program: string
  /** True if the process has the real-time scheduling policy SCHED_FIFO or SCHED_RR. */
  realtime: boolean
  /** The hierarchies, each with the group of the process (`own`). */
  groups: Hierarchies
  /** The controllers that the v2 tree has. */
  unified: readonly string[]
}

/** A group that a rule moves a process to, in one hierarchy. */
export interface RuleTarget {
  mount: string
  /** Path of the group relative to the mount point. '' is the root group. */
  path: string
  /** The controllers that the rule names. If it says `*`, all controllers of this hierarchy on v1, and none for the v2 tree. */
  controllers: string[]
  /** True if the rule says `*` for the controllers. The process is then moved only in hierarchies in which the group exists. */
  every: boolean
  /** True if a missing group is created, because the rule's destination has a template letter. */
  templated: boolean
  /** The settings for the group if it is created. */
  template?: GroupSection
  origin: string
}

/** Returns the directory of a target's group. */
export function targetDirectory({ mount, path }: RuleTarget): string {
  return path === '' ? mount : `${mount}/${path}`
}

/** Returns the first rule that matches a process, as cgrulesengd does. */
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

/** Returns true if the process is already in the rule's destination, or below it. If the destination is `*`, this is always so. */
function isThere(rule: Rule, process: ProcessIdentity, ids: PasswdMaps): boolean {
  if (rule.destinations.some(({ path }) => path.length === 1 && path[0] === '*')) return true
  return findTargets(rule, process, ids).targets.some(({ mount, path }) => {
    const own = groupAt(process.groups, mount)
    const directory = path === '' ? mount : `${mount}/${path}`
    return own !== undefined && isBelow(own, directory)
  })
}

/** Returns the directory of the process's group in the hierarchy that is mounted at `mount`. */
export function groupAt({ unified, v1 }: Hierarchies, mount: string): string | undefined {
  return [unified, ...Object.values(v1)].find((hierarchy) => hierarchy?.mount === mount)?.own
}

/**
 * Returns the groups that a rule moves a process to, one for each hierarchy, and the controllers that this host lacks.
 * If two destinations are in one hierarchy, the later one is used.
 */
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

/** Names of the same controller on the other version of cgroups, v1 or v2. */
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
 * Returns true if a name can be a group's name. Programs choose their own names. An unusable name is replaced by a
 * number, so that it cannot lead out of the tree.
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
 * Returns the path of the program that a process runs, from its files in /proc. If an interpreter runs a script,
 * returns the script's path: the process's name is then the first 15 bytes of the script's.
 */
export function programOf(exe: string, comm: string, cmdline: string, cwd = ''): string {
  const path = exe.replace(/ \(deleted\)$/, '')
  if (path === '') return comm
  const isCalled = (word: string) => Buffer.from(baseOf(word)).subarray(0, 15).toString('latin1') === latin(comm)
  if (isCalled(path)) return path
  // the kernel passes the script's path to the interpreter, so an argument without a slash is only the program's argv[0]
  const words = cmdline.split('\0').slice(0, 8)
  const script = words.find((word) => word.includes('/') && isCalled(word))
  if (script === undefined) return path
  return script.startsWith('/') || cwd === '' ? script : resolve(cwd, script)
}

function latin(text: string): string {
  return Buffer.from(text).toString('latin1')
}
