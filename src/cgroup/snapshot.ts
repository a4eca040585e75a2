// SPDX-License-Identifier: Apache-2.0
// Saves groups and their settings as a document, and applies such a document. It does not contain processes or frozen states.
import { fail } from '../errors/errors.ts'
import type { Host } from '../host/host.ts'
import { JsonError, parseJson } from '../text/json.ts'
import { describeFile } from './controllers/catalog.ts'
import { enableControllers, type Undo, withUndo } from './create.ts'
import {
  changeOwner,
  isGroup,
  makeDirectory,
  readFileNames,
  readGroupFile,
  readOwner,
  readWords,
  removeDirectory,
  writeGroupFile,
} from './files.ts'
import { childGroupPaths, type GroupPaths, hierarchies } from './group-paths.ts'
import { parseFileName, parseGroupPath } from './path.ts'
import { explainMake, explainWrite } from './write-errors.ts'

/** A group in one hierarchy, as saved in a snapshot. */
interface SavedGroup {
  /** Path of the group from the hierarchy's root. */
  path: string
  /** The hierarchy: `v2`, or a v1 controller. */
  hierarchy: string
  /** Controllers of a v2 group. */
  controllers?: string[]
  /** User and group id of the owner; absent if the owner is root. */
  owner?: [uid: number, gid: number]
  /** Texts of the group's settings, by kernel file. */
  files: { [file: string]: string }
}

/** A snapshot of groups: the document that `hutch cgroup save` writes and `hutch cgroup apply` reads. */
interface SavedState {
  hutch: 'cgroups 1'
  groups: SavedGroup[]
}

/** Writable files that are not settings: they control processes, set triggers, or reset counters. */
const noSettings =
  /^(cgroup\.(procs|threads|kill|freeze|event_control)|tasks|release_agent|freezer\.state|devices\..*|blkio\.reset_stats|.*\.pressure|.*\.(peak|failcnt|max_usage_in_bytes|usage)|memory\.(reclaim|force_empty|pressure_level|usage_in_bytes))$/

/** Files that show a setting which another file also shows. */
const doubles = new Set(['cpu.weight.nice', 'cpuset.cpu_exclusive.effective'])

/** Saves these groups and all groups below them, parents first. */
export function takeSnapshot(host: Host, allPaths: readonly GroupPaths[]): SavedState {
  const groups: SavedGroup[] = []
  const keys = new Map(hierarchies(host).map(([key, { mount }]) => [key, mount]))
  const visit = (paths: GroupPaths) => {
    const seen = new Set<string>()
    for (const [key, directory] of Object.entries(paths.directories)) {
      if (seen.has(directory)) continue
      seen.add(directory)
      groups.push(saveGroup(key, directory, keys.get(key)!))
    }
    for (const child of childGroupPaths(paths)) visit(child)
  }
  for (const paths of allPaths) visit(paths)
  return { hutch: 'cgroups 1', groups }
}

function saveGroup(key: string, directory: string, mount: string): SavedGroup {
  const owner = readOwner(directory)
  return {
    path: directory.slice(mount.length) || '/',
    hierarchy: key || 'v2',
    ...(key === '' && { controllers: readWords(directory, 'cgroup.controllers') }),
    ...(owner && owner[0] + owner[1] > 0 && { owner }),
    files: Object.fromEntries(
      readFileNames(directory).flatMap((file) => {
        const words = describeFile(file, key === '' ? 'v2' : 'v1')
        if (words?.access !== 'read-write' || noSettings.test(file) || doubles.has(file)) return []
        const text = readSetting(directory, file)
        return text === undefined ? [] : [[file, text]]
      }),
    ),
  }
}

/** Returns the setting in a file. memory.oom_control contains other values besides its setting. */
function readSetting(directory: string, file: string): string | undefined {
  const text = readGroupFile(directory, file)
  return file === 'memory.oom_control' ? text?.match(/^oom_kill_disable (\d)/)?.[1] : text
}

/** Parses a snapshot. @throws SNAPSHOT_INVALID with the place in the document; CGROUP_PATH_INVALID, CGROUP_FILE_INVALID */
export function parseSnapshot(text: string, origin: string): SavedState {
  const refuse = (at: string, why: string) => fail('SNAPSHOT_INVALID', { origin, at, why })
  let document: unknown
  try {
    document = parseJson(text)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw refuse('/', `not JSON: ${error.message}`)
  }
  const { hutch, groups } = isObject(document) ? document : {}
  if (hutch !== 'cgroups 1') throw refuse('/hutch', 'not "cgroups 1"')
  if (!Array.isArray(groups)) throw refuse('/groups', 'not a list')
  return { hutch, groups: groups.map((group, i) => parseGroup(group, `/groups/${i}`, refuse)) }
}

