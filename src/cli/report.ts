// SPDX-License-Identifier: Apache-2.0
// Documents about a run (--report, --meta, --learn --force): written whole or not at all.
import { fail, type HutchError } from '../errors.ts'
import { formatJson } from '../quote.ts'
import type { Result } from '../run/result.ts'
import { type Document, openDocument } from './document.ts'

/** Opens a document before the command runs, so that one that cannot be written is refused now. @throws FILE_REFUSED */
export function openReport(path: string, flag: string): Document {
  const write = refusing(path, flag, () => openDocument(path))
  return (content, options) => refusing(path, flag, () => write(content, options))
}

function refusing<T>(path: string, flag: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
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
