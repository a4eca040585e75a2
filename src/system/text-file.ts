// SPDX-License-Identifier: Apache-2.0
// Reads text files of bounded size. A larger file, and an endless device, is refused with EFBIG.

import { systemError } from './errors.ts'
import { closeSync, fileConstants, fstatSync, openSync, readSync } from './files.ts'

/** Maximum size of a configuration file in bytes. */
export const maxConfigBytes = 1 << 20

const step = 64 << 10

/**
 * Returns the text of a file, or of an open descriptor.
 *
 * @throws an error of the system call; its code is EFBIG if the file is larger than `maxBytes`
 */
export function readTextFile(file: string | Buffer | number, maxBytes: number): string {
  const fd = typeof file === 'number' ? file : openSync(file, fileConstants.O_RDONLY | fileConstants.O_NOCTTY)
  try {
    const parts: Buffer[] = []
    for (let length = 0; length <= maxBytes; ) {
      const part = Buffer.allocUnsafe(step)
      const count = readSync(fd, part)
      if (count === 0) return Buffer.concat(parts).toString('utf8')
      parts.push(part.subarray(0, count))
      length += count
    }
    throw systemError('read', 'EFBIG', -27)
  } finally {
    if (fd !== file) closeSync(fd)
  }
}

/**
 * Returns the text of a regular file that another user may have made. A symbolic link is refused with ELOOP, any other kind of file with EINVAL.
 * Never waits for another process, as at a FIFO.
 *
 * @throws an error of the system call; its code is EFBIG if the file is larger than `maxBytes`
 */
export function readForeignFile(path: string | Buffer, maxBytes: number): string {
  const { O_RDONLY, O_NOCTTY, O_NONBLOCK, O_NOFOLLOW } = fileConstants
  const fd = openSync(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW)
  try {
    if (!fstatSync(fd).isFile()) throw systemError('read', 'EINVAL', -22)
    return readTextFile(fd, maxBytes)
  } finally {
    closeSync(fd)
  }
}
