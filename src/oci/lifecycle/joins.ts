// SPDX-License-Identifier: Apache-2.0
// Which namespaces a process in a container joins.
import { type NamespaceKind, namespaceKinds, namespaces } from '../../namespaces/namespace.ts'
import { existsSync, readlinkSync } from '../../system/files.ts'

/**
 * Returns the namespace files of a process, by kind, of the namespaces in which this process is not. The kernel refuses
 * to join the own user namespace.
 */
export function joinsOf(pid: number): { [kind in NamespaceKind]?: string } {
  const others = namespaceKinds.filter((kind) => {
    const { file } = namespaces[kind]
    // a kernel can be built without a kind
    if (!existsSync(`/proc/self/ns/${file}`)) return false
    return readlinkSync(`/proc/${pid}/ns/${file}`) !== readlinkSync(`/proc/self/ns/${file}`)
  })
  return Object.fromEntries(others.map((kind) => [kind, `/proc/${pid}/ns/${namespaces[kind].file}`]))
}
