// SPDX-License-Identifier: Apache-2.0
// Writes the file that tells a caller the process id.

import { fail } from '../../errors/errors.ts'
import { closeSync, openSync, renameSync, rmSync, writeFileSync } from '../../system/files.ts'
import { basename, dirname } from '../../system/paths.ts'
import { encodePath } from '../../text/non-utf8.ts'

/** Writes a process id as decimal digits. The file appears whole under its name. @throws FILE_REFUSED */
export function writePidFile(path: string, pid: number): void {
  const part = `${dirname(path)}/.${basename(path)}`
  try {
    // what has this name is not written through: a job can have put a link there
    rmSync(encodePath(part), { force: true })
    const fd = openSync(encodePath(part), 'wx', 0o644)
    try {
      writeFileSync(fd, String(pid))
    } finally {
      closeSync(fd)
    }
    renameSync(encodePath(part), encodePath(path))
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
    throw fail('FILE_REFUSED', { what: 'write', path, errno, remedy: 'give a file that this user can write' }, error)
  }
}
