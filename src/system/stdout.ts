// SPDX-License-Identifier: Apache-2.0
// Writes to stdout completely, even if it is a pipe that accepts only a part, or is non-blocking.

import { fail } from '../errors/errors.ts'
import { escapeText } from '../text/quote.ts'
import { pause, pauseSync } from './clock.ts'
import { writeSync } from './files.ts'

/** Writes a text, with control characters escaped. */
export function print(text: string): void {
  for (
    let bytes: Buffer | undefined = Buffer.from(escapeText(text, text.includes('\x1b') && process.stdout.isTTY));
    bytes && bytes.length > 0;
  ) {
    const left: number = bytes.length
    bytes = write(bytes)
    if (bytes?.length === left) pauseSync(5)
  }
}

/**
 * Writes a text without blocking the event loop. Returns false if the reader has closed its end of the pipe, or as soon
 * as `isOver` returns true.
 */
export async function printOn(text: string, isOver: () => boolean): Promise<boolean> {
  // accessing process.stdout makes Node use the pipe as a stream, and thus non-blocking
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

/** Writes as many bytes as stdout accepts. Returns the rest, or undefined if the reader has closed its end. @throws FILE_REFUSED */
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
