// SPDX-License-Identifier: Apache-2.0
// Checks the types of an object's fields against the table of fields, and reports each fault with its path. Pure.
import { nearest } from '../text/nearest.ts'
import { parseQuantity } from '../text/quantity.ts'
import { plain, quote } from '../text/quote.ts'
import type { FieldPath } from './documents.ts'
import { type FieldType, type ObjectType, rule } from './field-types.ts'
import { isLabel, isPortName, isSubdomain, suggestName } from './object-names.ts'

/** A remedy, or a function that makes it from the text of the value in the file. */
type Remedy = string | ((source: string) => string)

/** Reports a fault of the field at a path. */
export type ReportProblem = (path: FieldPath, what: string, remedy: Remedy, severity?: 'warning') => void

/** Returns true for a map of YAML. */
export function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns the value at a path of keys and indexes. Returns undefined if it does not exist. */
export function valueAt(value: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>((inner, key) => (inner as { [key: string]: unknown } | undefined | null)?.[key], value)
}

/** Names the type of a value of YAML. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  return typeof value === 'string' ? `the text ${quote(value)}` : `the ${typeof value} ${quote(String(value))}`
}

interface Scalar {
  holds(value: unknown): boolean
  wanted: string
  remedy(value: unknown): Remedy
}

const whole = (value: unknown) => typeof value === 'number' && Number.isSafeInteger(value)
const unquoted = (value: unknown, other: string) => {
  const [, number] = typeof value === 'string' ? (/^(\d+)s?$/.exec(value) ?? []) : []
  return number === undefined ? other : `write ${number} without quotes, or another value`
}

/** Returns the type of a whole number that is at least `least`. */
const atLeast = (least: number): Scalar => ({
  holds: (value) => whole(value) && (value as number) >= least,
  wanted: `a whole number, at least ${least}`,
  remedy: (value) => unquoted(value, `give a whole number, at least ${least}`),
})

/** Returns the type of a text for which a test holds. */
const named = (holds: (value: string) => boolean, wanted: string, remedy: (value: string) => string): Scalar => ({
  holds: (value) => typeof value === 'string' && holds(value),
  wanted,
  remedy: (value) => remedy(typeof value === 'string' ? value : plain(value)),
})

const isPort = (value: unknown) => whole(value) && (value as number) >= 1 && (value as number) <= 65_535
const address = /^(\d{1,3}(\.\d{1,3}){3}|(?=.*:.*:)[0-9a-fA-F:.]+)$/

const scalars: { readonly [type: string]: Scalar } = {
  string: {
    holds: (value) => typeof value === 'string',
    wanted: 'a text',
    remedy: (value) =>
      ['number', 'boolean'].includes(typeof value) ? (source) => `put quotes around it: "${source}"` : 'give a text',
  },
  nonempty: named(
    (value) => value !== '',
    'a text that is not empty',
    (value) => (value === '' ? 'give a text' : `put quotes around it: "${value}"`),
  ),
  label: named(isLabel, 'a name', (value) => `write ${suggestName(value)}`),
  subdomain: named(isSubdomain, 'a name', (value) => `write ${suggestName(value)}`),
  ip: named(
    (value) => address.test(value),
    'an IP address',
    () => 'give an address such as 192.0.2.1',
  ),
  integer: { holds: whole, wanted: 'a whole number', remedy: (value) => unquoted(value, 'give a whole number') },
  count: atLeast(0),
  positive: atLeast(1),
  percent: {
    holds: (value) => (whole(value) && (value as number) >= 0) || (typeof value === 'string' && /^\d+%$/.test(value)),
    wanted: 'a whole number or a percentage',
    remedy: (value) => unquoted(value, 'give a number such as 1, or a percentage such as 25%'),
  },
  boolean: {
    holds: (value) => typeof value === 'boolean',
    wanted: 'true or false',
    remedy: () => 'write true or false, without quotes',
  },
  quantity: {
    holds: (value) => parseQuantity(value) !== undefined,
    wanted: 'a quantity',
    remedy: (value) => `give a quantity such as ${suggestQuantity(value)}`,
  },
  portNumber: {
    holds: isPort,
    wanted: 'a port',
    remedy: (value) => unquoted(value, 'give a port from 1 to 65535'),
  },
  port: {
    holds: (value) => isPort(value) || (typeof value === 'string' && isPortName(value)),
    wanted: 'a number or name of a port',
    remedy: (value) => unquoted(value, 'give a port from 1 to 65535, or the name of one of ports'),
  },
}

