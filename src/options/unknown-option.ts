// SPDX-License-Identifier: Apache-2.0
// Refuses unknown option names, also those of objects inside options, and texts that contain NUL. Pure.
import { fail } from '../errors/errors.ts'
import { nearest } from '../text/nearest.ts'
import { type LibraryCall, optionsOf } from './calls.ts'
import { findInstead, type OptionObject } from './find-instead.ts'
import { innerObjects, objectsInside } from './inner-objects.ts'

/** An object inside the options of a function. */
export interface InnerObject extends Pick<OptionObject, 'name' | 'keys'> {
  /** What its keys are: options by default. */
  kind?: 'option' | 'limit'
  /** Returns true for further keys that the object can have. */
  also?: (key: string) => boolean
  /** True (the default) if the objects inside it are checked too. */
  inside?: boolean
}

/**
 * Refuses options that a function does not have, and unknown keys of the objects inside them. The third argument
 * describes the object if it is inside the options. If the option belongs to another library, function or object, the
 * error says what to use instead.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID if it is not an object
 */
export function refuseUnknown(
  call: LibraryCall,
  input: object,
  { name, keys, kind = 'option', also = () => false, inside = true }: InnerObject = { name: '', keys: optionsOf[call] },
): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw fail('OPTION_INVALID', {
      name: `${kind}s${name && ` of ${name}`}`,
      value: input,
      why: 'not an object',
      accepted: 'an object',
    })
  for (const [key, value] of Object.entries(input)) {
    if (keys.includes(key) || also(key)) {
      for (const [path, object] of inside ? objectsInside(key, value, name === '' ? key : `${name}.${key}`) : [])
        refuseUnknown(call, object, { name: path, keys: innerObjects[key]!.keys })
      continue
    }
    throw fail('OPTION_UNKNOWN', {
      name: name === '' ? key : `${name}.${key}`,
      nearest: nearest(key, keys),
      instead: findInstead({ call, name, keys }, key),
      known: keys.length === 0 ? `leave it out: ${call} has no options` : `known ${kind}s: ${keys.join(', ')}`,
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
