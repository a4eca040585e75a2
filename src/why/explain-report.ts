// SPDX-License-Identifier: Apache-2.0
// Explains how a run ended, from its report and from what the kernel's log contains about its group.

import { fail, HutchError } from '../errors/errors.ts'
import { closeSync, fileConstants, fstatSync, openSync, readFileSync, statSync } from '../system/files.ts'
import { availableParallelism } from '../system/machine.ts'
import { encodePath } from '../text/non-utf8.ts'
import { isNode, isNodeVictim, parseHeapFlag } from '../verdict/node-heap.ts'
import type { ExplanationDraft, WhyCause } from './explanation.ts'
import { addAdvice } from './group.ts'
import { killsIn, readLog } from './kernel-log.ts'
import { memoryCauses } from './memory.ts'
import { type Report, reportCauses } from './report.ts'

/** Explains a report. `path` is the path of the run's group. */
export function explainReport(report: Report, name: string, path: string | undefined): ExplanationDraft {
  const log = readLog()
  const kills = path === undefined ? [] : killsIn(log, path, true)
  const [first, ...more] = reportCauses(report, availableParallelism())
  const causes = [withLog(first!, report, path ?? '', kills), ...more]
  return {
    cause: report.cause,
    target: { kind: 'report', name, there: true, ...(path !== undefined && { path }) },
    causes: first!.cause === 'exit' && report.exitCode === 0 && more.length > 0 ? [...more, causes[0]!] : causes,
    unknown: first!.cause === 'oom' && kills.length === 0 ? log.limits : [],
  }
}

/** Adds what a report of version 1 lacks: the killed processes, times, and advice for Node. */
function withLog(cause: WhyCause, report: Report, path: string, kills: ReturnType<typeof killsIn>): WhyCause {
  if (cause.cause !== 'oom') return cause
  // only reports of version 1 lack the killed processes
  const wanted = new Set(['by hand', 'log', ...(report.cause?.victims ? [] : ['victim'])])
  const logged = memoryCauses({ name: '', path, levels: [], below: [], kills }).at(0)
  const more = logged?.evidence.filter(([label]) => wanted.has(label)) ?? []
  const limit = report.limits['memory.max']
  const own = cause.whose === 'own' && typeof limit === 'number' ? limit : undefined
  const extended = {
    ...cause,
    ...(own !== undefined && { maximum: own }),
    ...(logged && { last: logged.last!, victims: logged.victims! }),
    evidence: [...cause.evidence, ...more],
  }
  const isVictim = report.cause ? isNodeVictim(report.cause) : isNode(report.command)
  if (own === undefined || !isVictim) return extended
  const advised = addAdvice(extended, own, parseHeapFlag(report.command), isNode(report.command) ? 'argv' : 'nothing')
  // reports of version 2 contain the advice for Node among their remedies
  return report.cause && cause.remedy !== undefined ? { ...advised, remedy: cause.remedy } : advised
}

/** Maximum size of a report in bytes. A larger file cannot be a report. */
const longestReport = 4 * 2 ** 20

/** Returns true if the path is a regular file. */
export function isFile(path: string): boolean {
  try {
    return !path.includes('\0') && statSync(encodePath(path)).isFile()
  } catch {
    return false
  }
}

/** Reads the text of a report. @throws FILE_REFUSED, REPORT_INVALID */
export function readReport(path: string): string {
  let fd: number | undefined
  try {
    fd = openSync(encodePath(path), fileConstants.O_RDONLY | fileConstants.O_NONBLOCK | fileConstants.O_NOCTTY)
    const file = fstatSync(fd)
    if (!file.isFile()) throw fail('REPORT_INVALID', { path, why: 'not a regular file' })
    const { size } = file
    if (size > longestReport) throw fail('REPORT_INVALID', { path, why: 'too long' })
    return readFileSync(fd, 'utf8')
  } catch (error) {
    if (HutchError.is(error)) throw error
    const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
    throw fail('FILE_REFUSED', { what: 'read the report', path, errno, remedy: 'give a file that can be read' }, error)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
