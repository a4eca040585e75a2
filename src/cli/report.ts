// SPDX-License-Identifier: Apache-2.0
// Documents about a run (--report, --meta, --learn --force): written whole or not at all.
import { accessSync, constants, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fail, type HutchError } from '../errors.ts'
import { formatJson } from '../quote.ts'
import type { Result } from '../run/result.ts'

/** Before the command runs: a document that cannot be written afterwards is told now. @throws FILE_REFUSED */
export function checkDocumentPath(path: string, flag: string): void {
  try {
    const existing = statSync(path, { throwIfNoEntry: false })
    accessSync(existing ? path : dirname(path), constants.W_OK)
    if (!existing?.isDirectory()) return
  } catch (error) {
    throw refused(path, flag, error)
  }
  throw refused(path, flag, { code: 'EISDIR' })
}

/** A regular file is replaced in one step; a pipe or device is written to. @throws FILE_REFUSED */
export function writeDocument(path: string, text: string, flag: string): void {
  const draft = `${path}.${process.pid}`
  try {
    const existing = statSync(path, { throwIfNoEntry: false })
    if (existing && !existing.isFile()) {
      writeFileSync(path, text)
      return
    }
    // a file of that name that is not ours is left alone
    writeFileSync(draft, text, { flag: 'wx' })
  } catch (error) {
    throw refused(path, flag, error)
  }
  try {
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw refused(path, flag, error)
  }
}

const documents: { [flag: string]: string } = {
  '--report': 'the report',
  '--meta': 'the meta file',
  '--learn': 'the profile',
}

function refused(path: string, flag: string, error: unknown): HutchError {
  const { code = 'EIO' } = error as NodeJS.ErrnoException
  const remedy = `give ${flag} a file in a directory that exists and can be written`
  return fail('FILE_REFUSED', { what: `write ${documents[flag]}`, path, errno: code, remedy }, error)
}

/** What report.schema.json describes: the result without what the command wrote. */
export function makeReport(result: Result): Omit<Result, 'stdout' | 'stderr'> {
  const { stdout: _stdout, stderr: _stderr, ...report } = result
  return report
}

export function formatReport(result: Result): string {
  return `${formatJson(makeReport(result), 2)}\n`
}
