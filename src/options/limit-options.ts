// SPDX-License-Identifier: Apache-2.0
// Parses the limits of a job's control group. Each is named as in Docker or by its kernel file. Called by options.ts;
// pure.

import type { FileReader } from '../cgroup/format-file.ts'
import type { LimitWrite } from '../cgroup/v1/translate.ts'
import { fail } from '../errors/errors.ts'
import type { LibraryCall } from './calls.ts'
import { specFrontends } from './frontends.ts'
import type { Limits } from './limit-words.ts'
import { optionName } from './names.ts'
import type { RunOptions } from './options.ts'
import type { SpecFrontendName } from './spec.ts'
import { type LimitKey, limitRowOf } from './table.ts'
import { refuseUnknown } from './unknown-option.ts'

export type { Limits } from './limit-words.ts'

/** Files that control groups and processes but limit nothing. The option `limits` refuses them: only hutch writes them. */
const notLimits =
  /^(cgroup\.(procs|threads|kill|subtree_control|type|freeze|event_control|clone_children)|release_agent|notify_on_release|tasks|freezer\..*|memory\.reclaim|memory\.force_empty)$/

/** Returns the kernel file of a limit. A name that the option table lacks is already the name of a file. */
export function fileOf(word: string): string {
  return limitRowOf[word as LimitKey]?.file ?? word
}

/** Where limits are given: a function of the library, and their name in its options. */
interface LimitsPlace {
  call: LibraryCall
  name: string
}

export function parseLimits(
  limits: Limits | 'none',
  frontend: SpecFrontendName,
  readFile?: FileReader,
  preset?: ReadonlySet<string>,
  { call, name }: LimitsPlace = { call: 'run', name: 'limits' },
): LimitWrite[] {
  if (limits === 'none') return []
  const keys = Object.keys(limitRowOf)
  refuseUnknown(call, limits, { name, keys, kind: 'limit', also: (key) => key.includes('.') })
  const writes = Object.entries(limits).flatMap(([key, value]): LimitWrite[] => {
    if (value === undefined) return []
    if (key.includes('.')) return parseRawLimit(key, value, frontend, readFile)
    const { file, kind, parse, accepted } = limitRowOf[key as LimitKey]
    const name = optionName(`limits.${key}`, frontend)
    const origin = preset?.has(key) ? `${name} (${optionName('sandbox', frontend)})` : name
    const parsed = (kind === 'texts' ? [value].flat() : [value]).map((one) => {
      const text = parse(one)
      if (text !== undefined) return text
      throw fail('OPTION_INVALID', { name: origin, value: one, why: explainBad(one), accepted })
    })
    const texts = kind === 'texts' ? requireReader(readFile, origin)(file, parsed, origin) : parsed
    return texts.map((text) => ({ file, value: text, origin }))
  })
  for (const [i, write] of writes.entries()) {
    const other = writes.slice(0, i).find(({ file, origin }) => file === write.file && origin !== write.origin)
    if (other)
      throw fail('OPTION_CONFLICT', {
        name: write.origin,
        why: `${other.origin} sets ${write.file} too`,
        remedy: 'give one of them',
      })
  }
  return writes
}

/**
 * Returns true if parsing the limits needs the parser of kernel files: a limit is named by its file, or its file has
 * several lines.
 */
export function namesFiles({ limits, sandbox }: RunOptions): boolean {
  const inside = typeof sandbox === 'object' && sandbox !== null ? sandbox.limits : undefined
  return [limits, inside].some(
    (one) =>
      typeof one === 'object' &&
      one !== null &&
      Object.keys(one).some((key) => key.includes('.') || limitRowOf[key as LimitKey]?.kind === 'texts'),
  )
}

function parseRawLimit(file: string, value: unknown, frontend: SpecFrontendName, readFile?: FileReader): LimitWrite[] {
  const origin = specFrontends[frontend].nameFile(file)
  const invalid = (why: string) =>
    fail('OPTION_INVALID', {
      name: optionName('limits', frontend),
      value: file,
      why,
      accepted: 'FILE=VALUE with a limit of a controller, such as memory.high=40M',
    })
  if (!/^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$/.test(file)) throw invalid('not the name of a controller file')
  if (notLimits.test(file)) throw invalid('this file controls the group and is not a limit')
  if (value === '' || (typeof value === 'string' && /[\0\n]/.test(value)))
    throw fail('OPTION_INVALID', {
      name: origin,
      value,
      why: 'a value is one line of text',
      accepted: 'a value as the kernel reads it',
    })
  return requireReader(readFile, origin)(file, value, origin).map((text) => ({ file, value: text, origin }))
}

function requireReader(readFile: FileReader | undefined, name: string): FileReader {
  if (readFile) return readFile
  throw fail('OPTION_INVALID', {
    name,
    value: name,
    why: 'parseOptions needs a FileReader',
    accepted: 'loadFileReader',
  })
}

function explainBad(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const number = Number(value)
  if (number < 0) return 'negative'
  if (number === 0 && value !== '') return 'no program can run in it'
  return Number.isFinite(number) && value !== '' ? 'out of range' : undefined
}
