// SPDX-License-Identifier: Apache-2.0
// The records of deleted containers, ROOT/.ended/ID.json: writes, finds and reads them.

import { keepFile } from '../../container/own-file.ts'
import { isContainerId } from '../../container/state.ts'
import { fail } from '../../errors/errors.ts'
import { readdirSync } from '../../system/files.ts'
import { readForeignFile } from '../../system/text-file.ts'
import { parseJson } from '../../text/json.ts'
import type { Explanation } from '../../why/explanation.ts'
import { isCause } from '../../why/report.ts'
import type { PlainEnd } from './plain-end.ts'

/** What is known of a deleted container. */
interface EndRecord {
  version: typeof recordVersion
  id: string
  bundle: string
  /** Time of the deletion: RFC 3339 in UTC. */
  ended: string
  /** The facts of an end in which the kernel killed and refused nothing; absent if there is an explanation. */
  plain?: PlainEnd
  /** The causes in words. */
  explanation?: Explanation
}

export const recordVersion = 1

/** The directory of the records. */
const ended = { name: '.ended', most: 200 } as const
const suffix = '.json'
const maxRecordBytes = 1 << 20

/** Writes a record. @throws FILE_REFUSED, and the errors of system calls */
export function writeEnd(root: string, record: EndRecord): void {
  keepFile(root, ended, `${record.id}${suffix}`, `${JSON.stringify(record)}\n`)
}

/** Returns the ids of the records below a root, or none if they cannot be listed. */
export function listEnds(root: string): string[] {
  try {
    return (readdirSync(`${root}/${ended.name}`) as string[])
      .filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, -suffix.length))
      .filter(isContainerId)
  } catch {
    return []
  }
}

/** Reads a record, which another user may have written. @throws CONTAINER_STATE_INVALID, FILE_REFUSED */
export function readEnd(root: string, id: string): EndRecord {
  const path = `${root}/${ended.name}/${id}${suffix}`
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
  if (!isObject(value)) return false
  const { version, id, bundle, ended, plain, explanation } = value as Partial<EndRecord>
  if (version !== recordVersion || ![id, bundle, ended].every(isText)) return false
  return plain === undefined ? isExplanation(explanation) : isPlainEnd(plain)
}

const isObject = (value: unknown): value is { [key: string]: unknown } => typeof value === 'object' && value !== null
const isTexts = (value: unknown) => isObject(value) && Object.values(value).every(isText)

/** Times in milliseconds that a Date can have. */
const isTime = (value: unknown) => typeof value === 'number' && Math.abs(value) <= 8.64e15

function isPlainEnd(value: unknown): boolean {
  if (!isObject(value)) return false
  const { annotations, groups, status, signals, waitStatus, figures } = value
  return (
    isTexts(annotations) &&
    isTexts(figures) &&
    isText(status) &&
    isOptional(waitStatus, Number.isInteger) &&
    Array.isArray(groups) &&
    groups.every((place) => isObject(place) && isText(place.controller) && isText(place.directory)) &&
    Array.isArray(signals) &&
    signals.every((sent) => isObject(sent) && Number.isInteger(sent.signal) && isTime(sent.at))
  )
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
