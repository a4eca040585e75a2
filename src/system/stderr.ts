// SPDX-License-Identifier: Apache-2.0
// Standard error of hutch's own: what it says must neither end it nor hold it up.

import { escapeText } from '../text/quote.ts'
import { writeSync } from './files.ts'

const pauseMs = 5
const patienceMs = 1000

/**
 * Writes the whole text, with control characters escaped. A stream that another process made non-blocking has one second to accept more.
 * The rest is dropped, because the exit status and the documents of a run matter more.
 */
export function tell(text: string): void {
  let bytes = Buffer.from(escapeText(text, text.includes('\x1b') && process.stderr.isTTY))
  for (let waited = 0; bytes.length > 0 && waited < patienceMs; )
    try {
      bytes = bytes.subarray(writeSync(2, bytes))
      waited = 0
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs)
      waited += pauseMs
    }
}
