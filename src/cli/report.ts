// SPDX-License-Identifier: Apache-2.0
// --report FILE: the result as one JSON document, whole or not at all.
import { accessSync, constants, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fail } from '../errors.ts'
import type { Result } from '../run/result.ts'

/** Before the command runs: a report that cannot be written afterwards is told now. @throws FILE_REFUSED */
export function checkReportPath(path: string): void {
  try {
    const existing = statSync(path, { throwIfNoEntry: false })
    accessSync(existing ? path : dirname(path), constants.W_OK)
    if (!existing?.isDirectory()) return
  } catch (error) {
    throw fail(
      'FILE_REFUSED',
      {
        what: 'write the report',
        path,
        errno: (error as NodeJS.ErrnoException).code ?? 'EIO',
        remedy: 'give --report a file in a directory that exists and can be written',
      },
      error,
    )
  }
  throw fail('FILE_REFUSED', {
    what: 'write the report',
    path,
    errno: 'EISDIR',
    remedy: 'give --report a file, this is a directory',
  })
}

/** A regular file is replaced in one step; a pipe or device is written to. @throws FILE_REFUSED */
export function writeReport(path: string, result: Result): void {
  const text = `${JSON.stringify(makeReport(result), null, 2)}\n`
  try {
    const existing = statSync(path, { throwIfNoEntry: false })
    if (existing && !existing.isFile()) {
      writeFileSync(path, text)
      return
    }
    const draft = `${path}.${process.pid}`
    try {
      writeFileSync(draft, text, { flag: 'wx' })
      renameSync(draft, path)
    } catch (error) {
      unlinkSync(draft)
      throw error
    }
  } catch (error) {
    throw fail(
      'FILE_REFUSED',
      {
        what: 'write the report',
        path,
        errno: (error as NodeJS.ErrnoException).code ?? 'EIO',
        remedy: 'give --report a file that can be written',
      },
      error,
    )
  }
}

/** What report.schema.json describes: the result without what the command wrote. */
export function makeReport(result: Result): Omit<Result, 'stdout' | 'stderr'> {
  const { stdout: _stdout, stderr: _stderr, ...report } = result
  return report
}
