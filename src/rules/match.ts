// SPDX-License-Identifier: Apache-2.0
// Which rule is for a process, and where it sends it. Pure: processes, names and hierarchies come in as values.
import { resolve } from 'node:path'
import { parseGroupPath } from '../cgroup/path.ts'
import { HutchError } from '../errors/errors.ts'
import type { Hierarchies } from '../host/hierarchy.ts'
import type { Ids } from '../host/passwd.ts'
import type { GroupSection } from './config-file.ts'
import type { Destination, Letter, Rule } from './parse.ts'

/** A process as the rules see it. */
export interface Process {
  pid: number
  /** Effective ids. */
  uid: number
  gid: number
  /** Full path of the program, or of the script that it interprets. */
  program: string
  /** Scheduled as SCHED_FIFO or SCHED_RR. */
  realtime: boolean
  /** Where it is: the hierarchies, `own` being the process's group in each. */
  groups: Hierarchies
  /** The controllers of the v2 tree. */
  unified: readonly string[]
}

/** A group that a process shall be in, in one hierarchy. */
export interface Target {
  mount: string
  /** Relative to the mount; '' is the root. */
  path: string
  /** As the rule names them; for `*` all that this hierarchy has, none for a v2 tree. */
  controllers: string[]
  /** The rule says `*`: meant are the hierarchies that have the group. */
  every: boolean
  /** It may be made when it is not there: the rule has a template. */
  templated: boolean
  /** How it is set when it is made. */
  template?: GroupSection
  origin: string
}

/** The directory of a target's group. */
export function directoryOf({ mount, path }: Target): string {
  return path === '' ? mount : `${mount}/${path}`
}

/** The first rule for this process, as cgrulesengd picks it. */
export function findRule(rules: readonly Rule[], process: Process, ids: Ids): Rule | undefined {
  return rules.find(
    (rule) =>
      matchesWho(rule, process, ids) &&
      matchesProgram(rule.program, process.program) &&
      (!rule.ignore || isThere(rule, process, ids)),
  )
}

function matchesWho({ who }: Rule, { uid, gid }: Process, ids: Ids): boolean {
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

/** Whether it is in one of the rule's groups, or below; the destination `*` is every group. */
function isThere(rule: Rule, process: Process, ids: Ids): boolean {
  if (rule.destinations.some(({ path }) => path.length === 1 && path[0] === '*')) return true
  return findTargets(rule, process, ids).targets.some(({ mount, path }) => {
    const own = groupAt(process.groups, mount)
    const directory = path === '' ? mount : `${mount}/${path}`
    return own !== undefined && (own === directory || own.startsWith(`${directory}/`))
  })
}

/** The directory of the process's group in the hierarchy mounted there. */
export function groupAt({ unified, v1 }: Hierarchies, mount: string): string | undefined {
  return [unified, ...Object.values(v1)].find((hierarchy) => hierarchy?.mount === mount)?.own
}

/** Where the rule sends the process, one target a hierarchy: of two for the same one the later holds. And what this host has not. */
export function findTargets(rule: Rule, process: Process, ids: Ids): { targets: Target[]; missing: string[] } {
  const targets = new Map<string, Target>()
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

/** v1 names mean their v2 successors on a v2 tree, and the other way round. */
const otherNames: { [name: string]: string } = { blkio: 'io', io: 'blkio', cpuacct: 'cpu' }

function mountsOf({ groups: { unified, v1 }, unified: offered }: Process, controller: string): string[] {
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

function expandPath(destination: Destination, process: Process, ids: Ids): string {
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
