// SPDX-License-Identifier: Apache-2.0
// Which namespaces or processes are listed, in which order, and below which.
import type { Namespace, NamespaceProcess, SeenNamespaces } from '../../../host/namespaces.ts'
import type { Subject } from './columns.ts'

/** What the lines form: a list, or a tree of processes, of namespaces above each other, or of owners. */
export type Tree = 'none' | 'process' | 'parent' | 'owner'

/** What is asked for. */
export interface ListRequest {
  /** Kinds, as files of /proc/PID/ns. */
  files: readonly string[]
  tree: Tree
  /** Only those that this process is in. */
  task: number | undefined
  /** Only those without processes. */
  persistent: boolean
}

/** A subject in its place. */
export interface TreeNode {
  subject: Subject
  children: TreeNode[]
}

/** The lines: `roots` as a tree, `listed` in the order in which they were found. */
export interface Lines {
  roots: TreeNode[]
  listed: TreeNode[]
}

/** Adds a line below another; undefined when the filter does not want it. */
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

/** Namespaces by number; in trees of namespaces also those that these need to hang on. */
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

/** The processes of one namespace. */
export function listProcesses(namespace: Namespace, tree: Tree, keep: (subject: Subject) => boolean): Lines {
  const { add, ...lines } = collect(keep)
  const byPid = new Map<number, TreeNode>()
  for (const process of namespace.processes) addProcess({ namespace, process }, tree, add, byPid)
  return lines
}

/** Below the latest line of its parent. */
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

/** Ids of namespaces that only mounts or descriptors hold, and of those above them. */
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
