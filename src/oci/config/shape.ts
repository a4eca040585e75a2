// SPDX-License-Identifier: Apache-2.0
// Describes the properties of JSON documents as tables, and reads values by them. An error names the path of the wrong
// property. Used by the tables of this folder; pure.
import { fail, type HutchError } from '../../errors/errors.ts'
import { nearest } from '../../text/nearest.ts'

/** A kind of value: how to read one, and the shapes of its parts. */
export interface Shape<T> {
  readonly kind: 'object' | 'list' | 'map' | 'flag' | 'string' | 'word' | 'number'
  /** Checks a value and converts it to its type. `at` is the path of the property. @throws OCI_CONFIG_INVALID */
  read(value: unknown, at: string): T
  /** Shapes of an object's properties. */
  readonly properties?: { readonly [name: string]: Shape<unknown> }
  /** Names of the properties that an object must have. */
  readonly required?: readonly string[]
  /** The shape of each element of a list, or of each value of a map. */
  readonly each?: Shape<unknown>
  /** The accepted values of a word. */
  readonly words?: readonly string[]
}

/** The type of the values of a shape. */
export type ValueOf<S> = S extends Shape<infer T> ? T : never

type Shapes = { readonly [name: string]: Shape<unknown> }
type Values<S extends Shapes> = { [K in keyof S]: ValueOf<S[K]> }

/** Creates the error for a property of a document. Objects and lists are not in the message: they can be large. */
export function refuseProperty(at: string, value: unknown, why: string, accepted: string): HutchError {
  const isPlain = typeof value !== 'object' || value === null
  return fail('OCI_CONFIG_INVALID', {
    at,
    value: isPlain && value !== undefined ? String(value) : undefined,
    why,
    accepted,
  })
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const keyIn = (at: string, key: string) => (at === '' ? key : /^[\w-]+$/.test(key) ? `${at}.${key}` : `${at}["${key}"]`)

/** An object. Other properties than these are ignored. A property that is null is missing. */
export function object<R extends Shapes, O extends Shapes>(
  required: R,
  optional: O,
): Shape<Values<R> & Partial<Values<O>>> {
  const properties: Shapes = { ...required, ...optional }
  return {
    kind: 'object',
    properties,
    required: Object.keys(required),
    read(value, at) {
      if (!isObject(value)) throw refuseProperty(at || 'the document', value, 'not an object', 'an object')
      const result: { [key: string]: unknown } = {}
      for (const [key, shape] of Object.entries(properties)) {
        const part = Object.hasOwn(value, key) ? value[key] : undefined
        if (part !== undefined && part !== null) result[key] = shape.read(part, keyIn(at, key))
        else if (Object.hasOwn(required, key))
          throw refuseProperty(keyIn(at, key), undefined, 'this property is required', `an object with ${key}`)
      }
      return result as Values<R> & Partial<Values<O>>
    },
  }
}

export function list<T>(each: Shape<T>): Shape<T[]> {
  return {
    kind: 'list',
    each,
    read(value, at) {
      if (!Array.isArray(value)) throw refuseProperty(at, value, 'not a list', 'a list')
      return value.map((part, i) => each.read(part, `${at}[${i}]`))
    },
  }
}

/** An object whose keys are chosen by the author of the document. `keys` checks them. */
export function mapOf<T>(each: Shape<T>, keys: Shape<string> = string()): Shape<{ readonly [key: string]: T }> {
  return {
    kind: 'map',
    each,
    read(value, at) {
      if (!isObject(value)) throw refuseProperty(at, value, 'not an object', 'an object')
      return Object.fromEntries(
        Object.entries(value).map(([key, part]) => [keys.read(key, `${at} (key)`), each.read(part, keyIn(at, key))]),
      )
    },
  }
}

export const flag: Shape<boolean> = {
  kind: 'flag',
  read(value, at) {
    if (typeof value !== 'boolean') throw refuseProperty(at, value, 'not true or false', 'true or false')
    return value
  },
}

/** A string without NUL, which is the end of a string in the kernel. `form` is matched by the whole string. */
export function string(form?: RegExp, accepted = 'a string'): Shape<string> {
  return {
    kind: 'string',
    read(value, at) {
      if (typeof value !== 'string') throw refuseProperty(at, value, 'not a string', accepted)
      if (value.includes('\0')) throw refuseProperty(at, value, 'a character is NUL', 'a string without NUL')
      if (form && !form.test(value)) throw refuseProperty(at, value, 'it does not have the required form', accepted)
      return value
    },
  }
}

export const absolutePath = string(/^\//, 'an absolute path')

/** One of some words. */
export function word<W extends string>(words: readonly W[]): Shape<W> {
  return {
    kind: 'word',
    words,
    read(value, at) {
      if (typeof value === 'string' && (words as readonly string[]).includes(value)) return value as W
      const near = typeof value === 'string' ? nearest(value, [...words]) : undefined
      throw refuseProperty(at, value, 'this value is unknown', near ? `${near}?` : `one of ${words.join(', ')}`)
    },
  }
}

const isWhole = (value: unknown) => Number.isInteger(value) || (typeof value === 'string' && /^\d{16,}$/.test(value))

/** A whole number that JavaScript represents exactly. */
export function whole(min: number, max: number): Shape<number> {
  return {
    kind: 'number',
    read(value, at) {
      if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value + 0
      const why = isWhole(value) ? 'out of range' : 'not a whole number'
      throw refuseProperty(at, value, why, `a whole number from ${min} to ${max}`)
    },
  }
}

/** A whole number of 64 bits. parseJson passes numbers of 16 and more digits as strings of the same digits. */
export function wide(min: bigint, max: bigint): Shape<bigint> {
  return {
    kind: 'number',
    read(value, at) {
      const exact = Number.isSafeInteger(value) || (typeof value === 'string' && /^\d{16,20}$/.test(value))
      const number = exact ? BigInt(value as number | string) : undefined
      if (number !== undefined && number >= min && number <= max) return number
      const why = isWhole(value) ? 'out of range' : 'not a whole number'
      throw refuseProperty(at, value, why, `a whole number from ${min} to ${max}`)
    },
  }
}

export const uint32 = whole(0, 2 ** 32 - 1)
export const uint64 = wide(0n, 2n ** 64n - 1n)
export const int64 = wide(-(2n ** 63n), 2n ** 63n - 1n)
/** A user or group id. The kernel reserves the highest number. */
export const numericId = whole(0, 2 ** 32 - 2)
