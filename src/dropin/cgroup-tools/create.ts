// SPDX-License-Identifier: Apache-2.0
// Creates one group in one hierarchy with owners and modes, and can undo everything.

import { enableControllers } from '../../cgroup/create.ts'
import {
  changeMode,
  changeOwner,
  isGroup,
  makeDirectory,
  readFileNames,
  readMode,
  removeDirectory,
} from '../../cgroup/files.ts'
import { explainMake } from '../../cgroup/write-errors.ts'
import { fail } from '../../errors/errors.ts'
import { readUser } from '../../host/passwd.ts'
import { orStatus, statuses, withStatus } from '../exit-status.ts'
import { directoryIn, type Mounted } from './group-spec.ts'

/** The owner to give a file, as user and group id; -1 keeps the present id. */
export interface Owner {
  uid: number
  gid: number
}

/** Permissions of a new group. `admin` owns the group and its files. `tasks` owns the files that accept processes. */
export interface Permissions {
  admin?: Owner
  tasks?: Owner
  directoryMode?: number
  fileMode?: number
  tasksMode?: number
}

/** Undo steps, run in reverse order. */
export type UndoList = (() => unknown)[]

/** Files of v1 and v2 by which processes are moved into a group. */
const taskFiles = { legacy: ['tasks'], unified: ['cgroup.procs', 'cgroup.threads'] }

/** Parses an owner: `user`, `user:group` or `:group`, as names or numbers. @throws USER_UNKNOWN */
export function parseOwner(text: string, origin: string): Owner {
  const [user = '', group] = text.split(':', 2)
  if (user === '') return { uid: -1, gid: group ? readUser(`0:${group}`, origin).gid : -1 }
  const { uid } = readUser(user, origin)
  return { uid, gid: group ? readUser(`0:${group}`, origin).gid : -1 }
}

/** Parses a mode: three octal digits, or four with a leading zero. @throws OPTION_INVALID */
export function parseMode(text: string, origin: string): number {
  if (/^[0-7]{3,4}$/.test(text)) return Number.parseInt(text, 8)
  throw withStatus(
    statuses.failed,
    fail('OPTION_INVALID', {
      name: origin,
      value: text,
      why: 'not a mode',
      accepted: 'octal digits, such as 0750',
    }),
  )
}

/**
 * Creates a group and its missing ancestors, and enables its controllers on v2. An existing group only gets new permissions.
 *
 * @throws CGROUP_REFUSED, CGROUP_POPULATED, CGROUP_THREADED, CGROUP_WRITE_REFUSED
 */
export function createIn(hierarchy: Mounted, path: string, permissions: Permissions, undo: UndoList): string {
  return orStatus(statuses.refused, () => {
    let at = hierarchy.mount
    for (const part of path.split('/').filter(Boolean)) {
      if (hierarchy.unified && hierarchy.controllers.length > 0) enableControllers(at, hierarchy.controllers, undo)
      const below = `${at}/${part}`
      if (!isGroup(below)) {
        const errno = makeDirectory(below)
        if (errno !== undefined && errno !== 'EEXIST') throw explainMake(below, errno)
        if (errno === undefined) undo.push(() => removeDirectory(below))
      }
      at = below
    }
    if (path !== '') permit(directoryIn(hierarchy, path), hierarchy.unified, permissions)
    return at
  })
}

function permit(directory: string, unified: boolean, { admin, tasks, ...modes }: Permissions): void {
  const permissions = [admin, tasks, modes.directoryMode, modes.fileMode, modes.tasksMode]
  if (permissions.every((one) => one === undefined)) return
  const forTasks = unified ? taskFiles.unified : taskFiles.legacy
  if (admin) own(directory, admin)
  if (modes.directoryMode !== undefined) mode(directory, modes.directoryMode)
  for (const file of readFileNames(directory)) {
    const path = `${directory}/${file}`
    const isTasks = forTasks.includes(file)
    // on v1, the file `tasks` has an owner of its own; on v2, files that accept processes have the owner of the other files
    const owner = isTasks ? (tasks ?? (unified ? admin : undefined)) : admin
    const wanted = isTasks ? (modes.tasksMode ?? (unified ? modes.fileMode : undefined)) : modes.fileMode
    if (owner) own(path, owner)
    // a file that is read-only stays so, whatever the requested mode
    if (wanted !== undefined) mode(path, wanted & widest(readMode(path)))
  }
}

/** Returns a mode that gives all users the permissions of the owner. */
function widest(current: number): number {
  const owner = (current >> 6) & 7
  return (owner << 6) | (owner << 3) | owner
}

function own(path: string, { uid, gid }: Owner): void {
  const errno = changeOwner(path, uid, gid)
  if (errno !== undefined)
    throw fail('CGROUP_REFUSED', {
      what: `give to user ${uid}`,
      path,
      errno,
      remedy: 'run as root, or leave -a and -t out',
    })
}

function mode(path: string, bits: number): void {
  const errno = changeMode(path, bits)
  if (errno !== undefined)
    throw fail('CGROUP_REFUSED', { what: 'change the mode of', path, errno, remedy: 'run as the owner of the group' })
}

/** Runs the undo steps in reverse order. */
export function takeBack(undo: UndoList): void {
  for (const step of undo.reverse()) step()
}
