// SPDX-License-Identifier: Apache-2.0
// Parses the namespaces that a run enters instead of creating its own: setns(2). Pure.
import { type NamespaceKind, namespaceKinds, namespaces } from './namespace.ts'

/** A namespace to enter. */
export interface Join {
  kind: NamespaceKind
  /** An nsfs file: below /proc/PID/ns, or bind-mounted. */
  path: string
}

/** Directory of named network namespaces: ip-netns(8). */
const netDirectory = '/run/netns'

/** Parses the value of `net=/run/netns/web`, `net=web` or `pid=1234`: a path, a name of `ip netns`, or a process id. */
export function parseJoin(kind: string, value: unknown): Join | undefined {
  if (!(namespaceKinds as readonly string[]).includes(kind)) return undefined
  const known = kind as NamespaceKind
  const target = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : ''
  if (/^[1-9]\d{0,9}$/.test(target)) return { kind: known, path: `/proc/${target}/ns/${namespaces[known].file}` }
  if (/^\/[^\0\n]+$/.test(target)) return { kind: known, path: target }
  const isName = known === 'net' && /^[\w.-]+$/.test(target) && target !== '.' && target !== '..'
  return isName ? { kind: known, path: `${netDirectory}/${target}` } : undefined
}
