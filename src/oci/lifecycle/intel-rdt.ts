// SPDX-License-Identifier: Apache-2.0
// The class of a container in Intel RDT: linux.intelRdt, a directory of the file system resctrl. Called by create, exec and delete.

import { fail } from '../../errors/errors.ts'
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from '../../system/files.ts'
import type { OciLinux } from '../config/linux-table.ts'

type IntelRdt = NonNullable<OciLinux['intelRdt']>

/** Where resctrl is mounted. */
export const resctrl = '/sys/fs/resctrl'

/** The directories of a container, and those of them that end with it. */
export interface RdtClass {
  directories: string[]
  own: string[]
}

/**
 * Creates or finds the class of a container, and writes its schemata. Without closID, the class has the container's id
 * and ends with it.
 *
 * @throws FILE_REFUSED, with nothing left
 */
export function openRdtClass(rdt: IntelRdt, id: string, mount = resctrl): RdtClass {
  const { closID = '', enableMonitoring } = rdt
  const directory = `${mount}/${closID || id}`
  const schemata = linesOf(rdt)
  const own: string[] = []
  try {
    if (!existsSync(directory)) {
      if (closID !== '' && schemata.length === 0)
        throw refused('find the class of linux.intelRdt.closID', directory, 'ENOENT')
      attempt('create', directory, () => mkdirSync(directory))
      if (closID === '') own.push(directory)
    }
    if (schemata.length > 0) write(`${directory}/schemata`, schemata.map((line) => `${line}\n`).join(''))
    if (!enableMonitoring) return { directories: [directory], own }
    const monitor = `${directory}/mon_groups/${id}`
    attempt('create', monitor, () => mkdirSync(monitor))
    // the class cannot be removed before the group in it
    return { directories: [directory, monitor], own: [monitor, ...own] }
  } catch (error) {
    closeRdtClass({ own })
    throw error
  }
}

/** Adds a process, whose later children are in the class, too. @throws FILE_REFUSED */
export function joinRdtClass({ directories }: RdtClass, pid: number): void {
  for (const directory of directories) write(`${directory}/tasks`, String(pid))
}

/** Removes the directories that end with the container. */
export function closeRdtClass({ own }: Pick<RdtClass, 'own'> = { own: [] }): void {
  for (const directory of own) if (existsSync(directory)) attempt('remove', directory, () => rmdirSync(directory))
}

/** The line of memBwSchema has precedence over those in l3CacheSchema. */
function linesOf({ l3CacheSchema = '', memBwSchema = '', schemata = [] }: IntelRdt): string[] {
  const cache = l3CacheSchema.split('\n').filter((line) => memBwSchema === '' || !/^\s*MB:/.test(line))
  return [...cache, memBwSchema, ...schemata].filter((line) => line.trim() !== '')
}

function write(path: string, text: string): void {
  attempt('write', path, () => writeFileSync(path, text))
}

function attempt(what: string, path: string, change: () => void): void {
  try {
    change()
  } catch (error) {
    throw refused(what, path, (error as NodeJS.ErrnoException).code ?? 'EIO', error)
  }
}

function refused(what: string, path: string, errno: string, cause?: unknown) {
  const remedy = 'check linux.intelRdt; the reason is in /sys/fs/resctrl/info/last_cmd_status'
  return fail('FILE_REFUSED', { what, path, errno, remedy }, cause)
}
