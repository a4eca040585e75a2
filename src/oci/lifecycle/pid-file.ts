// SPDX-License-Identifier: Apache-2.0
// Writes the file that tells a caller the process id.

import { fail } from '../../errors/errors.ts'
import { closeSync, fileConstants, openSync, renameSync, writeFileSync } from '../../system/files.ts'
import { basename, dirname } from '../../system/paths.ts'
import { encodePath } from '../../text/non-utf8.ts'

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = fileConstants

/** Writes a process id as decimal digits. The file appears whole under its name. @throws FILE_REFUSED */
export function writePidFile(path: string, pid: number): void {
  const part = `${dirname(path)}/.${basename(path)}`
  try {
    // a job can have put a link there, which is not written through
    const fd = openSync(encodePath(part), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644)
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
