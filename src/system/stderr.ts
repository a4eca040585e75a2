// SPDX-License-Identifier: Apache-2.0
// Writes hutch's own messages to stderr. A closed or blocked stderr neither ends nor delays hutch.

import { escapeText, escapeUnsafe } from '../text/quote.ts'
import { pauseSync } from './clock.ts'
import { writeSync } from './files.ts'

const pauseMs = 5
const patienceMs = 1000

/**
 * Writes the whole text, with control characters escaped. If stderr is full and another process has made it
 * non-blocking, waits at most one second, then drops the rest. The exit status and the result files of a run matter
 * more.
 */
export function writeStderr(text: string): void {
  write(escapeText(text, text.includes('\x1b') && process.stderr.isTTY))
}

/** Replaces the progress line on a terminal, or removes it if the text is empty. Writes nothing if stderr is not a terminal. */
export function showProgress(text: string): void {
  if (!process.stderr.isTTY) return
  const line = escapeUnsafe(text).slice(0, Math.max(0, (process.stderr.columns || 80) - 1))
  write(`\r\x1b[K${line}`)
}

function write(text: string): void {
  let bytes = Buffer.from(text)
  for (let waited = 0; bytes.length > 0 && waited < patienceMs; )
    try {
      bytes = bytes.subarray(writeSync(2, bytes))
      waited = 0
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      pauseSync(pauseMs)
      waited += pauseMs
    }
}
