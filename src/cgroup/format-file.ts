// SPDX-License-Identifier: Apache-2.0
// The one reader of values that users give for a kernel file: of limits of runs, of groups, of compiled files.
import { fail } from '../errors/errors.ts'
import { withDeviceNumber } from '../host/device.ts'
import { describeFile } from './controllers/catalog.ts'
import type { FileFormat } from './controllers/entry.ts'
import { formatWrites } from './value-read.ts'

/** Reads the value of a file: `name` is what an error calls it. */
export type FileReader = typeof formatFile

/** Formats that take several texts: a line for each device, adapter or resource, or a process each. */
const manyTexts: readonly FileFormat[] = ['flat-keyed', 'nested-keyed', 'pids', 'toggles']

/**
 * Returns the texts to write, one after the other. A file that the catalogue lacks takes one line of text as it is.
 * @throws OPTION_INVALID
 */
export function formatFile(file: string, value: unknown, name: string = file): string[] {
  const words = describeFile(file, 'v2') ?? describeFile(file, 'v1')
  if (!words) return [plainText(value, name)]
  if (Array.isArray(value) && typeof value[0] === 'string' && !manyTexts.includes(words.writes ?? words.format))
    throw fail('OPTION_INVALID', { name, value: value.join(', '), why: 'it is given twice', accepted: 'one value' })
  if (words.lines !== 'device') return formatWrites(words, value, name)
  const withNumbers = (one: unknown) => (typeof one === 'string' ? withDeviceNumber(one, name) : one)
  return formatWrites(words, Array.isArray(value) ? value.map(withNumbers) : withNumbers(value), name)
}

/** For files that hutch does not know: one line of text. @throws OPTION_INVALID */
function plainText(value: unknown, name: string): string {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text === 'string' && text !== '' && !/[\0-\x1f\x7f]/.test(text)) return text
  throw fail('OPTION_INVALID', {
    name,
    value,
    why: 'it is not one line of text',
    accepted: 'a number or one line of text',
  })
}
