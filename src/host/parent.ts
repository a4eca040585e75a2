// SPDX-License-Identifier: Apache-2.0
// Looks up the group below which a job's groups go, in one hierarchy.
import { accessSync, constants, readFileSync } from 'node:fs'
import type { Host } from './host.ts'

/** The state of that group: see plan/plan.ts, which decides by it. */
export interface Parent {
  directory: string
  exists: boolean
  writable: boolean
  /** v2: the controllers that its children could use, once enabled in every level of `chain`. */
  available: string[]
  /** v2: the levels from the root down to this group, with what each hands to its children. */
  chain: { directory: string; enabled: string[] }[]
  /** v2: cgroup.type; undefined in a root. */
  type: string | undefined
  /** v2: whether processes are in it (the root may have them), and which. */
  processes: string[]
  /** v1 cpuset: its own cpus and mems. */
  inherit?: { [file: string]: string }
}

/** Where those processes are that must not stand in a delegated group itself: its jobs' groups are beside it. */
export const leafName = 'hutch-leaf'

/**
 * `controller` '' is the v2 tree. Root's jobs go below the hierarchy's root,
 * as cgcreate(1) puts groups; others' below their own, which must be delegated
 * to them; those of a process that has a home below that. `path` names another,
 * relative to the mount.
 */
export function readParent(host: Host, controller: string, path?: string): Parent {
  const { mount, own } = controller === '' ? host.unified! : host.v1[controller]!
  const home = controller === '' ? host.home : undefined
  const usual = home ?? (host.uid === 0 ? mount : withoutLeaf(own))
  const directory = path === undefined ? usual : `${mount}/${path}`
  // levels above a home are another's, systemd's for one, and hand down what they want
  const top = path === undefined && home ? home : host.uid === 0 ? mount : directory
  const exists = allows(`${directory}/cgroup.procs`, constants.F_OK)
  // root, too: in a container the file system is often read-only
  const writable = allows(directory, constants.W_OK) && allows(`${directory}/cgroup.procs`, constants.W_OK)
  const parent: Parent = { directory, exists, writable, available: [], chain: [], type: undefined, processes: [] }
  if (controller === 'cpuset')
    parent.inherit = { 'cpuset.cpus': line(directory, 'cpuset.cpus'), 'cpuset.mems': line(directory, 'cpuset.mems') }
  if (controller !== '') return parent
  const type = line(directory, 'cgroup.type')
  return {
    ...parent,
    available: words(home === undefined ? top : nearestGroup(top), 'cgroup.controllers'),
    chain: levels(top, directory).map((level) => ({
      directory: level,
      enabled: words(level, 'cgroup.subtree_control'),
    })),
    type: type === '' ? undefined : type,
    processes: type === '' ? [] : words(directory, 'cgroup.procs'),
  }
}

/** A home that is yet to be made will have what the group above it has. */
export function nearestGroup(directory: string): string {
  return directory === '' || allows(`${directory}/cgroup.controllers`, constants.F_OK)
    ? directory
    : nearestGroup(directory.slice(0, directory.lastIndexOf('/')))
}

/** A process in a leaf has its jobs beside the leaf. */
export function withoutLeaf(directory: string): string {
  return directory.endsWith(`/${leafName}`) ? directory.slice(0, -leafName.length - 1) : directory
}

function levels(from: string, to: string): string[] {
  const out = [from]
  for (const part of to.slice(from.length).split('/').filter(Boolean)) out.push(`${out.at(-1)}/${part}`)
  return out
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

function line(directory: string, file: string): string {
  try {
    return readFileSync(`${directory}/${file}`, 'utf8').trim()
  } catch {
    return ''
  }
}

function words(directory: string, file: string): string[] {
  return line(directory, file).split(/\s+/).filter(Boolean)
}
