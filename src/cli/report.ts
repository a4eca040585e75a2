// SPDX-License-Identifier: Apache-2.0
// Writes documents about a run (--report, --meta, --learn --force) completely or not at all.
import { reportRows } from '../cgroup/controllers/report-rows.generated.ts'
import { fail, type HutchError } from '../errors/errors.ts'
import { type Document, openDocument } from '../system/output-file.ts'
import { formatJson } from '../text/quote.ts'
import type { Result } from '../verdict/result.ts'

/** Opens a report file before the command runs, so that a file that cannot be written is refused early. @throws FILE_REFUSED */
export function openReport(name: string, flag: string): Document {
  const path = descriptorPath(name) ?? name
  const write = refusing(path, flag, () => openDocument(path))
  return (content, options) => refusing(path, flag, () => write(content, options))
}

/** Returns the path of the descriptor that the name `-` (standard output) or `fd:N` means; undefined for other names. */
function descriptorPath(name: string): string | undefined {
  if (name === '-') return '/dev/stdout'
  return /^fd:\d{1,9}$/.test(name) ? `/dev/fd/${name.slice(3)}` : undefined
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
  '--html': 'the page',
}

function refused(path: string, flag: string, error: unknown): HutchError {
  const { code = 'EIO' } = error as NodeJS.ErrnoException
  const remedy = `give ${flag} a file in a directory that exists and can be written`
  return fail('FILE_REFUSED', { what: `write ${documents[flag]}`, path, errno: code, remedy }, error)
}

/** Versions of the report that can be requested. A report of version 1 has no cause. */
export type ReportVersion = 1 | 2

/** Returns the report of a run, without the command's output: the document that report.schema.json or report.v1.schema.json describes. */
function makeReport(result: Result, version: ReportVersion = 2): object {
  const { stdout: _stdout, stderr: _stderr, cause, ...report } = result
  if (version !== 1) return { schemaVersion: version, ...report, cause }
  const later = new Set(reportRows.flatMap(({ name, since }) => (since ? [name] : [])))
  return { ...report, usage: Object.fromEntries(Object.entries(report.usage).filter(([name]) => !later.has(name))) }
}

/**
 * Returns the report as text for the file `name`. For a descriptor it is one line. On standard output it begins on a new line after the
 * job's output.
 */
export function formatReport(result: Result, name: string, version: ReportVersion = 2): string {
  const report = makeReport(result, version)
  if (name === '-') return `\n${formatJson(report)}\n`
  return `${formatJson(report, descriptorPath(name) === undefined ? 2 : undefined)}\n`
}
