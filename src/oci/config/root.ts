// SPDX-License-Identifier: Apache-2.0
// Converts the properties of config.json about files to the container's root: root, mounts, devices, masked paths. Pure.
import type { Mount, MountPropagation, Root } from '../../mounts/root.ts'
import { resolvePath } from './bundle-path.ts'
import type { OciLinux } from './linux-table.ts'
import { toMounts } from './mounts.ts'
import type { OciConfig } from './read-config.ts'
import { refuseProperty } from './shape.ts'

type Node = NonNullable<Root['nodes']>[number]
type Device = NonNullable<OciLinux['devices']>[number]

/** Devices that each container has, with their numbers. */
const defaultDevices: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
]

const defaultLinks = [
  ['/dev/ptmx', 'pts/ptmx'],
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/core', '/proc/kcore'],
].map(([path, to]) => ({ path: path!, to: to! }))

/** Converts the root of a container. @throws OCI_CONFIG_INVALID */
export function toRoot(
  { root, mounts = [], linux = {} }: OciConfig,
  facts: { bundle: string; hasUserNamespace: boolean },
  warn: (message: string) => void,
): Root {
  if (!root) throw refuseProperty('root', undefined, 'this property is required', 'a root with a path')
  const propagation = linux.rootfsPropagation ?? 'rprivate'
  const list = toMounts(mounts, facts, warn).map((mount) =>
    isSlave(propagation) ? receive(mount, propagation) : mount,
  )
  // a /dev of the host has its devices already
  const hasOwnDev = !list.some(({ type, target, remounts }) => type === 'bind' && target === '/dev' && !remounts)
  const requested = (linux.devices ?? []).map((device, i) => toNode(device, `linux.devices[${i}]`))
  const byDefault = defaultDevices
    .map(
      ([name, major, minor]): Node => ({
        path: `/dev/${name}`,
        type: 'c',
        major,
        minor,
        ...nodeDefaults,
        origin: 'linux.devices',
      }),
    )
    .filter(({ path }) => hasOwnDev && !requested.some((node) => node.path === path))
  const origins = (name: 'maskedPaths' | 'readonlyPaths') =>
    (linux[name] ?? []).map((path, i) => ({ path, origin: `linux.${name}[${i}]` }))
  // a mount on top of the root would not be seen: the paths of the container begin below it
  const isWhole = ({ path }: { path: string }) => resolvePath('/', path) === '/'
  const readonlyPaths = origins('readonlyPaths')
  return {
    directory: resolvePath(facts.bundle, root.path),
    readOnly: false,
    dev: false,
    standard: false,
    mounts: list,
    devices: [],
    maskedPaths: origins('maskedPaths'),
    readonlyPaths: readonlyPaths.filter((entry) => !isWhole(entry)),
    nodes: [...byDefault, ...requested],
    links: hasOwnDev ? defaultLinks : [],
    propagation,
    ...((root.readonly || readonlyPaths.some(isWhole)) && { readOnlyLast: true }),
  }
}

const isSlave = (propagation: MountPropagation) => /slave$/.test(propagation)

/** As with runc, a bind mount in a root that receives mounts of the host receives them, too, unless its options say otherwise. */
function receive(mount: Mount, propagation: MountPropagation): Mount {
  return mount.type === 'bind' && !mount.remounts ? { propagation, ...mount } : mount
}

const nodeDefaults = { mode: 0o666, uid: 0, gid: 0 }

function toNode({ type, path, major, minor, fileMode, uid = 0, gid = 0 }: Device, at: string): Node {
  for (const [name, value] of Object.entries({ major, minor }))
    if (type !== 'p' && value === undefined)
      throw refuseProperty(`${at}.${name}`, undefined, 'a device needs its numbers', `an object with ${name}`)
  return {
    path: resolvePath('/', path),
    type: type === 'u' ? 'c' : (type as Node['type']),
    major: major ?? 0,
    minor: minor ?? 0,
    // some callers also send the type of the file
    mode: fileMode === undefined ? nodeDefaults.mode : fileMode & 0o7777,
    uid,
    gid,
    origin: at,
  }
}
