// SPDX-License-Identifier: Apache-2.0
// Reads the state of a group that explains a refusal: its processes, and the level at which a controller is not enabled.
import { readGroupFile, readWords } from './files.ts'

/** `12 (sleep)` for each process that is in the group itself. */
export function describeProcesses(directory: string): string[] {
  return readWords(directory, 'cgroup.procs').map((pid) => {
    const name = pid === '0' ? 'of another pid namespace' : readGroupFile(`/proc/${pid}`, 'comm')
    return name === undefined ? pid : `${pid} (${name})`
  })
}

/** The first few, and how many more. */
export function shortenList(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).map(clean).join(', ')
  return names.length > most ? `${shown} and ${names.length - most} more` : shown
}

/** Names come from processes and may hold anything. */
function clean(name: string): string {
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}

/** A group of a v2 tree. */
export function isUnified(directory: string): boolean {
  return readGroupFile(directory, 'cgroup.controllers') !== undefined
}

/** Only the root of a v2 tree lacks cgroup.type (a cgroup namespace's root has it). */
export function isRoot(directory: string): boolean {
  return readGroupFile(directory, 'cgroup.type') === undefined
}

/** From the topmost v2 group that can be seen down to this one. */
function levelsDownTo(directory: string): string[] {
  const levels = [directory]
  for (;;) {
    const above = levels[0]!.slice(0, levels[0]!.lastIndexOf('/'))
    if (above === '' || !isUnified(above)) return levels
    levels.unshift(above)
  }
}

/** As hutch's commands take it. */
function pathOf(directory: string, top: string): string {
  return directory.slice(top.length) || '/'
}

/** Returns the level at which a controller is not enabled on the path to a group, and the command that enables it. */
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
