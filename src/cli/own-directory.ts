// SPDX-License-Identifier: Apache-2.0
// Directories for temporary files that outlive neither their process nor, after kill -9, the next run of the same command.
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { readStartTime } from '../cgroup/sweep.ts'
import { fail } from '../errors.ts'
import { readHost } from '../host/host.ts'

/** Makes `hutch-COMMAND-PID-START-PIDNS-XXXXXX`: the name tells `removeAbandoned` who made it. @throws FILE_REFUSED */
export function ownDirectory(command: 'replay' | 'tour'): string {
  const { pid, startTime, pidNamespace } = readHost().owner
  try {
    return mkdtempSync(`${tmpdir()}/hutch-${command}-${pid}-${startTime}-${pidNamespace}-`)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    const remedy = `name a directory for temporary files that can be written: TMPDIR=DIR hutch ${command} ...`
    throw fail('FILE_REFUSED', { what: 'make a directory in', path: tmpdir(), errno: code, remedy }, error)
  }
}

/** Removes this user's directories of a command whose process was killed before it could remove them. */
export function removeAbandoned(command: 'replay' | 'tour'): void {
  const { pidNamespace } = readHost().owner
  const shape = new RegExp(`^hutch-${command}-(\\d+)-(\\d+)-(\\d+)-\\w+$`)
  for (const name of namesIn(tmpdir())) {
    const [, pid, startTime, namespace] = shape.exec(name) ?? []
    if (pid === undefined || namespace !== pidNamespace || readStartTime(pid) === startTime) continue
    const path = `${tmpdir()}/${name}`
    // one of another user's could turn into something else while it is removed
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found?.isDirectory() && found.uid === process.getuid?.()) rmSync(path, { recursive: true, force: true })
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