function isObject(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isWords(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((word) => typeof word === 'string' && /^\w+$/.test(word))
}

function parseGroup(group: unknown, at: string, refuse: (at: string, why: string) => Error): SavedGroup {
  if (!isObject(group)) throw refuse(at, 'not an object')
  const { path, hierarchy, controllers, owner, files, ...rest } = group
  const unknown = Object.keys(rest)[0]
  if (unknown !== undefined) throw refuse(`${at}/${unknown}`, 'there is no such key')
  if (typeof path !== 'string') throw refuse(`${at}/path`, 'not a text')
  if (typeof hierarchy !== 'string' || !/^\w+$/.test(hierarchy)) throw refuse(`${at}/hierarchy`, 'not a hierarchy')
  if (controllers !== undefined && !isWords(controllers)) throw refuse(`${at}/controllers`, 'not a list of names')
  if (owner !== undefined && !(Array.isArray(owner) && owner.length === 2 && owner.every(isId)))
    throw refuse(`${at}/owner`, 'not [uid, gid]')
  if (!isObject(files)) throw refuse(`${at}/files`, 'not an object')
  for (const [file, value] of Object.entries(files)) {
    parseFileName(file, `${at}/files`)
    if (noSettings.test(file)) throw refuse(`${at}/files/${file}`, 'this file holds no setting')
    if (typeof value !== 'string' || value.includes('\0')) throw refuse(`${at}/files/${file}`, 'not a text')
  }
  return {
    path: `/${parseGroupPath(path, `${at}/path`)}`,
    hierarchy,
    ...(controllers && { controllers }),
    ...(owner && { owner: owner as [number, number] }),
    files: files as { [file: string]: string },
  }
}

function isId(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 0xffff_ffff
}

/** A change that `applySnapshot` made; in a dry run, one that it would make. */
export type SnapshotChange =
  | { make: string }
  | { enable: string; controllers: string[] }
  | { set: string; value: string }
  | { owner: string; uid: number; gid: number }

/**
 * Creates the groups of a snapshot that are missing, and sets the values that differ, in the document's order. Other groups and values
 * stay. After a failure, created groups are removed and written values restored.
 *
 * @throws SNAPSHOT_INVALID, CGROUP_REFUSED, CGROUP_POPULATED, CGROUP_WRITE_REFUSED
 */
export function applySnapshot(host: Host, snapshot: SavedState, dryRun = false): SnapshotChange[] {
  const mounts = new Map(hierarchies(host).map(([key, { mount }]) => [key || 'v2', mount]))
  for (const [i, { hierarchy }] of snapshot.groups.entries())
    if (!mounts.has(hierarchy))
      throw fail('SNAPSHOT_INVALID', {
        origin: 'the snapshot',
        at: `/groups/${i}/hierarchy`,
        why: `this host has no hierarchy ${hierarchy}; it has ${[...mounts.keys()].join(', ')}`,
      })
  const changes: SnapshotChange[] = []
  withUndo((undo) => {
    for (const group of snapshot.groups) applyGroup(group, mounts.get(group.hierarchy)!, dryRun, changes, undo)
  })
  return changes
}

function applyGroup(group: SavedGroup, mount: string, dryRun: boolean, changes: SnapshotChange[], undo: Undo[]): void {
  const directory = group.path === '/' ? mount : `${mount}${group.path}`
  let at = mount
  for (const part of group.path.split('/').filter(Boolean)) {
    handDown(at, group.controllers ?? [], dryRun, changes, undo)
    at = `${at}/${part}`
    if (isGroup(at) || changes.some((change) => 'make' in change && change.make === at)) continue
    changes.push({ make: at })
    if (dryRun) continue
    const errno = makeDirectory(at)
    if (errno !== undefined) throw explainMake(at, errno)
    const made = at
    undo.push(() => removeDirectory(made))
  }
  for (const [file, value] of ordered(group.files)) setFile(directory, file, value, dryRun, changes, undo)
  if (!group.owner) return
  const [uid, gid] = group.owner
  const before = readOwner(directory)
  if (before?.[0] === uid && before[1] === gid) return
  changes.push({ owner: directory, uid, gid })
  if (dryRun) return
  for (const path of [
    directory,
    ...['cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control', 'tasks'].map((file) => `${directory}/${file}`),
  ])
    changeOwner(path, uid, gid)
}

function handDown(
  directory: string,
  controllers: string[],
  dryRun: boolean,
  changes: SnapshotChange[],
  undo: Undo[],
): void {
  const enabled = readWords(directory, 'cgroup.subtree_control')
  const missing = controllers.filter((name) => !enabled.includes(name))
  if (missing.length === 0) return
  if (!changes.some((change) => 'enable' in change && change.enable === directory))
    changes.push({ enable: directory, controllers: missing })
  if (!dryRun) enableControllers(directory, missing, undo)
}

/**
 * Sorts files into an order that the kernel accepts. Types and CPUs are first, a period is before its quota, the limit of memory before
 * that of memory and swap.
 */
function ordered(files: { [file: string]: string }): [string, string][] {
  const first = [
    'cgroup.type',
    'cpuset.cpus',
    'cpuset.mems',
    'memory.max',
    'memory.limit_in_bytes',
    'cpu.idle',
    'cpu.cfs_period_us',
    'cpu.rt_period_us',
  ]
  const rank = (file: string) => (first.includes(file) ? first.indexOf(file) : first.length)
  return Object.entries(files).sort(([a], [b]) => rank(a) - rank(b))
}

function setFile(
  directory: string,
  file: string,
  value: string,
  dryRun: boolean,
  changes: SnapshotChange[],
  undo: Undo[],
): void {
  const before = readSetting(directory, file)
  if (before === value) return
  if (file === 'cgroup.subtree_control') {
    const wanted = value.split(/\s+/).filter(Boolean)
    handDown(directory, wanted, dryRun, changes, undo)
    return
  }
  changes.push({ set: `${directory}/${file}`, value })
  if (dryRun) return
  // write a keyed file line by line, because the kernel accepts one line per write
  for (const line of value.split('\n')) {
    const errno = writeGroupFile(directory, file, line)
    if (errno !== undefined) throw explainWrite({ directory, file, value: line, errno })
  }
  if (before !== undefined)
    undo.push(() => {
      for (const line of before.split('\n')) writeGroupFile(directory, file, line)
    })
}
