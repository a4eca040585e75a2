// SPDX-License-Identifier: Apache-2.0
// Standard output, whole: what is long does not fit into a pipe at once, and a pipe that somebody set non-blocking says so.

import { fail } from '../errors/errors.ts'
import { escapeText } from '../text/quote.ts'
import { pause } from './clock.ts'
import { writeSync } from './files.ts'

/** All of it, with what steers a terminal escaped, also into a pipe that takes only some at a time. */
export function print(text: string): void {
  for (
    let bytes: Buffer | undefined = Buffer.from(escapeText(text, text.includes('\x1b') && process.stdout.isTTY));
    bytes && bytes.length > 0;
  ) {
    const left: number = bytes.length
    bytes = write(bytes)
    if (bytes?.length === left) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  }
}

/** As `print`, while all else goes on: false as soon as nobody reads any more, or it is over before somebody does. */
export async function printOn(text: string, isOver: () => boolean): Promise<boolean> {
  // a pipe does not block as soon as it is a stream
  void process.stdout
  let bytes: Buffer | undefined = Buffer.from(escapeText(text, text.includes('\x1b') && process.stdout.isTTY))
  while (bytes && bytes.length > 0) {
    const left: number = bytes.length
    bytes = write(bytes)
    if (bytes?.length !== left) continue
    if (isOver()) return false
    await pause(20)
  }
  return bytes !== undefined
}

/** What is left; undefined when nobody reads. @throws FILE_REFUSED */
function write(bytes: Buffer): Buffer | undefined {
  try {
    return bytes.subarray(writeSync(1, bytes))
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'EPIPE') return undefined
    if (code === 'EAGAIN') return bytes
    const remedy = 'check that the disk has free space'
    throw fail('FILE_REFUSED', { what: 'write to', path: 'standard output', errno: code, remedy }, error)
  }
}
