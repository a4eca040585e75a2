// SPDX-License-Identifier: Apache-2.0
// Reads the state of a group that explains a refusal: its processes, and the level at which a controller is not enabled. Called by
// errno-reasons.ts and write-errors.ts.
import { readGroupFile, readWords } from './files.ts'

/** Returns text such as `12 (sleep)` for each process in the group itself. */
export function describeProcesses(directory: string): string[] {
  return readWords(directory, 'cgroup.procs').map((pid) => {
    const name = pid === '0' ? 'of another pid namespace' : readGroupFile(`/proc/${pid}`, 'comm')
    return name === undefined ? pid : `${pid} (${name})`
  })
}

/** Joins the first names of a list with commas, and adds how many more there are. */
export function shortenList(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).map(clean).join(', ')
  return names.length > most ? `${shown} and ${names.length - most} more` : shown
}

/** Replaces control characters, because a process can choose its name. */
function clean(name: string): string {
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}

/** Returns true if a group is in the v2 tree. */
export function isUnified(directory: string): boolean {
  return readGroupFile(directory, 'cgroup.controllers') !== undefined
}

/** Returns true for the root of the v2 tree, the only group without cgroup.type. The root of a cgroup namespace has that file. */
export function isRoot(directory: string): boolean {
  return readGroupFile(directory, 'cgroup.type') === undefined
}

/** Returns the v2 groups from the top of the visible tree down to a group. */
function levelsDownTo(directory: string): string[] {
  const levels = [directory]
  for (;;) {
    const above = levels[0]!.slice(0, levels[0]!.lastIndexOf('/'))
    if (above === '' || !isUnified(above)) return levels
    levels.unshift(above)
  }
}

/** Returns a group's path in the form that hutch's commands accept. */
function pathOf(directory: string, top: string): string {
  return directory.slice(top.length) || '/'
}

/**
 * Explains why a group lacks a controller: the ancestor that does not enable it for its children. Returns this as evidence, and the command
 * that enables it.
 */
export function explainChain(directory: string, controller: string): [evidence: string[], remedy: string] {
  const levels = levelsDownTo(directory)
  const broken = levels.slice(0, -1).find((level) => !readWords(level, 'cgroup.subtree_control').includes(controller))
  const top = levels[0]!
  if (!readWords(top, 'cgroup.controllers').includes(controller))
    return [
      [
        `this v2 tree has no ${controller} controller; it has: ${readWords(top, 'cgroup.controllers').join(' ') || 'none'}`,
      ],
      'hutch doctor says where the controller is, and how to get it',
    ]
  if (broken === undefined) return [[`the root group itself has no such file`], 'name a group below it']
  return [
    [`${controller} is not enabled for the children of ${broken} (cgroup.subtree_control)`],
    `hutch cgroup set ${pathOf(broken, top)} cgroup.subtree_control=+${controller}`,
  ]
}
