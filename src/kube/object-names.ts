// SPDX-License-Identifier: Apache-2.0
// Tells which names Kubernetes accepts for objects, containers and ports, and suggests valid ones. Pure.

const labelPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** Returns true for a name of at most 63 lower-case letters, digits and hyphens. */
export function isLabel(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 63 && labelPattern.test(value)
}

/** Returns true for a name of labels with dots between them. */
export function isSubdomain(value: unknown, most = 253): boolean {
  return typeof value === 'string' && value.length <= most && value.split('.').every((part) => labelPattern.test(part))
}

/** Returns a name that is valid, made from one that is not. */
export function suggestName(name: string): string {
  const valid = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return valid.slice(0, 63) || 'app'
}

/** Returns true for the name of a port: at most 15 lower-case letters, digits and hyphens, with a letter. */
export function isPortName(value: string): boolean {
  return value.length <= 15 && labelPattern.test(value) && /[a-z]/.test(value)
}
