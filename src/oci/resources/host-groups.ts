// SPDX-License-Identifier: Apache-2.0
// Reads the facts for the plan of a container's groups: the mounted hierarchies, the files of their groups, and the sizes of
// huge pages.
import { readChildren, readWords } from '../../cgroup/files.ts'
import { type Hierarchy, parseNamedHierarchies } from '../../host/hierarchy.ts'
import { type Host, isKernelFrom, readHierarchyTexts } from '../../host/host.ts'
import { readPageSizes } from '../../host/huge-pages.ts'
import { existsSync } from '../../system/files.ts'
import type { ResourceFacts } from './resource-values.ts'

/** A mounted hierarchy, with all of its controllers. The list is [''] for the v2 tree, and has a name=… for a named hierarchy. */
export interface MountedTree extends Hierarchy {
  controllers: string[]
}

/** Returns all mounted hierarchies, that of v2 first. */
export function mountedTrees({ unified, v1 }: Host): MountedTree[] {
  const trees: MountedTree[] = unified ? [{ ...unified, controllers: [''] }] : []
  for (const [controller, hierarchy] of Object.entries(v1)) {
    const shared = trees.find(({ mount }) => mount === hierarchy.mount)
    if (shared) shared.controllers.push(controller)
    else trees.push({ ...hierarchy, controllers: [controller] })
  }
  const { mountinfo, membership } = readHierarchyTexts()
  const named = parseNamedHierarchies(mountinfo, membership)
  for (const [name, hierarchy] of named)
    if (!trees.some(({ mount }) => mount === hierarchy.mount)) trees.push({ ...hierarchy, controllers: [name] })
  return trees
}

/** Lists the groups from a mount down to a directory, without the directory. */
export function levelsAbove(mount: string, directory: string): string[] {
  const levels = [mount]
  const parts = directory.slice(mount.length).split('/').filter(Boolean)
  for (const part of parts.slice(0, -1)) levels.push(`${levels.at(-1)}/${part}`)
  return levels
}

/**
 * Returns the facts for the tables of writes. The container's group does not exist yet, so its files are those of
 * another group of the same hierarchy with the same controller.
 */
export function readResourceFacts(host: Host, trees: readonly MountedTree[]): ResourceFacts {
  const seen = new Map<string, boolean>()
  const hasFile = (controller: string, file: string) => {
    const tree = trees.find(({ controllers }) => controllers.includes(controller))
    if (!tree) return false
    if (controller !== '' && existsSync(`${tree.mount}/${file}`)) return true
    const children = readChildren(tree.mount).map((name) => `${tree.mount}/${name}`)
    const samples = controller === '' ? children.filter((group) => hasController(group, file)) : children
    if (samples.some((group) => existsSync(`${group}/${file}`))) return true
    return controller === '' && samples.length === 0 && defaults(host, file)
  }
  return {
    get pageSizes() {
      return readPageSizes()
    },
    hasFile: (controller, file) => {
      const key = `${controller}/${file}`
      if (!seen.has(key)) seen.set(key, hasFile(controller, file))
      return seen.get(key)!
    },
  }
}

function hasController(group: string, file: string): boolean {
  return readWords(group, 'cgroup.controllers').includes(file.slice(0, file.indexOf('.')))
}

/** Returns whether a file of v2 can be expected if no group exists that has the controller. */
function defaults({ kernel }: Host, file: string): boolean {
  if (file === 'memory.swap.max') return existsSync('/proc/swaps')
  return file.startsWith('hugetlb.') && isKernelFrom(kernel, [5, 7])
}
