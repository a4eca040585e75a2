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

/**
 * `controller` '' is the v2 tree. Root's jobs go below the hierarchy's root,
 * as cgcreate(1) puts groups; others' below their own, which must be delegated
 * to them. `path` names another, relative to the mount.
 */
export function readParent(host: Host, controller: string, path?: string): Parent {
  const { mount, own } = controller === '' ? host.unified! : host.v1[controller]!
  const directory = path === undefined ? (host.uid === 0 ? mount : own) : `${mount}/${path}`
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
    available: words(host.uid === 0 ? mount : directory, 'cgroup.controllers'),
    chain: levels(host.uid === 0 ? mount : directory, directory).map((level) => ({
      directory: level,
      enabled: words(level, 'cgroup.subtree_control'),
    })),
    type: type === '' ? undefined : type,
    processes: type === '' ? [] : words(directory, 'cgroup.procs'),
  }
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
