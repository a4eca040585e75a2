// SPDX-License-Identifier: Apache-2.0
// Maps the ids of writable volumes in a sandbox started by root. The command's user then owns the files that the user
// with the same number owns on disk. Pure.

import { capabilityNumbers, hasCapability } from '../credentials/capability.ts'
import type { Privileges } from '../host/privileges.ts'
import type { Mount, Root } from '../mounts/root.ts'
import { idInside, idOutside } from '../namespaces/id-map.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import type { Spec } from '../options/spec.ts'
import type { Identity } from './credentials.ts'

/** Owner and mode of the directory or file that a volume mounts. */
export interface SourceFacts {
  uid: number
  mode: number
}

const { ro, nodev } = mountAttributes
const writableByOthers = 0o002

/**
 * Returns true if a sandbox's command should be able to write this volume. Volumes with devices are excluded: their ids
 * are never mapped.
 */
export function isWritableVolume(mount: Mount): boolean {
  const { flags } = mount
  return mount.type === 'bind' && !mount.idmap && !mount.ifThere && (flags & ro) === 0 && (flags & nodev) !== 0
}

/**
 * Maps the ids of the root's writable volumes, if root starts a sandbox with its own ids. A volume that every user can
 * write needs no map. A volume that the command cannot write gets the reason in `closed`.
 */
export function mapVolumes(
  spec: Spec,
  root: Root | undefined,
  { userNamespace, ids }: Identity,
  { permitted, uid }: Privileges,
  sources: ReadonlyMap<string, SourceFacts>,
): Root | undefined {
  if (!root || !userNamespace || sources.size === 0 || !hasCapability(permitted, capabilityNumbers.SYS_ADMIN))
    return root
  const user = ids?.uid ?? idInside(userNamespace.users, uid)
  const mounts = root.mounts.map((mount): Mount => {
    if (!isWritableVolume(mount)) return mount
    const source = sources.get(mount.source)
    if (!source || (source.mode & writableByOthers) !== 0) return mount
    if (user !== undefined && idOutside(userNamespace.users, user) === source.uid) return mount
    if (source.uid !== user) return { ...mount, closed: 'owner', owner: source.uid }
    return keepsSetId(spec) ? { ...mount, idmap: 'sandbox' } : { ...mount, closed: 'filter' }
  })
  return { ...root, mounts }
}

/**
 * Returns true if the command cannot create set-user-ID programs or file capabilities in a mapped volume, which would
 * have root's rights on the host. The filter `strict` refuses set-user-ID modes, and file capabilities need
 * CAP_SETFCAP.
 */
function keepsSetId({ seccomp, learn, privileges: { capAdd } }: Spec): boolean {
  const strict = seccomp !== undefined && 'own' in seccomp && seccomp.own === 'strict'
  return strict && !learn && !capAdd.some((word) => word === 'ALL' || word === capabilityNumbers.SETFCAP)
}
