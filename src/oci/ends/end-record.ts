// SPDX-License-Identifier: Apache-2.0
// The records of deleted containers, ROOT/.ended/ID.json: writes, finds and reads them.

import { isContainerId } from '../../container/state.ts'
import { fail } from '../../errors/errors.ts'
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from '../../system/files.ts'
import { randomBytes } from '../../system/random.ts'
import { readForeignFile } from '../../system/text-file.ts'
import { parseJson } from '../../text/json.ts'
import type { Cause } from '../../verdict/cause.ts'
import type { Explanation } from '../../why/explanation.ts'
import { isCause } from '../../why/report.ts'

/** What is known of a deleted container. */
interface EndRecord {
  version: typeof recordVersion
  id: string
  bundle: string
  /** Time of the deletion: RFC 3339 in UTC. */
  ended: string
  cause: Cause
  /** The cause in words, with all others. */
  explanation: Explanation
}

export const recordVersion = 1

/** Directory of the records. No id of a container begins with a dot. */
const endedDirectory = '.ended'
const suffix = '.json'
/** The number of records that are kept, the newest. */
const keptAtMost = 200
const maxRecordBytes = 1 << 20

/**
 * Writes a record. Refuses a directory that another user can change: its names could lead elsewhere.
 *
 * @throws FILE_REFUSED, and the errors of system calls
 */
export function writeEnd(root: string, record: EndRecord): void {
  const directory = `${root}/${endedDirectory}`
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const path of [root, directory]) {
    const stat = lstatSync(path)
    if ((path === directory && !stat.isDirectory()) || stat.uid !== process.geteuid!() || (stat.mode & 0o022) !== 0)
      throw fail('FILE_REFUSED', {
        what: 'keep the end of a container in',
        path,
        errno: 'EACCES',
        remedy: 'give a --root that only this user can write',
      })
  }
  const fresh = `${directory}/~${randomBytes(8).toString('hex')}`
  try {
    writeFileSync(fresh, `${JSON.stringify(record)}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(fresh, `${directory}/${record.id}${suffix}`)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
  removeOldest(directory)
}

function removeOldest(directory: string): void {
  const names = readdirSync(directory) as string[]
  if (names.length <= keptAtMost) return
  const ages = names.map((name) => ({
    name,
    at: statSync(`${directory}/${name}`, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }))
  for (const { name } of ages.sort((a, b) => b.at - a.at).slice(keptAtMost))
    rmSync(`${directory}/${name}`, { force: true })
}

/** Returns the ids of the records below a root, or none if they cannot be listed. */
export function listEnds(root: string): string[] {
  try {
    return (readdirSync(`${root}/${endedDirectory}`) as string[])
      .filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, -suffix.length))
      .filter(isContainerId)
  } catch {
    return []
  }
}

/** Reads a record, which another user may have written. @throws CONTAINER_STATE_INVALID, FILE_REFUSED */
export function readEnd(root: string, id: string): EndRecord {
  const path = `${root}/${endedDirectory}/${id}${suffix}`
  let value: unknown
  try {
    value = parseJson(readForeignFile(path, maxRecordBytes))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw fail('END_RECORD_INVALID', { path, why: code ?? message }, error)
  }
  if (!isRecord(value) || value.id !== id) throw fail('END_RECORD_INVALID', { path, why: 'not the end of a container' })
  return value
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isOptional = (value: unknown, test: (value: unknown) => boolean) => value === undefined || test(value)

/** Checks every field that is used. */
function isRecord(value: unknown): value is EndRecord {
  if (typeof value !== 'object' || value === null) return false
  const { version, id, bundle, ended, cause, explanation } = value as Partial<EndRecord>
  return version === recordVersion && [id, bundle, ended].every(isText) && isCause(cause) && isExplanation(explanation)
}

function isExplanation(value: unknown): value is Explanation {
  if (typeof value !== 'object' || value === null) return false
  const { target, cause, causes, unknown } = value as Partial<Explanation>
  return (
    typeof target === 'object' &&
    target !== null &&
    isText(target.name) &&
    isOptional(target.path, isText) &&
    isCause(cause) &&
    Array.isArray(causes) &&
    causes.length > 0 &&
    causes.every(isFinding) &&
    Array.isArray(unknown) &&
    unknown.every(isText)
  )
}

function isFinding(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { cause, headline, evidence, remedy } = value as Partial<Explanation['causes'][number]>
  return (
    isText(cause) &&
    isText(headline) &&
    Array.isArray(evidence) &&
    evidence.every((line) => Array.isArray(line) && line.length === 2 && line.every(isText)) &&
    isOptional(remedy, isText)
  )
}
