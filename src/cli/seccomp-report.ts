// SPDX-License-Identifier: Apache-2.0
// Prints refused system calls for hutch run, and writes the file of --learn. Loaded only if requested.

import { fail } from '../errors/errors.ts'
import { formatRefused } from '../seccomp/notification.ts'
import { existsSync } from '../system/files.ts'
import type { Document } from '../system/output-file.ts'
import { writeStderr } from '../system/stderr.ts'
import { encodePath } from '../text/non-utf8.ts'
import { formatJson } from '../text/quote.ts'
import type { JobEvent, Result } from '../verdict/result.ts'
import type { Parsed } from './flags.ts'
import { openReport } from './report.ts'

/** Prints a line for the first refused system call of each kind. */
export function reportRefused({ refusal }: JobEvent): void {
  if (refusal) writeStderr(`hutch: ${formatRefused(refusal)}\n`)
}

/** Prints at the end which system calls were refused more than once, and how often. */
export function reportCounts({ seccomp }: Result): void {
  for (const { call, args, program, count } of seccomp?.refused ?? [])
    if (count > 1) writeStderr(`hutch: refused ${count} times: ${call}(${args}) of ${program}\n`)
  if (seccomp && seccomp.others > 0) writeStderr(`hutch: refused ${seccomp.others} times: calls of other kinds\n`)
}

/** Opens the file to which --learn writes a seccomp profile. @throws FILE_REFUSED */
export function openLearn(values: Parsed['values']): ((result: Result) => void) | undefined {
  const path = values.learn?.at(-1)
  if (path === undefined) return undefined
  const write = openReport(path, '--learn')
  if (!values.force && existsSync(encodePath(path))) throw refused(path, 'EEXIST')
  return (result) => writeLearned(path, write, result, values.force !== undefined)
}

/**
 * Writes the learnt seccomp profile completely or not at all. A file that another process created meanwhile is kept, unless `force` is
 * true. @throws FILE_REFUSED
 */
function writeLearned(path: string, write: Document, { learned, reason }: Result, force: boolean): void {
  // if no program was executed, only calls before the exec were seen: a profile of these is useless
  if (reason === 'not-found' || reason === 'not-executable') return
  if (!learned)
    throw fail('FILE_REFUSED', {
      what: 'write the profile',
      path,
      errno: 'ENODATA',
      remedy: 'check why the command did not start: nothing was learnt',
    })
  try {
    write(`${formatJson(learned, 2)}\n`, { keepsExisting: !force })
  } catch (error) {
    if ((error as { cause?: NodeJS.ErrnoException }).cause?.code === 'EEXIST') throw refused(path, 'EEXIST', error)
    throw error
  }
}

function refused(path: string, errno: string, error?: unknown) {
  const remedy =
    errno === 'EEXIST'
      ? 'give --learn another file, or --force to replace it'
      : 'give --learn a file in a directory that exists and can be written'
  return fail('FILE_REFUSED', { what: 'write the profile', path, errno, remedy }, error)
}
