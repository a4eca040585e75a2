// SPDX-License-Identifier: Apache-2.0
// Standard output, whole: what is long does not fit into a pipe at once, and a pipe that somebody set non-blocking says so.
import { writeSync } from 'node:fs'

/** All of it, also into a pipe that takes only some at a time. */
export function print(text: string): void {
  let bytes = Buffer.from(text)
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') return
      if (code !== 'EAGAIN') throw error
    }
  }
}
