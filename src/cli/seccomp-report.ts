// SPDX-License-Identifier: Apache-2.0
// What hutch run prints of refused system calls, and the file that --learn writes. Loaded by those who ask.
import { existsSync, linkSync, rmSync, writeFileSync } from 'node:fs'
import { fail } from '../errors.ts'
import { formatJson } from '../quote.ts'
import type { JobEvent, Result } from '../run/result.ts'
import { formatRefused } from '../seccomp/refused-call.ts'
import type { Parsed } from './flags.ts'
import { checkDocumentPath, writeDocument } from './report.ts'
import { tell } from './stderr.ts'

/** A line for the first call of each kind. */
export function tellRefused({ refusal }: JobEvent): void {
  if (refusal) tell(`hutch: ${formatRefused(refusal)}\n`)
}

/** At the end: what came more than once. */
export function tellCounts({ seccomp }: Result): void {
  for (const { call, args, program, count } of seccomp?.refused ?? [])
    if (count > 1) tell(`hutch: refused ${count} times: ${call}(${args}) of ${program}\n`)
  if (seccomp && seccomp.others > 0) tell(`hutch: refused ${seccomp.others} times: calls of other kinds\n`)
}

/** The file of --learn, which must be one that can be made. @throws FILE_REFUSED */
export function checkLearn(values: Parsed['values']): string | undefined {
  const path = values.learn?.at(-1)
  if (path === undefined) return undefined
  checkDocumentPath(path, '--learn')
  if (!values.force && existsSync(path)) throw refused(path, 'EEXIST')
  return path
}

/** Whole or not at all; a file that came meanwhile is left, unless it was to be replaced. @throws FILE_REFUSED */
export function writeLearned(path: string, { learned, reason }: Result, force: boolean): void {
  // no program ran, which the verdict tells: a profile of the way to its exec would be of use to none
  if (reason === 'not-found' || reason === 'not-executable') return
  if (!learned)
    throw fail('FILE_REFUSED', {
      what: 'write the profile',
      path,
      errno: 'ENODATA',
      remedy: 'see why the command did not start: nothing was learnt',
    })
  const text = `${formatJson(learned, 2)}\n`
  if (force) {
    writeDocument(path, text, '--learn')
    return
  }
  const draft = `${path}.${process.pid}`
  try {
    writeFileSync(draft, text, { flag: 'wx' })
    linkSync(draft, path)
  } catch (error) {
    throw refused(path, (error as NodeJS.ErrnoException).code ?? 'EIO', error)
  } finally {
    rmSync(draft, { force: true })
  }
}

function refused(path: string, errno: string, error?: unknown) {
  const remedy =
    errno === 'EEXIST'
      ? 'give --learn another file, or --force to replace it'
      : 'give --learn a file in a directory that exists and can be written'
  return fail('FILE_REFUSED', { what: 'write the profile', path, errno, remedy }, error)
}
