// SPDX-License-Identifier: Apache-2.0
// Refuses unknown option names, and texts that contain NUL. Pure.
import { fail } from '../errors/errors.ts'
import { nearest } from '../text/nearest.ts'
import { findInstead, type OptionPlace } from './others/library.ts'

/**
 * Refuses options whose name is not in `known`. `place` is the call whose options these are. If the option belongs to
 * another library or call, the error says what to use instead.
 */
export function refuseUnknown(
  input: object,
  known: readonly string[],
  prefix: string,
  kind: string,
  place: OptionPlace,
  also = (_key: string) => false,
): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw fail('OPTION_INVALID', {
      name: `${kind}s${prefix && ` of ${prefix.slice(0, -1)}`}`,
      value: input,
      why: 'not an object',
      accepted: 'an object',
    })
  for (const key of Object.keys(input)) {
    if (known.includes(key) || also(key)) continue
    throw fail('OPTION_UNKNOWN', {
      name: `${prefix}${key}`,
      nearest: nearest(key, known),
      instead: findInstead(place, key),
      known: `known ${kind}s: ${known.join(', ')}`,
    })
  }
}

export function refuseNul(word: unknown, name: string): void {
  if (typeof word !== 'string' || word.includes('\0'))
    throw fail('OPTION_INVALID', {
      name,
      value: word,
      why: 'a command and its arguments are strings without NUL',
      accepted: 'texts',
    })
}
