// SPDX-License-Identifier: Apache-2.0
// Defines types of fields of Kubernetes objects, rules for several fields of one object, and the fields of many objects. Pure.
import type { ReportProblem } from './check-fields.ts'
import type { FieldPath } from './documents.ts'

/** The key under which the type of an object has its rule. */
export const rule = Symbol('rule')

type Fields = { readonly [key: string]: unknown }

/** Checks fields of an object that depend on each other. */
type ObjectRule = (value: Fields, path: FieldPath, report: ReportProblem) => void

/** The type of a field. An object lists its fields; an array has the type of its items. A name with `!` is required. */
export type FieldType =
  | 'string'
  | 'nonempty'
  | 'label'
  | 'subdomain'
  | 'ip'
  | 'integer'
  | 'count'
  | 'positive'
  | 'percent'
  | 'boolean'
  | 'quantity'
  | 'port'
  | 'portNumber'
  | 'texts'
  | 'any'
  | ObjectType
  | { readonly words: readonly string[] }
  | { readonly map: FieldType }
  | readonly [FieldType]

/** The fields of an object, and a rule for several of them. */
export interface ObjectType {
  readonly [name: string]: FieldType
  readonly [rule]?: ObjectRule
}

export const texts = { map: 'string' } as const

/** Returns the type of a field that accepts some words. */
export const acceptWords = (...list: string[]) => ({ words: list }) as const

const has = (value: Fields, key: string) => value[key] !== undefined && value[key] !== null

/** Returns a rule: one of the keys must be given, and not two of them. Without `whatElse`, none is accepted, too. */
export function exactlyOne(keys: readonly string[], what: string, whatElse?: string): ObjectRule {
  return (value, path, report) => {
    const given = keys.filter((key) => has(value, key))
    if (given.length === 0 && whatElse !== undefined) report(path, whatElse, `add ${keys.slice(0, 4).join(', ')}`)
    if (given.length > 1) report(path, `has several ${what}: ${given.join(', ')}`, 'keep one of them')
  }
}

/** Returns a rule: a field needs another one, or excludes it, if it has one of some values. */
export function dependsOn(
  field: string,
  values: readonly unknown[] | 'any',
  other: string,
  way: 'needs' | 'excludes',
): ObjectRule {
  return (value, path, report) => {
    if (!has(value, field) || (values !== 'any' && !values.includes(value[field]))) return
    const [is, what] = [has(value, other), values === 'any' ? field : `${field}: ${value[field]}`]
    if (way === 'needs' && !is) report([...path, other], `is missing for ${what}`, `add ${other}`)
    if (way === 'excludes' && is) report([...path, other], `is given beside ${what}`, 'remove it')
  }
}

/** Returns a rule that consists of several ones. */
export function allRules(...rules: ObjectRule[]): ObjectRule {
  return (value, path, report) => {
    for (const one of rules) one(value, path, report)
  }
}

export const metadata = {
  name: 'string',
  generateName: 'string',
  namespace: 'string',
  uid: 'string',
  labels: texts,
  annotations: texts,
  creationTimestamp: 'any',
  resourceVersion: 'string',
  generation: 'integer',
  ownerReferences: 'any',
  finalizers: 'texts',
  managedFields: 'any',
  selfLink: 'string',
  deletionTimestamp: 'any',
  deletionGracePeriodSeconds: 'integer',
} as const satisfies FieldType

/** Returns the type of an expression that selects by a key. */
export const expression = (...operators: string[]) =>
  ({
    'key!': 'nonempty',
    'operator!': acceptWords(...operators),
    values: 'texts',
    [rule]: allRules(
      dependsOn('operator', ['In', 'NotIn', 'Gt', 'Lt'], 'values', 'needs'),
      dependsOn('operator', ['Exists', 'DoesNotExist'], 'values', 'excludes'),
    ),
  }) as const satisfies FieldType

export const selector = {
  matchLabels: texts,
  matchExpressions: [expression('In', 'NotIn', 'Exists', 'DoesNotExist')],
} as const satisfies FieldType