/** Returns a quantity that a mistyped one may mean: 512MB is 512M, 1gb is 1Gi. */
function suggestQuantity(value: unknown): string {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*$/.exec(plain(value)) ?? []
  if (unit === undefined) return '250m, 512Mi or 2'
  if (unit === 'm') return `${number}m`
  const letter = unit[0]!.toUpperCase()
  if (/^[KMGTPE]/.test(letter) && /^.(i?b|i)?$/i.test(unit))
    return `${number}${/i/i.test(unit.slice(1)) || unit === unit.toLowerCase() ? `${letter}i` : letter === 'K' ? 'k' : letter}`
  return `${number}, or ${number}Mi`
}

/** Reports each value that does not fit its type, each unknown field, and each missing one. Returns true if there is no fault. */
export function checkFields(value: unknown, type: FieldType, path: FieldPath, report: ReportProblem): boolean {
  const fault = (what: string, remedy: Remedy, at: FieldPath = path) => {
    report(at, what, remedy)
    return false
  }
  if (type === 'any') return true
  if (type === 'quantity' && value === null) {
    report(path, 'is empty, which counts as 0', 'give an amount, or remove it', 'warning')
    return true
  }
  if (typeof type === 'string' && type !== 'texts') {
    const scalar = scalars[type]!
    return scalar.holds(value) || fault(`is ${kindOf(value)}, not ${scalar.wanted}`, scalar.remedy(value))
  }
  if (type === 'texts' || Array.isArray(type)) {
    const item: FieldType = type === 'texts' ? 'string' : (type as readonly [FieldType])[0]
    if (!Array.isArray(value))
      return fault(`is ${kindOf(value)}, not a list`, 'write a list: lines that begin with "- "')
    return value.map((one, i) => checkFields(one, item, [...path, i], report)).every(Boolean)
  }
  if ('words' in type && Array.isArray(type.words)) {
    const list = type.words as readonly string[]
    if (list.includes(value as string)) return true
    const near = typeof value === 'string' ? list.find((word) => word.toLowerCase() === value.toLowerCase()) : undefined
    return fault(`is ${kindOf(value)}`, near ? `write ${near}` : `give one of ${list.join(', ')}`)
  }
  if (!isRecord(value)) return fault(`is ${kindOf(value)}, not a map`, 'write a map: lines of KEY: VALUE')
  if ('map' in type && Object.keys(type).length === 1)
    return Object.entries(value)
      .map(([key, one]) => checkFields(one, type.map as FieldType, [...path, key], report))
      .every(Boolean)
  return checkObject(value, type as ObjectType, path, report)
}

/** Checks the fields of a map whose names are known. An empty value is that of a missing field. */
function checkObject(
  value: { readonly [key: string]: unknown },
  type: ObjectType,
  path: FieldPath,
  report: ReportProblem,
): boolean {
  const types = new Map(Object.entries(type).map(([name, inner]) => [name.replace('!', ''), inner]))
  const required = Object.keys(type).filter((name) => name.endsWith('!'))
  let holds = true
  for (const name of required.map((one) => one.slice(0, -1)))
    if (value[name] === undefined || value[name] === null) {
      report([...path, name], 'is missing', `add ${name}`)
      holds = false
    }
  for (const [name, inner] of Object.entries(value)) {
    const known = types.get(name)
    if (known === undefined) {
      const near =
        nearest(name, [...types.keys()]) ??
        required.map((one) => one.slice(0, -1)).find((one) => one.toLowerCase().endsWith(name.toLowerCase()))
      report(
        [...path, name],
        'is an unknown field',
        near
          ? `write ${near}`
          : /^(cpu|memory)$/.test(name) && types.has('requests')
            ? 'move it to requests or limits'
            : 'remove it, or move it to where it belongs',
      )
      holds = false
    } else if (inner !== null && inner !== undefined)
      holds = checkFields(inner, known, [...path, name], report) && holds
  }
  type[rule]?.(value, path, report)
  return holds
}
