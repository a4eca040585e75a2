// SPDX-License-Identifier: Apache-2.0
// Who speaks to the user, so that remedies name options which exist there, and never tell root to be root. A leaf; set once by each command.
/** Each has its own options. */
export type FrontDoor = 'library' | 'cli' | 'bwrap' | 'unshare' | 'nsenter' | 'cgroup-tools'

/** Options that errors name: key of the library → name, or undefined where there is none. */
const names: { [door in FrontDoor]: { [key: string]: string } } = {
  library: { isolate: 'isolate', parent: 'parent', mapUsers: 'mapUsers', ulimit: 'ulimits', limit: 'limits' },
  cli: {
    isolate: '--isolate',
    parent: '--parent',
    mapUsers: '--map-users',
    ulimit: '--ulimit',
    limit: '--limit',
    evacuate: '--evacuate',
  },
  bwrap: { userNamespace: '--unshare-user' },
  unshare: { userNamespace: '--user', mapRoot: '--map-root-user' },
  nsenter: {
    userNamespace: '--user',
    userParent: '--user-parent',
    preserveCredentials: '--preserve-credentials',
  },
  'cgroup-tools': {},
}

/** Kept for the whole process: each file of dist/ has a copy of this module. */
const kept = globalThis as { [key: symbol]: FrontDoor | undefined }
const key = Symbol.for('hutch.frontDoor')
const current = () => kept[key] ?? 'library'

/** Called first by a command; the library never calls it. */
export function enterFrontDoor(door: FrontDoor): void {
  kept[key] = door
}

/** Returns who speaks. `planned`: the front end that a job was asked for by, which counts in the library's process. */
export function frontDoor(planned?: 'cli' | 'library'): FrontDoor {
  return current() === 'library' && planned ? planned : current()
}

/** Returns the option's name, with its value as it is typed; undefined if this front end has no such option. */
export function optionFor(name: string, value?: string, door: FrontDoor = current()): string | undefined {
  const option = names[door][name]
  if (option === undefined || value === undefined) return option
  return door === 'library' ? `${option}: '${value}'` : `${option} ${value}`
}

/** Returns the words with the option in place of `%`; undefined if this front end has no such option. */
export function withOption(words: string, key: string, value?: string, door?: FrontDoor): string | undefined {
  const option = optionFor(key, value, door)
  return option === undefined ? undefined : words.replace('%', () => option)
}

/** Returns the words, or undefined for a process that is root already. */
export function asRoot(words = 'run as root'): string | undefined {
  return process.geteuid?.() === 0 ? undefined : words
}

/** Joins the ways that exist here; the last one stands alone if there is no other. */
export function oneOf(ways: readonly (string | undefined)[], otherwise: string): string {
  return ways.filter((way) => way !== undefined).join(', or ') || otherwise
}
