// SPDX-License-Identifier: Apache-2.0
// Writes the runtime's messages: an error to the log and to stderr, other messages to the log only, and only with --debug. Some callers read
// the whole log as one JSON object, so a failed command writes exactly one line.

import { closeSync, openSync, writeSync } from '../system/files.ts'
import { writeStderr } from '../system/stderr.ts'
import type { GlobalOptions } from './arguments.ts'

type LogOptions = Pick<GlobalOptions, 'log' | 'logFormat' | 'debug'>

/** Writes the error that ended a command. */
export function reportError(options: LogOptions, message: string): void {
  if (options.log !== undefined) append(options.log, formatLine(options, 'error', message))
  const isJson = options.log === undefined && options.logFormat === 'json'
  writeStderr(isJson ? formatLine(options, 'error', message) : `hutch-oci: ${message}\n`)
}

/** Writes a message that is not an error, with --debug. Never writes to stdout, or to stderr of a command that succeeds. */
export function logDebug(options: LogOptions, message: string, level: 'debug' | 'warning' = 'debug'): void {
  if (options.debug && options.log !== undefined) append(options.log, formatLine(options, level, message))
}

function formatLine({ logFormat }: LogOptions, level: string, message: string): string {
  const time = `${new Date().toISOString().slice(0, -5)}Z`
  return logFormat === 'json'
    ? `${JSON.stringify({ level, msg: message, time })}\n`
    : `time="${time}" level=${level} msg=${JSON.stringify(message)}\n`
}

/** A log that cannot be written changes nothing: the error is on stderr, too. */
function append(path: string, line: string): void {
  try {
    const fd = openSync(path, 'a', 0o644)
    try {
      writeSync(fd, Buffer.from(line))
    } finally {
      closeSync(fd)
    }
  } catch {
    // ignored
  }
}
