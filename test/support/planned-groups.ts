// SPDX-License-Identifier: Apache-2.0
// Creates planned groups as a start does, without a start.
import { mkdirSync } from 'node:fs'
import { removeTree, writeGroupFile } from '../../src/cgroup/files.ts'
import type { PlannedGroup } from '../../src/cgroup/planned-group.ts'
import { readHost } from '../../src/host/host.ts'
import { mountedTrees } from '../../src/oci/resources/host-groups.ts'

/** Creates the groups and writes their files. Returns the first refused write as `FILE: ERRNO`. */
export function createPlanned(groups: readonly PlannedGroup[]): string | undefined {
  for (const { madeParents, enable, directory, inherit = {} } of groups) {
    for (const path of madeParents) {
      mkdirSync(path, { recursive: true })
      for (const [file, value] of Object.entries(inherit)) writeGroupFile(path, file, value)
    }
    for (const level of enable)
      writeGroupFile(level.directory, 'cgroup.subtree_control', level.controllers.map((name) => `+${name}`).join(' '))
    mkdirSync(directory, { recursive: true })
    for (const [file, value] of Object.entries(inherit)) writeGroupFile(directory, file, value)
  }
  for (const { directory, writes } of groups)
    for (const { file, value } of writes) {
      const errno = writeGroupFile(directory, file, value)
      if (errno !== undefined) return `${file}: ${errno}`
    }
  return undefined
}

/** Removes a group and all groups below it in every hierarchy. */
export function removeEverywhere(path: string): void {
  for (const { mount } of mountedTrees(readHost())) removeTree(`${mount}${path}`)
}
