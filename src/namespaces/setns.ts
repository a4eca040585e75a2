// SPDX-License-Identifier: Apache-2.0
// Parses the existing namespaces that a run enters instead of creating new ones: setns(2). Pure.
import { type NamespaceKind, namespaceKinds, namespaces } from './namespace.ts'

/** An existing namespace to enter. */
export interface Join {
  kind: NamespaceKind
  /** A file of the nsfs file system: in /proc/PID/ns, or a bind mount of such a file. */
  path: string
}

/** Directory in which ip-netns(8) keeps named network namespaces. */
const netDirectory = '/run/netns'

/** Parses the value in `net=/run/netns/web`, `net=web` or `pid=1234`: a path, a name of `ip netns`, or a process id. */
export function parseJoin(kind: string, value: unknown): Join | undefined {
  if (!(namespaceKinds as readonly string[]).includes(kind)) return undefined
  const known = kind as NamespaceKind
  const target = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : ''
  if (/^[1-9]\d{0,9}$/.test(target)) return { kind: known, path: `/proc/${target}/ns/${namespaces[known].file}` }
  if (/^\/[^\0\n]+$/.test(target)) return { kind: known, path: target }
  const isName = known === 'net' && /^[\w.-]+$/.test(target) && target !== '.' && target !== '..'
  return isName ? { kind: known, path: `${netDirectory}/${target}` } : undefined
}
