// SPDX-License-Identifier: Apache-2.0
// Lists the objects with fixed keys that an option contains, such as `{ path, access }` of `landlock`. Read by
// unknown-option.ts, which refuses all other keys. Pure.
import { resourceNames } from '../credentials/rlimit.ts'
import { namespaceKinds } from '../namespaces/namespace.ts'
import { offsetClocks } from '../namespaces/time-offset.ts'

/** A row for the objects that an option contains: its value, or the entries of its list. */
interface InnerRow {
  keys: readonly string[]
  /** Returns true for an object that the option accepts as a whole, such as a stream. */
  isWhole?: (value: object) => boolean
}

/** The objects by option. `limits`, `plan` and `sandbox` contain options of their own and are checked where they are parsed. */
export const innerObjects: { readonly [option: string]: InnerRow } = {
  stdio: { keys: ['file', 'append'], isWhole: isStream },
  landlock: { keys: ['path', 'access'] },
  mounts: { keys: ['volume', 'tmpfs', 'overlay'] },
  join: { keys: namespaceKinds },
  timeOffset: { keys: offsetClocks },
  ulimits: { keys: resourceNames },
  pressure: { keys: ['resource', 'kind', 'stallUsec', 'windowUsec'] },
}

/** Returns true for a stream, and for an object with a descriptor such as a FileHandle. */
function isStream(value: object): boolean {
  const { write, fd } = value as { write?: unknown; fd?: unknown }
  return !('file' in value) && (Symbol.asyncIterator in value || typeof write === 'function' || typeof fd === 'number')
}

/** Returns the objects inside the value of an option, with their names, such as `landlock[0]`. */
export function objectsInside(option: string, value: unknown, name: string): [name: string, object: object][] {
  if (!Object.hasOwn(innerObjects, option)) return []
  const { isWhole = () => false } = innerObjects[option]!
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((entry, i) => [`${name}[${i}]`, entry])
    : [[name, value]]
  return entries.filter(
    (entry): entry is [string, object] =>
      typeof entry[1] === 'object' && entry[1] !== null && !Array.isArray(entry[1]) && !isWhole(entry[1]),
  )
}
