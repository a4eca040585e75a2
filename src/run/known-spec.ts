// SPDX-License-Identifier: Apache-2.0
// Keeps the Specs of options that were used before: programs start many commands with the same options. Called by job.ts.
import { specFrontends } from '../options/frontends.ts'
import type { RunOptions } from '../options/options.ts'
import type { Spec } from '../options/spec.ts'

const knownAtMost = 64
const longestKey = 4096

const known = new Map<string, Spec>()

/** The kept Spec from which a Spec was made. */
const origins = new WeakMap<Spec, Spec>()

/** Returns the kept Spec from which `spec` differs only by its command. Returns undefined if its options were not used before. */
export function keptSpec(spec: Spec): Spec | undefined {
  return origins.get(spec)
}

/**
 * Returns the Spec of options that were parsed before, with another command. Otherwise calls `parse`, and keeps its
 * result unless the options are not plain data.
 */
export function knownSpec(
  file: string,
  args: readonly string[],
  options: RunOptions,
  parse: (options: RunOptions) => Spec,
): Spec {
  const key = keyOf(options)
  if (key === undefined || key.length > longestKey || !isPlainCommand(file, args)) return parse(options)
  const spec = known.get(key)
  if (spec) {
    const repeated = { ...spec, command: file, args: specFrontends.library.readArguments(args) }
    origins.set(repeated, spec)
    return repeated
  }
  // the caller may change its own objects later
  const parsed = parse(copyOf(options))
  if (known.size === knownAtMost) known.clear()
  known.set(key, freeze(parsed))
  return parsed
}

function isPlainCommand(file: unknown, args: readonly unknown[]): boolean {
  const isWord = (word: unknown) => typeof word === 'string' && !word.includes('\0')
  return isWord(file) && file !== '' && args.every(isWord)
}

/** Returns a text that only equal options have. Returns undefined unless the options are plain data. */
function keyOf(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'object' || value === null) return undefined
  const isList = Array.isArray(value)
  const names = Object.keys(value)
  if (isList ? names.length !== value.length : Object.getPrototypeOf(value) !== Object.prototype) return undefined
  let text = isList ? '[' : '{'
  for (const name of names) {
    const inner = keyOf((value as { [name: string]: unknown })[name])
    if (inner === undefined || text.length > longestKey) return undefined
    text += isList ? `${inner},` : `${JSON.stringify(name)}:${inner},`
  }
  return text + (isList ? ']' : '}')
}

/** Copies plain data. */
function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copyOf) as T
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copyOf(inner)])) as T
}

/** Freezes a Spec, which later starts share. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) freeze(inner)
  return ArrayBuffer.isView(value) ? value : Object.freeze(value)
}
