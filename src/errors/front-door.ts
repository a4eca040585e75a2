// SPDX-License-Identifier: Apache-2.0
// Knows the front end of this process, so that remedies name its own options, and do not tell root to become root. Each command sets it
// once.
/** Front ends; each has its own options. */
export type FrontDoor = 'library' | 'cli' | 'bwrap' | 'unshare' | 'nsenter' | 'cgroup-tools'

/** Options of hutch run whose name is not the library's name in kebab case. */
const irregular: { [key: string]: string } = {
  init: 'no-init',
  mounts: 'volume',
  devices: 'device',
  ulimits: 'ulimit',
  ioPriority: 'ioprio',
  limits: 'limit',
  sysctls: 'sysctl',
  addHosts: 'add-host',
  dnsOptions: 'dns-option',
}

/** Returns the flag of hutch run for an option of the library: `--map-users` for `mapUsers`, `--memory` for `limits.memory`. */
function flagOf(key: string): string {
  const name = key.replace(/^(limits|mounts)\./, '')
  return `--${irregular[name] ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** Options of the drop-ins that errors name. Options of the library and of hutch run follow from their keys. */
const dropinNames: { [door in Exclude<FrontDoor, 'library' | 'cli'>]: { [key: string]: string } } = {
  bwrap: { userNamespace: '--unshare-user' },
  unshare: { userNamespace: '--user', mapRoot: '--map-root-user' },
  nsenter: {
    userNamespace: '--user',
    userParent: '--user-parent',
    preserveCredentials: '--preserve-credentials',
  },
  'cgroup-tools': {},
}

/** Keys of drop-ins that are not options of a run. */
const dropinKeys: ReadonlySet<string> = new Set(Object.values(dropinNames).flatMap((names) => Object.keys(names)))

/** Global to the process, because each file of dist/ contains a copy of this module. */
const kept = globalThis as { [key: symbol]: FrontDoor | undefined }
const key = Symbol.for('hutch.frontDoor')
const current = () => kept[key] ?? 'library'

/** Sets the front end. Each command calls it first; the library never does. */
export function enterFrontDoor(door: FrontDoor): void {
  kept[key] = door
}

/** Returns the front end. `planned` is that of the requested job, and applies in a process of the library. */
export function frontDoor(planned?: 'cli' | 'library'): FrontDoor {
  return current() === 'library' && planned ? planned : current()
}

/** Returns an option's name, with its value as typed; undefined if this front end lacks the option. */
export function optionFor(name: string, value?: string, door: FrontDoor = current()): string | undefined {
  const ofRun = dropinKeys.has(name) ? undefined : door === 'library' ? name : flagOf(name)
  const option = door === 'library' || door === 'cli' ? ofRun : dropinNames[door][name]
  if (option === undefined || value === undefined) return option
  return door === 'library' ? `${option}: '${value}'` : `${option} ${value}`
}

/** Returns the option in the form of this front end. If the front end lacks it, names hutch run's option. */
export function optionOfRun(key: string, value?: string): string {
  return optionFor(key, value) ?? `hutch run ${optionFor(key, value, 'cli')}`
}

/** Returns the words with the option in place of `%`; undefined if this front end lacks the option. */
export function withOption(words: string, key: string, value?: string, door?: FrontDoor): string | undefined {
  const option = optionFor(key, value, door)
  return option === undefined ? undefined : words.replace('%', () => option)
}

/** Returns the words; undefined if the process is already root. */
export function asRoot(words = 'run as root'): string | undefined {
  return process.geteuid?.() === 0 ? undefined : words
}

/** Joins the available remedies; returns `otherwise` if there is only that. */
export function oneOf(ways: readonly (string | undefined)[], otherwise: string): string {
  return ways.filter((way) => way !== undefined).join(', or ') || otherwise
}
