// SPDX-License-Identifier: Apache-2.0
// Parses the option `sysctls` (kernel settings of the job's namespaces) into a part of a Spec. Called by options.ts;
// pure.
import { fail } from '../errors/errors.ts'
import type { NamespaceKind } from '../namespaces/namespace.ts'
import type { NamespaceSpec } from './namespace-options.ts'

/** A kernel setting: its file below /proc/sys, and the kind of namespace that it belongs to. */
export interface Sysctl {
  name: string
  path: string
  value: string
  kind: NamespaceKind
}

/** The kernel settings that a job may have, each with the kind of namespace that it belongs to; as in runc. */
const namespaced: readonly (readonly [kind: NamespaceKind, path: RegExp])[] = [
  ['net', /^net\/./],
  ['ipc', /^kernel\/(shm[a-z_]+|msg[a-z_]+|sem|sem_next_id|auto_msgmni)$/],
  ['ipc', /^fs\/mqueue\/./],
]

/** Returns the file of a kernel setting, and the kind of namespace that it belongs to. Host name and domain name are included. */
export function classifySysctl(name: string): { path: string; kind?: NamespaceKind } | undefined {
  const path = pathOf(name)
  if (path === undefined) return undefined
  const kind = Object.hasOwn(ownOptions, path) ? 'uts' : namespaced.find(([, shape]) => shape.test(path))?.[0]
  return kind === undefined ? { path } : { path, kind }
}

/** Kernel settings for which hutch has a separate option. */
const ownOptions = { 'kernel/hostname': 'hostname', 'kernel/domainname': 'domainname' } as const

type Own = (typeof ownOptions)[keyof typeof ownOptions]
type NameOf = (key: 'sysctls' | 'isolate' | 'network' | Own) => string

/**
 * Parses the option `sysctls`. Returns the host name and the domain name separately if they are among the settings.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
export function parseSysctls(
  options: { sysctls?: unknown } & { [K in Own]?: unknown },
  { isolate, joins }: NamespaceSpec,
  nameOf: NameOf,
): { sysctls: Sysctl[] } & { [K in Own]?: string } {
  const { sysctls: value } = options
  const refuse = (refused: unknown, why: string, accepted = 'NAME=VALUE, such as net.ipv4.ip_forward=1') =>
    fail('OPTION_INVALID', { name: nameOf('sysctls'), value: refused, why, accepted })
  if (value === undefined) return { sysctls: [] }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(value, 'not an object of settings')
  const found: { sysctls: Sysctl[] } & { [K in Own]?: string } = { sysctls: [] }
  for (const [name, setting] of Object.entries(value)) {
    const path = pathOf(name)
    const text = typeof setting === 'number' ? String(setting) : setting
    if (path === undefined) throw refuse(name, 'not the name of a setting')
    if (typeof text !== 'string' || text === '' || /[\0\n]/.test(text))
      throw refuse(`${name}=${setting}`, 'its value is not one line')
    const own = Object.hasOwn(ownOptions, path) ? ownOptions[path as keyof typeof ownOptions] : undefined
    if (own !== undefined) {
      if (options[own] !== undefined)
        throw conflict(`${nameOf('sysctls')} ${name}`, `${nameOf(own)} sets the same`, 'leave one of them out')
      found[own] = text
      continue
    }
    const kind = namespaced.find(([, shape]) => shape.test(path))?.[0]
    if (kind === undefined)
      throw refuse(
        name,
        'no namespace holds this setting, so it would change the whole host',
        'one of net.*, kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*, kernel.hostname, kernel.domainname; for the host use sysctl -w',
      )
    if (![...isolate, ...joins.map((join) => join.kind)].includes(kind))
      throw conflict(
        `${nameOf('sysctls')} ${name}`,
        `without its own ${kind} namespace it would change this host`,
        kind === 'net' ? `add ${nameOf('network')} none or private` : `add ${kind} to ${nameOf('isolate')}`,
      )
    found.sysctls.push({ name, path, value: text, kind })
  }
  return found
}

/**
 * Returns the file of a kernel setting, relative to /proc/sys. As in sysctl(8), the first separator decides whether
 * dots or slashes separate the parts of the name.
 */
function pathOf(name: string): string | undefined {
  const separator = /[./]/.exec(name)?.[0]
  const swap = (text: string) => text.replace(/[./]/g, (one) => (one === '.' ? '/' : '.'))
  const path = separator === '.' ? swap(name) : name
  const parts = path.split('/')
  const valid = parts.length > 1 && parts.every((part) => /^[\w.:@-]+$/.test(part) && part !== '.' && part !== '..')
  return valid ? path : undefined
}

function conflict(name: string, why: string, remedy: string) {
  return fail('OPTION_CONFLICT', { name, why, remedy })
}
