// SPDX-License-Identifier: Apache-2.0
// Standard output, whole: what is long does not fit into a pipe at once, and a pipe that somebody set non-blocking says so.
import { writeSync } from 'node:fs'
import { fail } from '../errors.ts'

/** All of it, also into a pipe that takes only some at a time. @throws FILE_REFUSED */
export function print(text: string): void {
  let bytes = Buffer.from(text)
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') return
      if (code === 'EAGAIN') continue
      throw fail(
        'FILE_REFUSED',
        { what: 'write to', path: 'standard output', errno: code ?? 'EIO', remedy: 'see whether there is space left' },
        error,
      )
    }
  }
}
