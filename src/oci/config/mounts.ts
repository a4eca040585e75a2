// SPDX-License-Identifier: Apache-2.0
// Converts `mounts` of config.json to mounts of the container's root. Pure.
import type { Mount } from '../../mounts/root.ts'
import type { Extent } from '../../namespaces/id-map.ts'
import { mountAttributes } from '../../ops/mount-flags.ts'
import { resolvePath } from './bundle-path.ts'
import { combineOptions } from './mount-options.ts'
import type { OciConfig } from './read-config.ts'
import { refuseProperty } from './shape.ts'

type OciMount = NonNullable<OciConfig['mounts']>[number]
type IdMap = NonNullable<OciMount['uidMappings']>

/** Converts id maps to the form of the planner. */
export function toExtents(map: IdMap | undefined): Extent[] {
  return (map ?? []).map(({ containerID, hostID, size }) => ({ inside: containerID, outside: hostID, count: size }))
}

/**
 * Converts the mounts in their order. A tmpfs becomes read-only only after all mounts, because mount points and devices
 * are created in it.
 *
 * @throws OCI_CONFIG_INVALID
 */
export function toMounts(
  mounts: readonly OciMount[],
  facts: { bundle: string; hasUserNamespace: boolean },
  warn: (message: string) => void,
): Mount[] {
  const made = mounts.map((mount, i) => toMount(mount, `mounts[${i}]`, facts, warn))
  const { ro } = mountAttributes
  const isSealed = ({ type, flags, remounts }: Mount) => type === 'tmpfs' && !remounts && (flags & ro) !== 0
  return [
    ...made.map((mount) => (isSealed(mount) ? { ...mount, flags: mount.flags & ~ro } : mount)),
    ...made.filter(isSealed).map(
      ({ target, origin }): Mount => ({
        type: '',
        source: '',
        target,
        flags: ro,
        data: [],
        origin,
        top: true,
        remounts: true,
      }),
    ),
  ]
}

function toMount(
  mount: OciMount,
  at: string,
  facts: { bundle: string; hasUserNamespace: boolean },
  warn: (message: string) => void,
): Mount {
  const options = combineOptions(mount.options ?? [])
  const isBind = options.bind !== undefined || mount.type === 'bind'
  const type = isBind ? 'bind' : (mount.type ?? '')
  if (!mount.destination.startsWith('/'))
    warn(`${at}.destination: ${mount.destination} is not an absolute path; using /${mount.destination}`)
  if (!isBind && !options.remounts && (type === '' || type === 'none'))
    throw refuseProperty(`${at}.type`, mount.type, 'not a type of file system', 'a type, or the option bind')
  if (isBind && !options.remounts && (mount.source ?? '') === '')
    throw refuseProperty(`${at}.source`, mount.source, 'a bind mount needs a source', 'a path')
  if (options.copiesUp && type !== 'tmpfs')
    throw refuseProperty(`${at}.options`, 'tmpcopyup', `not an option of ${type}`, 'type tmpfs')
  if (isBind)
    for (const word of options.unknown) {
      if (/^r?idmap=/.test(word))
        throw refuseProperty(
          `${at}.options`,
          word,
          'maps in an option are not read',
          'idmap, uidMappings and gidMappings',
        )
      warn(`${at}.options: ${word} has no effect on a bind mount`)
    }
  else if (options.remounts)
    for (const word of options.data) warn(`${at}.options: ${word} has no effect on an existing file system`)
  const { below, propagation, copiesUp, remounts, bind } = options
  return {
    type,
    source: isBind && !remounts ? resolvePath(facts.bundle, mount.source!) : (mount.source ?? ''),
    target: resolvePath('/', mount.destination),
    flags: options.sets,
    clears: options.clears,
    data: isBind ? [] : options.data,
    origin: at,
    top: true,
    ...(isBind && { recursive: bind === 'rbind' }),
    ...(below && { below }),
    ...(propagation && { propagation }),
    ...(copiesUp && { copiesUp }),
    ...(remounts && { remounts }),
    ...mapIds(mount, options.idmap, type, at, facts.hasUserNamespace),
  }
}

/** Returns the fields of a mount with mapped ids. Without maps of its own, it has those of the user namespace. */
function mapIds(
  { uidMappings, gidMappings }: OciMount,
  option: 'idmap' | 'ridmap' | undefined,
  type: string,
  at: string,
  hasUserNamespace: boolean,
): Pick<Mount, 'idmap' | 'maps' | 'mapsBelow'> {
  const [users, groups] = [toExtents(uidMappings), toExtents(gidMappings)]
  const hasMaps = users.length > 0 || groups.length > 0
  if (option === undefined && !hasMaps) return {}
  if (type !== 'bind') throw refuseProperty(at, undefined, 'only a bind mount can map ids', 'the option bind')
  if (hasMaps && (users.length === 0 || groups.length === 0))
    throw refuseProperty(at, undefined, 'uidMappings and gidMappings go together', 'both, or neither')
  if (!hasMaps && !hasUserNamespace)
    throw refuseProperty(
      `${at}.options`,
      option,
      'there is no user namespace whose maps could be used',
      'uidMappings and gidMappings, or a user namespace',
    )
  return { idmap: true, mapsBelow: option === 'ridmap', ...(hasMaps && { maps: { users, groups } }) }
}
