// SPDX-License-Identifier: Apache-2.0
// Opens the files of --stdin, --stdout and --stderr as a shell would: with the caller's rights, outside the job's root.

import { fail } from '../errors/errors.ts'
import type { StreamEnd } from '../run/stdio.ts'
import { closeSync, fileConstants, fstatSync, ftruncateSync, openSync } from '../system/files.ts'
import { isDescriptor, ownDescriptor } from '../system/output-file.ts'
import { encodePath } from '../text/non-utf8.ts'

/**
 * Returns the streams for the command. A stream that an option redirects is a descriptor of the named file; otherwise it is the caller's
 * stream. @throws FILE_REFUSED
 */
export function openRedirections(
  files: { [stream in 'stdin' | 'stdout' | 'stderr']: string | undefined },
): [StreamEnd, StreamEnd, StreamEnd] {
  const stdin = files.stdin === undefined ? 'inherit' : openFile('--stdin', files.stdin, fileConstants.O_RDONLY)
  const stdout = openOutput('--stdout', files.stdout)
  return [stdin, stdout, openOutput('--stderr', files.stderr, stdout)]
}

/**
 * Opens a file for output. If the other stream uses the same file, they share the descriptor, so that neither overwrites the other's
 * output.
 */
function openOutput(flag: string, path: string | undefined, other: StreamEnd = 'inherit'): StreamEnd {
  if (path === undefined) return 'inherit'
  const own = ownDescriptor(path)
  // for /dev/stdin and similar, use the descriptor itself: a socket cannot be opened by name, and a file keeps its position
  if (own !== undefined) return refusing(flag, path, () => (fstatSync(own), own))
  const fd = openFile(
    flag,
    path,
    fileConstants.O_WRONLY | fileConstants.O_CREAT | (isDescriptor(path) ? 0 : fileConstants.O_NOFOLLOW),
  )
  const file = fstatSync(fd)
  if (typeof other === 'number') {
    const open = fstatSync(other)
    if (open.dev === file.dev && open.ino === file.ino) {
      closeSync(fd)
      return other
    }
  }
  if (file.isFile()) ftruncateSync(fd)
  return fd
}

function openFile(flag: string, path: string, flags: number): number {
  return refusing(flag, path, () => openSync(encodePath(path), flags, 0o666))
}

function refusing<T>(flag: string, path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    const remedy =
      flag === '--stdin'
        ? `give ${flag} a file that is there and can be read`
        : code === 'ELOOP'
          ? `the name is a symbolic link, which an earlier job may have left: give ${flag} the file itself`
          : `give ${flag} a file that can be written, in a directory that is there`
    throw fail('FILE_REFUSED', { what: flag === '--stdin' ? 'read' : 'write', path, errno: code, remedy }, error)
  }
}
