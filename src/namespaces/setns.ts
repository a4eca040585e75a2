// SPDX-License-Identifier: Apache-2.0
// Namespaces that a run enters instead of making its own: setns(2).
import { type NamespaceKind, namespaceKinds, namespaces } from './namespace.ts'

/** One to be entered. */
export interface Join {
  kind: NamespaceKind
  /** A file of nsfs: below /proc/PID/ns, or bind-mounted. */
  path: string
}

/** Where ip-netns(8) keeps named ones. */
const netDirectory = '/run/netns'

/** `net=/run/netns/web`, `net=web`, `pid=1234`: a path, a name that `ip netns` knows, or a process. */
export function parseJoin(kind: string, value: unknown): Join | undefined {
  if (!(namespaceKinds as readonly string[]).includes(kind)) return undefined
  const known = kind as NamespaceKind
  const target = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : ''
  if (/^[1-9]\d{0,9}$/.test(target)) return { kind: known, path: `/proc/${target}/ns/${namespaces[known].file}` }
  if (/^\/[^\0\n]+$/.test(target)) return { kind: known, path: target }
  const isName = known === 'net' && /^[\w.-]+$/.test(target) && target !== '.' && target !== '..'
  return isName ? { kind: known, path: `${netDirectory}/${target}` } : undefined
}
