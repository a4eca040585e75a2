// SPDX-License-Identifier: Apache-2.0
// Converts a user's value for a kernel file into the texts to write, for limits of runs, for groups and for compiled files.
import { fail } from '../errors/errors.ts'
import { withDeviceNumber } from '../host/device.ts'
import { describeFile } from './controllers/catalog.ts'
import type { FileFormat } from './controllers/entry.ts'
import { formatWrites } from './value-read.ts'

/** Converts the value of a file into the texts to write. `name` names the file in errors. */
export type FileReader = typeof formatFile

/** Formats of which each text is written separately: one line per device, adapter or resource, or one process. */
const manyTexts: readonly FileFormat[] = ['flat-keyed', 'nested-keyed', 'pids', 'toggles']

/**
 * Returns the texts to write to a file, in this order. The value of a file that the catalogue lacks must be one line of text, which is not
 * changed.
 *
 * @throws OPTION_INVALID
 */
export function formatFile(file: string, value: unknown, name: string = file): string[] {
  const words = describeFile(file, 'v2') ?? describeFile(file, 'v1')
  if (!words) return [plainText(value, name)]
  if (Array.isArray(value) && typeof value[0] === 'string' && !manyTexts.includes(words.writes ?? words.format))
    throw fail('OPTION_INVALID', { name, value: value.join(', '), why: 'given twice', accepted: 'one value' })
  if (words.lines !== 'device') return formatWrites(words, value, name)
  const withNumbers = (one: unknown) => (typeof one === 'string' ? withDeviceNumber(one, name) : one)
  return formatWrites(words, Array.isArray(value) ? value.map(withNumbers) : withNumbers(value), name)
}

/** Checks the value for a file that the catalogue lacks: it must be one line of text. @throws OPTION_INVALID */
function plainText(value: unknown, name: string): string {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text === 'string' && text !== '' && !/[\0-\x1f\x7f]/.test(text)) return text
  throw fail('OPTION_INVALID', {
    name,
    value,
    why: 'not one line of text',
    accepted: 'a number or one line of text',
  })
}
