// SPDX-License-Identifier: Apache-2.0
// Opens, creates, reads and removes a group in every layout, and moves tasks into it. Called by library/cgroup.ts, which checks options,
// by actions.ts, and by hutch cgroup.

import { fail } from '../errors/errors.ts'
import { readHost } from '../host/host.ts'
import { parseSize } from '../text/units.ts'
import { describeFile } from './controllers/catalog.ts'
import { createGroup, removeDefaultParent, removeGroup } from './create.ts'
import { readWords, writeGroupFileAsync } from './files.ts'
import { killGroup } from './freeze-kill.ts'
import {
  findGroupPaths,
  type GroupPaths,
  groupPathsBelow,
  groupPathsOf,
  newGroupPaths,
  present,
} from './group-paths.ts'
import { parseFileName } from './path.ts'
import { assignFiles, type FileSetting, readFile } from './set-file.ts'
import { controllerOf } from './v1/translate.ts'
import { parseValue } from './value-read.ts'
import { explainWrite } from './write-errors.ts'

/**
 * Creates a group with the options of `Cgroup.create`, and sets its files. If a step fails, removes what it created.
 * @throws the errors of `createGroup` and `assignFiles`, and CGROUP_MISSING, CGROUP_PATH_INVALID
 */
export async function makeGroup(
  name: string,
  files: readonly FileSetting[],
  options: { controllers?: readonly string[]; parent?: string; mayExist?: boolean; evacuate?: boolean },
): Promise<GroupPaths> {
  const { controllers, parent, mayExist, evacuate } = options
  const host = readHost()
  if (host.layout === 'none') throw fail('CGROUP_MISSING', { need: `make the group ${name}` })
  const paths =
    parent === undefined ? newGroupPaths(host, name) : groupPathsBelow(groupPathsOf(host, parent, 'parent'), name)
  const existed = present(paths) !== undefined
  if (existed && !mayExist)
    throw fail('CGROUP_REFUSED', {
      what: 'make the group',
      path: paths.path,
      errno: 'EEXIST',
      remedy: 'open it, or say that it may exist (mayExist: true)',
    })
  const needed = files
    .filter(([file]) => file.includes('.'))
    .map(([file]) => describeFile(file)?.controller ?? controllerOf(file))
    .filter((name) => name !== 'cgroup')
  const group = createGroup(host, paths, controllers, evacuate, needed)
  try {
    await assignFiles(group, files)
  } catch (error) {
    if (!existed) await removeGroup(paths, true).catch(() => {})
    throw error
  }
  return group
}

/**
 * Opens an existing group by its path, or by a unique name.
 * @throws CGROUP_PATH_INVALID, CGROUP_NOT_FOUND, CGROUP_AMBIGUOUS, CGROUP_MISSING
 */
export function openGroup(name: string): GroupPaths {
  const host = readHost()
  if (host.layout === 'none') throw fail('CGROUP_MISSING', { need: `open the group ${name}` })
  return findGroupPaths(host, name)
}

/** Returns a file's text in the kernel's format. @throws CGROUP_FILE_INVALID, and the errors of `readFile` */
export function readFileText(paths: GroupPaths, file: string): string {
  return readFile(paths, parseFileName(file, 'the file'))
}

/** Returns a file's typed value; text if the catalogue lacks the file. @throws the same errors as `readFileText`, and CGROUP_TEXT_UNKNOWN */
export function readFileValue(paths: GroupPaths, file: string): unknown {
  const words = describeFile(file, 'v2') ?? describeFile(file, 'v1')
  const text = readFileText(paths, file)
  return words ? parseValue(words, text) : text
}

/** Returns the ids in a file that lists processes or threads of the group itself; 0 for a process of another pid namespace. */
export function listIds({ directories }: GroupPaths, file: 'cgroup.procs' | 'cgroup.threads'): number[] {
  const ids = Object.entries(directories).flatMap(([key, directory]) => readWords(directory, idsFile(key, file)))
  return [...new Set(ids.map(Number))].sort((a, b) => a - b)
}

/** Moves processes or threads into the group. @throws OPTION_INVALID, CGROUP_WRITE_REFUSED */
export async function moveIds(
  { directories }: GroupPaths,
  ids: readonly number[],
  file: 'cgroup.procs' | 'cgroup.threads',
): Promise<void> {
  for (const id of ids)
    if (!Number.isSafeInteger(id) || id < 1)
      throw fail('OPTION_INVALID', {
        name: 'the process id',
        value: id,
        why: 'not a process id',
        accepted: 'a whole number, at least 1',
      })
  for (const [key, directory] of Object.entries(directories))
    for (const id of ids) {
      const name = idsFile(key, file)
      const errno = await writeGroupFileAsync(directory, name, String(id))
      if (errno !== undefined) throw explainWrite({ directory, file: name, value: String(id), errno })
    }
}

/** Returns the name of the file in the hierarchy `key`: v1 lists threads in `tasks`. */
function idsFile(key: string, file: string): string {
  return key !== '' && file === 'cgroup.threads' ? 'tasks' : file
}

/** Reclaims memory from the group. Returns false if the kernel reclaimed less. @throws OPTION_INVALID, CGROUP_WRITE_REFUSED */
export async function reclaimMemory({ directories }: GroupPaths, amount: number | string): Promise<boolean> {
  const bytes = parseSize(amount)
  if (typeof bytes !== 'number')
    throw fail('OPTION_INVALID', { name: 'amount', value: amount, accepted: 'a size such as 50M' })
  const legacy = directories.memory
  const directory = legacy ?? directories['']
  const file = legacy === undefined ? 'memory.reclaim' : 'memory.force_empty'
  const errno = await writeGroupFileAsync(directory!, file, legacy === undefined ? String(bytes) : '0')
  if (errno === 'EAGAIN' || errno === 'EBUSY') return false
  if (errno !== undefined) throw explainWrite({ directory: directory!, file, value: String(bytes), errno })
  return true
}

/** Removes the group, and the default parent if it was the last child. @throws the errors of `killGroup` and `removeGroup` */
export async function dropGroup(paths: GroupPaths, options: { recursive?: boolean; kill?: boolean }): Promise<void> {
  const { recursive = false, kill = false } = options
  if (kill) await killGroup(paths)
  await removeGroup(paths, recursive)
  removeDefaultParent(readHost(), paths)
}
