// SPDX-License-Identifier: Apache-2.0
// Maps the ids of writable volumes in root's sandbox, so that files that the command's user owns on disk are its own inside. Pure.

import { capabilityNumbers, hasCapability } from '../credentials/capability.ts'
import type { Privileges } from '../host/privileges.ts'
import type { Mount, Root } from '../mounts/root.ts'
import { idInside, idOutside } from '../namespaces/id-map.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import type { Spec } from '../options/spec.ts'
import type { Identity } from './credentials.ts'

/** Owner and mode of a volume's source. */
export interface SourceFacts {
  uid: number
  mode: number
}

type Volume = Extract<Mount, { kind: 'volume' }>

const { ro, nodev } = mountAttributes
const writableByOthers = 0o002

/** Returns whether the command should be able to write this volume of a sandbox. A volume with devices keeps its ids. */
export function isWritableVolume(mount: Mount): mount is Volume {
  const { attributes } = mount
  return (
    mount.kind === 'volume' && !mount.idmap && !mount.ifThere && (attributes & ro) === 0 && (attributes & nodev) !== 0
  )
}

/**
 * Returns the root with the ids of these volumes mapped, if root starts a sandbox with its own ids. A volume that all users can write needs
 * no map. A volume that stays read-only to the command carries the reason.
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
 * Returns true if the command can leave no set-user-ID program and no file capabilities in a mapped volume. On the host, these would have
 * root's rights. `strict` refuses set-user-ID modes, and file capabilities need CAP_SETFCAP.
 */
function keepsSetId({ seccomp, learn, privileges: { capAdd } }: Spec): boolean {
  const strict = seccomp !== undefined && 'own' in seccomp && seccomp.own === 'strict'
  return strict && !learn && !capAdd.some((word) => word === 'ALL' || word === capabilityNumbers.SETFCAP)
}
