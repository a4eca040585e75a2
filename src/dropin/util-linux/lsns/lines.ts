// SPDX-License-Identifier: Apache-2.0
// Selects the namespaces or processes that lsns lists, their order, and their place in the tree. Pure.
import type { Namespace, NamespaceProcess, SeenNamespaces } from '../../../host/namespaces.ts'
import type { Subject } from './columns.ts'

/** Form of the output: a list, or a tree of processes, of parent namespaces, or of owners. */
export type Tree = 'none' | 'process' | 'parent' | 'owner'

/** The requested selection. */
export interface ListRequest {
  /** Kinds of namespaces to list, by their file names in /proc/PID/ns. */
  files: readonly string[]
  tree: Tree
  /** List only namespaces of this process. */
  task: number | undefined
  /** List only namespaces without processes. */
  persistent: boolean
}

/** A line of the output, with its place in the tree. */
export interface TreeNode {
  subject: Subject
  children: TreeNode[]
}

/** The lines of the output: `roots` as a tree, `listed` in the order in which they were found. */
export interface Lines {
  roots: TreeNode[]
  listed: TreeNode[]
}

/** Adds a line below another. Returns undefined if the filter excludes it. */
type Add = (subject: Subject, parent: TreeNode | undefined) => TreeNode | undefined

function collect(keep: (subject: Subject) => boolean): Lines & { add: Add } {
  const lines: Lines = { roots: [], listed: [] }
  return {
    ...lines,
    add(subject, parent) {
      if (!keep(subject)) return undefined
      const line = { subject, children: [] }
      ;(parent?.children ?? lines.roots).push(line)
      lines.listed.push(line)
      return line
    },
  }
}

/** Returns the lines of the namespaces, sorted by number. A tree also contains the ancestors that connect them. */
export function listNamespaces(seen: SeenNamespaces, wanted: ListRequest, keep: (subject: Subject) => boolean): Lines {
  const { add, ...lines } = collect(keep)
  const held = findHeld(seen)
  const chosen = [...seen.byId.values()].filter((one) => isWanted(one, wanted, held)).sort((a, b) => a.id - b.id)
  if (wanted.tree === 'parent' || wanted.tree === 'owner') {
    const link = wanted.tree
    const shown = new Map<number, TreeNode | undefined>()
    const show = (namespace: Namespace): void => {
      if (shown.has(namespace.id)) return
      shown.set(namespace.id, undefined)
      for (const id of new Set([namespace.owner, namespace[link]])) {
        const above = seen.byId.get(id)
        if (above && wanted.files.includes(above.file)) show(above)
      }
      shown.set(namespace.id, add(subjectOf(namespace), shown.get(namespace[link])))
    }
    for (const namespace of chosen) show(namespace)
    return lines
  }
  const byPid = new Map<number, TreeNode>()
  for (const namespace of chosen) addProcess(subjectOf(namespace), wanted.tree, add, byPid)
  return lines
}

/** Returns the processes of one namespace. */
export function listProcesses(namespace: Namespace, tree: Tree, keep: (subject: Subject) => boolean): Lines {
  const { add, ...lines } = collect(keep)
  const byPid = new Map<number, TreeNode>()
  for (const process of namespace.processes) addProcess({ namespace, process }, tree, add, byPid)
  return lines
}

/** Adds the line of a process below the latest line of its parent. */
function addProcess(subject: Subject, tree: Tree, add: Add, byPid: Map<number, TreeNode>): void {
  const { process } = subject
  const line = add(subject, tree === 'process' && process ? byPid.get(process.ppid) : undefined)
  if (line && process) byPid.set(process.pid, line)
}

function isWanted(one: Namespace, { files, tree, task, persistent }: ListRequest, held: Set<number>): boolean {
  if (!files.includes(one.file)) return false
  if (task !== undefined) return one.processes.some(({ pid }) => pid === task)
  if (persistent && one.processes.length > 0) return false
  return one.processes.length > 0 || held.has(one.id) || tree === 'parent' || tree === 'owner'
}

/** Returns the ids of namespaces that only mounts or descriptors keep, and of their ancestors. */
export function findHeld({ byId }: SeenNamespaces): Set<number> {
  const held = new Set<number>()
  const hold = (namespace: Namespace | undefined): void => {
    if (!namespace || held.has(namespace.id)) return
    held.add(namespace.id)
    hold(byId.get(namespace.owner))
    hold(byId.get(namespace.parent))
  }
  for (const namespace of byId.values())
    if (namespace.processes.length === 0 && (namespace.mounts.length > 0 || namespace.held)) hold(namespace)
  return held
}

function subjectOf(namespace: Namespace): Subject {
  const process: NamespaceProcess | undefined = namespace.processes[0]
  return { namespace, process }
}
