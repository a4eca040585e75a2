// SPDX-License-Identifier: Apache-2.0
// Finds what to use instead of an option that a function of the library does not have. Returns the option of hutch that does
// the same, and the function or object that accepts it. Called by unknown-option.ts; pure.
import { type LibraryCall, optionsOf } from './calls.ts'
import { type ForeignWord, foreignLimits, foreignWords, wordsOfCall, wordsOfObject } from './others/library.ts'
import { limitRowOf } from './table.ts'

/** An object whose keys are options: the options of a function, or an object inside them, such as `limits`. */
export interface OptionObject {
  call: LibraryCall
  /** Name of the object inside the options. `''` for the options themselves, and for the limits of `Cgroup.set`. */
  name: string
  /** The keys that the object can have. */
  keys: readonly string[]
}

/** Functions to which an option probably belongs, the most probable first. All others follow. */
const others: { readonly [call in LibraryCall]?: readonly LibraryCall[] } = {
  start: ['run', 'createPool'],
  'pool.run': ['createPool'],
  createPool: ['pool.run'],
}

/** Why a function does not have an option of another function. */
const reasons: { readonly [calls: string]: string } = {
  'start run': 'start does not collect output; read job.stdout, or the lines of `for await`',
  'pool.run createPool': 'its sandboxes are created before the job',
  'createPool pool.run': 'it belongs to one job',
}

const calls = Object.keys(optionsOf) as LibraryCall[]

/** Returns what to use instead of an unknown option. Returns undefined if no known library has such an option. */
export function findInstead(at: OptionObject, word: string): string | undefined {
  const name = word.toLowerCase().replace(/[_-]/g, '')
  const own = find(at.name === '' ? (wordsOfCall[at.call] ?? {}) : (wordsOfObject[optionOf(at.name)] ?? {}), name)
  if (own) return adviseOption(at, own)
  const limit = find(foreignLimits, name) ?? (isFile(word) ? [word] : undefined)
  if (limit) return adviseLimit(at, limit)
  return adviseOption(at, find(foreignWords, name) ?? sameOption(at, name))
}

function find<T>(table: { readonly [word: string]: T }, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined
}

/** Returns the option that contains an object: `landlock` for `sandbox.landlock[0]`. */
function optionOf(name: string): string {
  return name.replace(/\[\d+\]$/, '').replace(/^.*\./, '')
}

function isFile(word: string): boolean {
  return /^[a-z0-9_]+\.[a-z]/.test(word)
}

/** Returns the option of any function that differs from the word at most in case, hyphens and underscores. */
function sameOption(at: OptionObject, name: string): ForeignWord | undefined {
  const known = [at.keys, optionsOf[at.call], ...(others[at.call] ?? []).map(keysOf), ...calls.map(keysOf)].flat()
  const same = known.find((key) => key.toLowerCase() === name)
  return same === undefined ? undefined : [same]
}

function keysOf(call: LibraryCall): readonly string[] {
  return optionsOf[call]
}

function adviseOption(at: OptionObject, found: ForeignWord | undefined): string | undefined {
  if (!found) return undefined
  const [option, advice] = found
  if (option === '') return advice
  if (at.keys.includes(option)) return advice ?? `give ${option}`
  if (keysOf(at.call).includes(option)) {
    const place = at.name === '' ? 'in the options after the limits' : `beside ${at.name}`
    return advice === undefined ? `give ${option} ${place}` : `${place}: ${advice}`
  }
  const home = homeOf(at.call, option)
  if (home === undefined) return advice
  const reason = reasons[`${at.call} ${home}`]
  const instead = advice === undefined ? `give ${option} to ${home}` : `in the options of ${home}: ${advice}`
  return reason === undefined ? instead : `${instead}: ${reason}`
}

/** Returns the function that has an option. */
function homeOf(call: LibraryCall, option: string): LibraryCall | undefined {
  return [...(others[call] ?? []), ...calls].find((other) => keysOf(other).includes(option))
}

function adviseLimit(at: OptionObject, [key, note]: readonly [key: string, note?: string]): string {
  const name = key.includes('.') ? `'${key}'` : key
  const noted = note === undefined ? '' : `; ${note}`
  const limits = `limits: { ${name}: … }${noted}`
  if (key.includes('.') && at.keys.includes('files')) return `give it in files: { ${name}: … }${noted}`
  if (at.keys.includes('limits')) return `give it in ${limits}`
  const holdsLimits = at.name === 'limits' || at.keys.includes('memory')
  if (holdsLimits && (key.includes('.') || key in limitRowOf) && canHold(at, key)) return `give ${name}${noted}`
  if (at.call === 'pool.run') return `give it to createPool: ${limits}`
  if (at.call === 'Cgroup.set') return `give it in the first argument: set({ ${name}: … })${noted}`
  if (keysOf(at.call).includes('limits')) return `give it beside ${at.name}: ${limits}`
  return `give it to run, start or Cgroup.create: ${limits}`
}

/** Returns true if an object with limits can contain this one. Jobs of a pool can lower only some limits. */
function canHold(at: OptionObject, key: string): boolean {
  return at.keys.includes(key) || (key.includes('.') && at.call !== 'pool.run')
}
