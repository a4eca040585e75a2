// SPDX-License-Identifier: Apache-2.0
// Converts the values of linux.resources to texts for kernel files, and checks them. Called by the tables of writes. Pure.
import { fail, type HutchError } from '../../errors/errors.ts'
import type { Integer } from './linux-resources.ts'

/** Property of the config in front of all names in errors. */
const prefix = 'linux.resources'

/** What the tables need to know about the host's groups. */
export interface ResourceFacts {
  /** Sizes of huge pages that the kernel has, such as `2MB`. */
  pageSizes: readonly string[]
  /** Returns true if a group of this hierarchy has the file. The controller is '' for the v2 tree. */
  hasFile(controller: string, file: string): boolean
}

/** A write that resources request: the kernel file, its value, and the property of the config. */
export interface ResourceWrite {
  file: string
  value: string
  origin: string
}

/** Returns a write. `property` is the name below `linux.resources`. */
export function writeOf(file: string, value: string | bigint, property: string): ResourceWrite {
  return { file, value: String(value), origin: nameProperty(property) }
}

/** Returns the full name of a property. */
export function nameProperty(property: string): string {
  return `${prefix}.${property}`
}

/** Parses a whole number without loss. Returns 0 if it is absent: in most places, 0 sets nothing. @throws OPTION_INVALID */
export function parseInteger(value: Integer | undefined, property: string): bigint {
  if (value === undefined || value === null) return 0n
  const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value)
  if (!isWhole) throw invalid(property, String(value), 'a whole number')
  return BigInt(value)
}

/** Parses a whole number of at least 0. @throws OPTION_INVALID */
export function parseUnsigned(value: Integer | undefined, property: string): bigint {
  const number = parseInteger(value, property)
  if (number < 0n) throw invalid(property, String(value), 'a whole number of at least 0')
  return number
}

/** Returns the error for an invalid value. */
export function invalid(property: string, value: string, accepted: string, why?: string): HutchError {
  return invalidProperty(nameProperty(property), value, accepted, why)
}

/** Returns the error for an invalid value of linux.cgroupsPath. */
export function invalidPath(value: string, accepted: string, why?: string): HutchError {
  return invalidProperty('linux.cgroupsPath', value, accepted, why)
}

function invalidProperty(name: string, value: string, accepted: string, why: string | undefined): HutchError {
  return fail('OPTION_INVALID', { name, value, accepted, ...(why !== undefined && { why }) })
}

/** Returns the error for a property that one version of control groups does not have. */
export function unsupported(property: string, file: string, why: string, remedy: string): HutchError {
  return fail('CGROUP_LIMIT_UNSUPPORTED', { file, origin: nameProperty(property), why, remedy })
}
