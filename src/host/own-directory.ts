// SPDX-License-Identifier: Apache-2.0
// Creates directories for temporary files. Each ends with its process or, after kill -9, at the next run of the same command.

import { fail } from '../errors/errors.ts'
import { lstatSync, mkdtempSync, readdirSync, rmSync, tmpdir } from '../system/files.ts'
import { closeDescriptor } from '../system/native.ts'
import { claimDirectory, takeOver } from './claim.ts'
import { readHost } from './host.ts'

/** Creates a temporary directory `hutch-COMMAND-PID-PIDNS-XXXXXX`, and holds a lock on it until this process ends. @throws FILE_REFUSED */
export function ownDirectory(command: 'replay' | 'tour'): string {
  const { pid, pidNamespace } = readHost().owner
  try {
    const path = mkdtempSync(`${tmpdir()}/hutch-${command}-${pid}-${pidNamespace}-`)
    claimDirectory(path)
    return path
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    const remedy = `name a directory for temporary files that can be written: TMPDIR=DIR hutch ${command} ...`
    throw fail('FILE_REFUSED', { what: 'make a directory in', path: tmpdir(), errno: code, remedy }, error)
  }
}

/**
 * Removes stale temporary directories of a command. They belong to this user, and to processes that were killed before they could remove
 * them.
 */
export function removeAbandoned(command: 'replay' | 'tour'): void {
  const { pidNamespace } = readHost().owner
  const shape = new RegExp(`^hutch-${command}-(\\d+)-(\\d+)-\\w+$`)
  for (const name of namesIn(tmpdir())) {
    const [, pid, namespace] = shape.exec(name) ?? []
    const path = `${tmpdir()}/${name}`
    // only this user's directories: another user could replace one of theirs during the removal
    const found = pid === undefined ? undefined : lstatSync(path, { throwIfNoEntry: false })
    if (!found?.isDirectory() || found.uid !== process.getuid?.()) continue
    const lock = takeOver(path, namespace === pidNamespace ? Number(pid) : undefined)
    if (lock === undefined) continue
    rmSync(path, { recursive: true, force: true })
    closeDescriptor(lock)
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
