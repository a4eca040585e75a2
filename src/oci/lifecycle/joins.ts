// SPDX-License-Identifier: Apache-2.0
// Which namespaces a process in a container joins. Pure.
import { type NamespaceKind, namespaceKinds, namespaces } from '../../namespaces/namespace.ts'

/** Returns the namespace files of a process, by kind. */
export function joinsOf(pid: number): { [kind in NamespaceKind]?: string } {
  return Object.fromEntries(namespaceKinds.map((kind) => [kind, `/proc/${pid}/ns/${namespaces[kind].file}`]))
}
