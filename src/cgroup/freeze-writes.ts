// SPDX-License-Identifier: Apache-2.0
// Plans the writes that freeze or thaw a group in each hierarchy (cgroup-v2.rst; cgroup-v1/freezer-subsystem.rst). Called by set-file.ts and
// freeze-kill.ts. Their order matters on a hybrid host: a task that v1 has frozen never freezes in v2. A task on its way into the freezer of
// v2 may never freeze in v1.
import { readGroupFile } from './files.ts'
import type { GroupPaths } from './group-paths.ts'
import type { FileWrite } from './set-file.ts'

/** A write, and whether the kernel has frozen or thawed all tasks since. */
type FreezeWrite = FileWrite & { isDone: () => boolean }

/** Returns the writes in the order in which they must be made. Returns an empty list if no hierarchy can freeze the group. */
export function planFreeze({ directories }: GroupPaths, frozen: boolean): FreezeWrite[] {
  const { '': unified, freezer } = directories
  const readState = () => (freezer === undefined ? undefined : readGroupFile(freezer, 'freezer.state'))
  const isHeldByV1 = frozen && readState() === 'FROZEN'
  const writes: FreezeWrite[] = []
  if (unified !== undefined)
    writes.push({
      directory: unified,
      file: 'cgroup.freeze',
      value: frozen ? '1' : '0',
      isDone: () => isHeldByV1 || isFrozen(unified) === frozen || isFrozenAbove(unified),
    })
  if (freezer !== undefined)
    writes.push({
      directory: freezer,
      file: 'freezer.state',
      value: frozen ? 'FROZEN' : 'THAWED',
      isDone: () => (readState() === 'FROZEN') === frozen,
    })
  return frozen ? writes : writes.reverse()
}

function isFrozen(directory: string): boolean {
  return /^frozen 1$/m.test(readGroupFile(directory, 'cgroup.events') ?? '')
}

/** Returns true if an ancestor of the group is frozen. Thawing the group has no effect then. */
function isFrozenAbove(directory: string): boolean {
  const above = directory.slice(0, directory.lastIndexOf('/'))
  return (
    readGroupFile(above, 'cgroup.freeze') === '1' ||
    (readGroupFile(above, 'cgroup.type') !== undefined && isFrozenAbove(above))
  )
}
